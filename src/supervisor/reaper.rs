//! Stops what a supervisor leaves behind when its loop is gone: dropped, or ended by a panic.
//!
//! The decisions can't be asked any more: after a panic their state may be half changed. What is left
//! is to end every run, last one first, each inside its stop timeout, and to name what can't be
//! ended. Plain on purpose: this is the code that runs when other code has failed.
//!
//! # Invariants
//!
//! 1. No child is given a later instant than the supervisor itself has, also when a shutdown comes
//!    while the children are being stopped.
//! 2. What is left behind is seen as it is: each child's state and events say that it is down, or
//!    hangs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::decide::StopTimes;
use super::ends::Ends;
use super::live::{Live, Lives};
use super::status::State;
use super::{Tree, spawn};
use crate::context::{Above, Run, give_way};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::shutdown::plan::{self, Turn};
use crate::shutdown::report::{Outcome, Stopped};
use crate::time::later;

/// The children of a supervisor that is no more.
pub(super) struct Reaper {
    pub(super) tree: Arc<Tree>,
    /// The supervisor's own run: by when it must have ended.
    pub(super) supervisor: Arc<Run>,
    pub(super) lives: Lives,
    pub(super) ends: Ends,
    pub(super) above: Arc<Above>,
    /// Whether all are asked at once: the children of a dynamic supervisor.
    pub(super) all_at_once: bool,
}

/// A child that was asked to stop.
struct Asked {
    at: Instant,
    /// By when the supervisor itself had to end then.
    told: Option<Instant>,
    deadline: Instant,
    turn: Turn,
}

/// What is left when the walk is over.
pub(super) struct Reaped {
    pub(super) report: Vec<Stopped>,
    pub(super) lives: Lives,
    /// The ends of those that hang.
    pub(super) ends: Ends,
}

/// What a wait for the end of a run came to.
enum Waited {
    Over,
    /// A shutdown came, or one with less time.
    Tightened,
    Due,
}

impl Reaper {
    /// Stops all children in reverse start order.
    pub(super) async fn walk(mut self) -> Reaped {
        let lives = std::mem::take(&mut self.lives);
        let budget = self.budget();
        let floor = |live: &Live| live.node.floors().within(budget);
        let reserves = lives.values().map(floor);
        let mut reserved = reserves.fold(Duration::ZERO, Duration::saturating_add);
        let mut asked = Vec::new();
        if self.all_at_once {
            let runs = lives
                .values()
                .rev()
                .map(|live| self.ask(live, (floor(live), Duration::ZERO)));
            asked = runs.rev().collect();
        }
        let mut report = Vec::new();
        for live in lives.values().rev() {
            reserved = reserved.saturating_sub(floor(live));
            let turn = (floor(live), reserved);
            let asked = asked.pop().unwrap_or_else(|| self.ask(live, turn));
            match (asked, live.run.clone()) {
                (Some(asked), Some(run)) => report.push(self.stop(live, &run, asked).await),
                _ => self.note_end(live),
            }
        }
        Reaped {
            report,
            lives,
            ends: self.ends,
        }
    }

    /// Returns what there is for all children together; no limit where nobody above said one.
    fn budget(&self) -> Duration {
        let now = Instant::now();
        let told = self.supervisor.stop().deadline();
        told.map_or(Duration::MAX, |told| {
            spawn::deadline_of_children(now, told).saturating_duration_since(now)
        })
    }

    /// Asks a child to stop; `None` if it has ended already.
    fn ask(&self, live: &Live, (reserve, reserved_after): (Duration, Duration)) -> Option<Asked> {
        live.run.as_ref().filter(|run| !run.is_over())?;
        let turn = Turn {
            stop_timeout: Some(live.node.worst_case_stop()),
            reserve,
            reserved_after,
        };
        let at = Instant::now();
        let told = self.supervisor.stop().deadline();
        let deadline = allot(at, told, turn);
        live.ask_to_stop(StopTimes::fixed(deadline));
        self.note(live, EventKind::StopRequested { deadline });
        Some(Asked {
            at,
            told,
            deadline,
            turn,
        })
    }

    async fn stop(&mut self, live: &Live, run: &Arc<Run>, asked: Asked) -> Stopped {
        let mut deadline = asked.deadline;
        let mut kill_at = Some(plan::kill_at(asked.at, deadline));
        // What came while another child was waited for is news for this one.
        let mut told = asked.told;
        let outcome = loop {
            match self.ends_by(run, kill_at.unwrap_or(deadline), told).await {
                Waited::Over => break outcome_of(run.exit()),
                Waited::Tightened => {
                    told = self.supervisor.stop().deadline();
                    let now = Instant::now();
                    deadline = deadline.min(allot(now, told, asked.turn));
                    kill_at = kill_at.map(|_| plan::kill_at(now, deadline));
                    live.ask_to_stop(StopTimes::fixed(deadline));
                }
                Waited::Due if kill_at.take().is_some() => {
                    self.tree.count_killed(run.kill());
                    // Killed at its very deadline it still gets the time that a task needs to die.
                    deadline = deadline.max(Instant::now() + plan::MIN_KILL_GRACE);
                }
                Waited::Due => break Outcome::Hung,
            }
        };
        let spent = asked.at.elapsed();
        let allotted = deadline.saturating_duration_since(asked.at);
        self.note(
            live,
            EventKind::Stopped {
                outcome: outcome.clone(),
                spent,
            },
        );
        live.report(outcome, (allotted, spent))
    }

    async fn ends_by(&mut self, run: &Arc<Run>, at: Instant, told: Option<Instant>) -> Waited {
        while !run.is_over() {
            give_way().await;
            tokio::select! {
                biased;
                _deadline = self.supervisor.stop().earlier_than(told) => return Waited::Tightened,
                () = self.ends.next(self.above.notices()), if !self.ends.is_empty() => {}
                () = sleep_until(at) => return Waited::Due,
            }
        }
        Waited::Over
    }

    /// Notes what the loop did not come to note of a child that has ended.
    fn note_end(&self, live: &Live) {
        match (live.cell.read().state, &live.run) {
            (State::Starting | State::Running | State::Stopping | State::Hung, Some(run)) => {
                let kind = EventKind::Exited {
                    exit: run.exit(),
                    uptime: Duration::ZERO,
                };
                self.note(live, kind);
            }
            (State::BackingOff, _) => {
                let kind = EventKind::Stopped {
                    outcome: Outcome::AlreadyDown,
                    spent: Duration::ZERO,
                };
                self.note(live, kind);
            }
            _ => {}
        }
    }

    fn note(&self, live: &Live, kind: EventKind) {
        live.cell.note(self.tree.events(), kind);
    }
}

/// Computes by when a child must have ended (invariant 1).
fn allot(now: Instant, told: Option<Instant>, turn: Turn) -> Instant {
    let Some(told) = told else {
        return later(now, turn.stop_timeout.unwrap_or_default());
    };
    plan::allot(now, spawn::deadline_of_children(now, told), turn)
}

fn outcome_of(exit: Exit) -> Outcome {
    match exit {
        Exit::Normal | Exit::Shutdown => Outcome::Stopped,
        Exit::Killed => Outcome::Killed,
        failed => Outcome::CleanupFailed(failed),
    }
}

#[cfg(test)]
mod tests;
