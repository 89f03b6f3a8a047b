//! What a supervisor does next: a pure function of its children, what happened, and now.
//!
//! It knows no clock, task, channel or actor: [`Supervision::decide`] changes plain state and
//! returns the actions that [`run_loop`](super::run_loop) carries out. Source of the rules: OTP's
//! `supervisor`; where this differs, the function that differs says so.
//!
//! # Invariants
//!
//! 1. A child is started only while none of its runs is alive (`Pending`, `BackingOff`, `Down`).
//! 2. Children start in rising, stop in falling order of their keys, one at a time; those of a
//!    dynamic supervisor stop all at once.
//! 3. Once it leaves, or the tree's shutdown has begun, it starts nothing and counts nothing.
//! 4. What speaks of an incarnation that is not the child's present one is ignored.

mod group;
mod restart;
mod start;
mod stop;

use std::time::Duration;

use tokio::time::Instant;

use super::children::{ChildState, Children, Key, Phase, Policy};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::backoff::Jitter;
use crate::policy::intensity::{Intensity, Window};
use crate::policy::restart::Strategy;
use crate::shutdown::report::Outcome;

pub(super) use self::stop::Walk;

/// How long a killed child may take to end outside a shutdown before it counts as hung.
///
/// A task dies at its next await, within microseconds unless it blocks; a second spares a child on
/// an overloaded machine from the verdict.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// Something a supervisor has to react to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Happened {
    /// It is about to start its declared children.
    Began,
    /// A child's start was acknowledged.
    Started { key: Key, incarnation: u64 },
    /// A child's task has ended and its state is dropped.
    Ended {
        key: Key,
        incarnation: u64,
        exit: Exit,
    },
    /// A timer that was armed is due.
    Due(Timer),
    /// The children as a whole must have ended by `deadline`.
    StopOrdered { deadline: Instant },
    /// The shutdown of the whole tree has begun; this supervisor's own turn comes later.
    ShutdownBegan,
    /// A child was added at run time, under this key.
    Added { key: Key },
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    StartTimeout { key: Key, incarnation: u64 },
    BackoffOver { key: Key, incarnation: u64 },
    KillAt { key: Key, incarnation: u64 },
    GiveUp { key: Key, incarnation: u64 },
    GroupDue,
}

/// Something the loop has to carry out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// Start this incarnation of the child.
    Start { key: Key, incarnation: u64 },
    /// Ask the child to stop by `deadline`; asked before, it is told an earlier instant.
    Stop { key: Key, deadline: Instant },
    /// Drop the child's task at its next await.
    Kill { key: Key },
    /// Call back at `at`.
    Arm { timer: Timer, at: Instant },
    /// Something happened to a child.
    Note { key: Key, kind: EventKind },
    /// Something happened to the supervisor itself.
    NoteSelf { kind: EventKind },
    /// A line of the stop report.
    Report {
        key: Key,
        outcome: Outcome,
        allotted: Duration,
        spent: Duration,
    },
    /// The child's specification is removed: no run of it can follow.
    Remove { key: Key },
    /// The first start of a child that somebody asked for is over.
    Answer { key: Key, outcome: Result<(), Exit> },
    /// All declared children are up.
    Up,
    /// A declared child did not start; the supervisor leaves.
    StartFailed { key: Key, exit: Exit },
    /// All children have ended or are hung: end with this exit.
    Finish { exit: Exit },
}

/// What the supervisor as a whole is doing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    /// Starting its declared children. Ends of those that are up wait until that is over, as in
    /// OTP, where `init` has not returned.
    Starting {
        deferred: Vec<(Key, Exit, Duration)>,
    },
    /// Watching.
    Running,
    /// Stopping and starting the children from `from` on; starting begins at `until`.
    Group { from: Key, until: Instant },
    /// Stopping all children, then ending with `exit`.
    Leaving { exit: Exit, walk: Walk },
    /// Over.
    Ended,
}

/// The state of one supervisor.
#[derive(Debug, Clone)]
pub(super) struct Supervision {
    pub(super) children: Children,
    pub(super) mode: Mode,
    strategy: Strategy,
    window: Window,
    /// Whether the limit was set, and so counts restarts of children with backoff too.
    counts_all: bool,
    /// The tree's shutdown has begun: nothing is started and nothing counts any more.
    is_quiet: bool,
    jitter: Jitter,
    /// The instant of the decision under way.
    now: Instant,
    actions: Vec<Action>,
}

impl Supervision {
    /// Makes a supervisor without children.
    pub(super) fn new(
        strategy: Strategy,
        intensity: Option<Intensity>,
        jitter: Jitter,
        now: Instant,
    ) -> Self {
        Self {
            children: Children::new(),
            mode: Mode::Starting {
                deferred: Vec::new(),
            },
            strategy,
            window: Window::new(intensity.unwrap_or_default()),
            counts_all: intensity.is_some(),
            is_quiet: false,
            jitter,
            now,
            actions: Vec::new(),
        }
    }

    /// Adds a child after all others; it does not start by itself.
    pub(super) fn add(&mut self, key: Key, policy: Policy, incarnation: u64) {
        self.children
            .insert(key, ChildState::new(policy, incarnation));
    }

    /// Tells whether it knows that the tree's shutdown has begun.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Decides what follows from what happened, in the order in which it is to be done.
    pub(super) fn decide(&mut self, happened: Happened, now: Instant) -> Vec<Action> {
        self.now = now;
        match happened {
            Happened::Began => self.start_next_declared(),
            Happened::Started { key, incarnation } => self.started(key, incarnation),
            Happened::Ended {
                key,
                incarnation,
                exit,
            } => self.ended(key, incarnation, exit),
            Happened::Due(timer) => self.due(timer),
            Happened::StopOrdered { deadline } => self.stop_ordered(deadline),
            Happened::ShutdownBegan => self.is_quiet = true,
            Happened::Added { key } => {
                if let Some(child) = self.children.get_mut(&key) {
                    child.is_asked_for = true;
                    self.start(key);
                }
            }
        }
        std::mem::take(&mut self.actions)
    }

    fn ended(&mut self, key: Key, incarnation: u64, exit: Exit) {
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        match child.phase {
            Phase::Starting => self.start_failed(key, exit),
            Phase::StartTimedOut => self.start_failed(key, Exit::StartTimedOut),
            Phase::Up { since } => self.ended_by_itself(key, exit, self.now - since),
            Phase::Stopping { .. } => self.stopped(key, exit),
            Phase::Hung => self.ended_after_all(key, exit),
            Phase::Pending | Phase::BackingOff { .. } | Phase::Down => {}
        }
    }

    fn due(&mut self, timer: Timer) {
        match timer {
            Timer::StartTimeout { key, incarnation } => self.start_timed_out(key, incarnation),
            Timer::BackoffOver { key, incarnation } => {
                let waiting = self.present(key, incarnation).map(|child| child.phase);
                let is_over =
                    matches!(waiting, Some(Phase::BackingOff { until }) if until <= self.now);
                if is_over && self.mode == Mode::Running {
                    self.start(key);
                }
            }
            Timer::KillAt { key, incarnation } => self.kill_due(key, incarnation),
            Timer::GiveUp { key, incarnation } => self.give_up(key, incarnation),
            Timer::GroupDue => self.drive_group(),
        }
    }

    /// Returns the child if `incarnation` is its present one (invariant 4).
    fn present(&mut self, key: Key, incarnation: u64) -> Option<&mut ChildState> {
        self.children
            .get_mut(&key)
            .filter(|child| child.incarnation == incarnation)
    }

    fn note(&mut self, key: Key, kind: EventKind) {
        self.actions.push(Action::Note { key, kind });
    }

    fn arm(&mut self, timer: Timer, at: Instant) {
        self.actions.push(Action::Arm { timer, at });
    }

    fn remove(&mut self, key: Key) {
        self.children.remove(&key);
        self.actions.push(Action::Remove { key });
    }
}

#[cfg(test)]
mod tests;
