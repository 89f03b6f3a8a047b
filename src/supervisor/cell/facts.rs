//! What is known of a node, and what an event makes of it. Pure, but for the instant at which it is made.

use std::time::Duration;

use tokio::time::Instant;

use crate::event::EventKind;
use crate::exit::Exit;
use crate::health::Health;
use crate::shutdown::report::Outcome;
use crate::supervisor::past::Past;
use crate::supervisor::status::{PastRun, State};

/// What is known of a node beside what it is.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) state: State,
    pub(super) incarnation: u64,
    pub(super) since: Instant,
    /// Absent before there is anything in it: most children end once, if ever.
    pub(super) past: Option<Box<Past>>,
    pub(super) last_run: Option<Box<PastRun>>,
    pub(super) last_seq: u64,
    pub(super) is_dynamic: bool,
    /// Whether the last run ended without having been asked to.
    pub(super) ended_by_itself: bool,
    /// Whether the end of the whole tree was told of, which nothing follows; a root's.
    pub(super) is_over: bool,
    /// Whether the present run has been up and well for long enough, as far as anybody was told.
    pub(super) is_stable: bool,
    pub(super) stuck: u32,
}

impl Facts {
    /// Of a node that has not begun.
    pub(super) fn new() -> Self {
        Self {
            state: State::Pending,
            incarnation: 0,
            since: Instant::now(),
            past: None,
            last_run: None,
            last_seq: 0,
            is_dynamic: false,
            ended_by_itself: false,
            is_over: false,
            is_stable: false,
            stuck: 0,
        }
    }

    /// Whether the present run is up and not stable, if anybody is told of that.
    pub(super) fn awaits_stable(&self) -> bool {
        self.state == State::Running && !self.is_stable
    }

    /// Counts what an event is one more of.
    pub(super) fn count(&mut self, kind: &EventKind) {
        if let EventKind::HealthChanged { health } = kind {
            self.past.get_or_insert_default().health = health.clone();
        }
        // Another run begins well, and one that has ended has no health.
        if state_after(kind).is_some_and(|state| !matches!(state, State::Running | State::Stopping))
        {
            self.is_stable = false;
            if let Some(past) = &mut self.past {
                past.health = Health::Ok;
                past.stuck = None;
            }
        }
        match kind {
            EventKind::Stable { .. } => self.is_stable = true,
            EventKind::Starting if self.incarnation > 1 => {
                let before = self
                    .last_run
                    .as_deref()
                    .map_or("normal", |run| run.exit.code());
                if let Some(slot) = Exit::CODES.iter().position(|code| *code == before) {
                    self.past.get_or_insert_default().restarts[slot] += 1;
                }
            }
            EventKind::Meltdown => self.past.get_or_insert_default().meltdowns += 1,
            EventKind::Exited {
                exit: Exit::Meltdown,
                ..
            } => self.past.get_or_insert_default().escalations += 1,
            _ => {}
        }
    }

    /// Remembers how a run ended, and the one before it.
    pub(super) fn end(&mut self, exit: Exit, uptime: Option<Duration>, ended: Instant) {
        // One that hung, and ends after all, was asked to or not when it began to hang.
        if self.state != State::Hung {
            self.ended_by_itself = uptime.is_some() && self.state != State::Stopping;
        }
        let run = PastRun {
            incarnation: self.incarnation,
            exit,
            uptime,
            ended,
        };
        if let Some(before) = self.last_run.replace(Box::new(run)) {
            self.past.get_or_insert_default().keep(before);
        }
    }
}

/// How a run ended, and how long it had been up, if an event says that.
pub(super) fn ended_by(kind: &EventKind) -> Option<(Exit, Option<Duration>)> {
    match kind {
        EventKind::Exited { exit, uptime } => Some((exit.clone(), Some(*uptime))),
        EventKind::StartFailed { exit } => Some((exit.clone(), None)),
        EventKind::Stopped { outcome, .. } => exit_after(outcome).map(|exit| (exit, None)),
        _ => None,
    }
}

/// When the next run begins, if an event says so.
pub(super) fn next_run_after(kind: &EventKind) -> Option<Instant> {
    match kind {
        EventKind::BackingOff { until, .. } => Some(*until),
        _ => None,
    }
}

/// How a run ended that was asked to; `None` where it had ended before.
fn exit_after(outcome: &Outcome) -> Option<Exit> {
    match outcome {
        Outcome::Stopped => Some(Exit::Shutdown),
        Outcome::CleanupFailed(exit) => Some(exit.clone()),
        Outcome::Killed => Some(Exit::Killed),
        Outcome::Hung => Some(Exit::Hung),
        Outcome::AlreadyDown => None,
    }
}

/// The state in which an event leaves a node; `None` where it says nothing of it.
pub(super) fn state_after(kind: &EventKind) -> Option<State> {
    match kind {
        EventKind::Starting => Some(State::Starting),
        EventKind::Started => Some(State::Running),
        EventKind::Exited {
            exit: Exit::Hung, ..
        } => Some(State::Hung),
        EventKind::Exited { .. } | EventKind::StartFailed { .. } => Some(State::Down),
        EventKind::Quarantined => Some(State::Quarantined),
        EventKind::BackingOff { .. } => Some(State::BackingOff),
        EventKind::StopRequested { .. } => Some(State::Stopping),
        EventKind::Stopped { outcome, .. } => Some(match outcome {
            Outcome::Hung => State::Hung,
            _ => State::Down,
        }),
        EventKind::Restarted { .. }
        | EventKind::Stable { .. }
        | EventKind::Stuck { .. }
        | EventKind::Meltdown
        | EventKind::ShutdownBegan { .. }
        | EventKind::ShutdownEnded { .. }
        | EventKind::ConfigUpdated { .. }
        | EventKind::ConfigRejected { .. }
        | EventKind::LimitReached { .. }
        | EventKind::HealthChanged { .. } => None,
    }
}
