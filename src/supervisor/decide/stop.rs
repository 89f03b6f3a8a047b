//! Stopping: one child, or all of them in reverse order inside a deadline.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Mode, Supervision, Timer};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::restart::{Restart, Strategy};
use crate::shutdown::plan::{self, Turn};
use crate::shutdown::report::Outcome;
use crate::supervisor::children::{Key, Phase, Reserve};

/// Allotted to, and spent by, a child that was not asked because it was not there.
const NO_TIME: (Duration, Duration) = (Duration::ZERO, Duration::ZERO);

/// A supervisor's children on their way out.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::supervisor) struct Walk {
    /// By when all of them must have ended.
    deadline: Instant,
    /// Whose turn has not come, in start order: the last one is next.
    queue: Vec<Key>,
    /// Whose turn it is: asked, and not ended yet.
    active: BTreeSet<Key>,
    /// The sum of what is reserved for the queue.
    reserved: Duration,
    /// The budget and the number of children, from which the reserves are computed.
    budget: Duration,
    siblings: usize,
}

impl Supervision {
    /// A stop came from above. Repeated, it can only bring the deadline forward.
    pub(super) fn stop_ordered(&mut self, deadline: Instant) {
        match &mut self.mode {
            Mode::Leaving { walk, .. } => {
                walk.deadline = walk.deadline.min(deadline);
                let deadline = walk.deadline;
                self.tighten(deadline);
            }
            Mode::Ended => {}
            _ => self.leave(Exit::Shutdown, deadline),
        }
    }

    /// Tells those who have been asked already that there is less time.
    fn tighten(&mut self, earlier: Instant) {
        let late = |phase| matches!(phase, Phase::Stopping { deadline, .. } if deadline > earlier);
        let keys: Vec<_> = self
            .children
            .iter()
            .filter(|(_, child)| late(child.phase))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            let Some(child) = self.children.get_mut(&key) else {
                continue;
            };
            let Phase::Stopping { asked, killed, .. } = child.phase else {
                continue;
            };
            child.phase = Phase::Stopping {
                asked,
                deadline: earlier,
                killed,
            };
            self.actions.push(Action::Stop {
                key,
                deadline: earlier,
            });
            self.arm_stop(key, earlier);
        }
    }

    /// Begins to stop all children, to end with `exit` afterwards.
    pub(super) fn leave(&mut self, exit: Exit, deadline: Instant) {
        let queue: Vec<_> = self.children.keys().copied().collect();
        let siblings = queue.len();
        let budget = deadline.saturating_duration_since(self.now);
        let mut walk = Walk {
            deadline,
            queue,
            active: BTreeSet::new(),
            reserved: Duration::ZERO,
            budget,
            siblings,
        };
        walk.reserved = walk
            .queue
            .iter()
            .map(|key| self.reserve_of(*key, &walk))
            .sum();
        // Asked to stop by a group restart: they keep their place, with no more time than this.
        self.tighten(deadline);
        self.mode = Mode::Leaving { exit, walk };
        self.advance();
    }

    fn reserve_of(&self, key: Key, walk: &Walk) -> Duration {
        let Some(child) = self.children.get(&key) else {
            return Duration::ZERO;
        };
        if !child.is_alive() {
            return Duration::ZERO;
        }
        let stop_timeout = child.policy.stop_timeout.unwrap_or(walk.budget);
        match child.policy.stop_reserve {
            Reserve::Exactly(reserve) => reserve,
            Reserve::Default => plan::leaf_reserve(None, stop_timeout, walk.budget, walk.siblings),
        }
    }

    /// Asks the next child, or all of a dynamic supervisor's; finishes when none is left.
    fn advance(&mut self) {
        loop {
            let Mode::Leaving { exit, walk } = &mut self.mode else {
                return;
            };
            let is_free = walk.active.is_empty() || self.strategy == Strategy::Dynamic;
            if !is_free {
                return;
            }
            let Some(key) = walk.queue.pop() else {
                if walk.active.is_empty() {
                    let exit = exit.clone();
                    self.mode = Mode::Ended;
                    self.actions.push(Action::Finish { exit });
                }
                return;
            };
            self.take_turn(key);
        }
    }

    /// It is this child's turn to stop.
    fn take_turn(&mut self, key: Key) {
        let Mode::Leaving { walk, .. } = &self.mode else {
            return;
        };
        let reserve = self.reserve_of(key, walk);
        let reserved_after = match self.strategy {
            Strategy::Dynamic => Duration::ZERO,
            _ => walk.reserved.saturating_sub(reserve),
        };
        let Some(child) = self.children.get(&key) else {
            return;
        };
        let turn = Turn {
            stop_timeout: child.policy.stop_timeout,
            reserve,
            reserved_after,
        };
        let (phase, deadline) = (child.phase, plan::allot(self.now, walk.deadline, turn));
        let incarnation = child.incarnation;
        let is_active = child.is_alive();
        if let Mode::Leaving { walk, .. } = &mut self.mode {
            walk.reserved = reserved_after;
            if is_active {
                walk.active.insert(key);
            }
        }
        match phase {
            Phase::Starting | Phase::Up { .. } => self.ask_to_stop(key, deadline),
            Phase::StartTimedOut => {
                self.set_phase(
                    key,
                    Phase::Stopping {
                        asked: self.now,
                        deadline,
                        killed: true,
                    },
                );
                self.arm(Timer::GiveUp { key, incarnation }, deadline);
            }
            Phase::Stopping { .. } => self.stop_in_turn(key, deadline),
            Phase::Pending => {}
            Phase::BackingOff { .. } => {
                self.set_phase(key, Phase::Down);
                let kind = EventKind::Stopped {
                    outcome: Outcome::AlreadyDown,
                    spent: Duration::ZERO,
                };
                self.note(key, kind);
                self.report(key, Outcome::AlreadyDown, NO_TIME);
            }
            Phase::Down => self.report(key, Outcome::AlreadyDown, NO_TIME),
            Phase::Hung => self.report(key, Outcome::Hung, NO_TIME),
        }
    }

    /// Its turn has come for one that a group restart is stopping already: the shutdown counts its
    /// time from here.
    fn stop_in_turn(&mut self, key: Key, deadline: Instant) {
        let now = self.now;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let Phase::Stopping {
            deadline: told,
            killed,
            ..
        } = child.phase
        else {
            return;
        };
        let deadline = told.min(deadline);
        child.phase = Phase::Stopping {
            asked: now,
            deadline,
            killed,
        };
        self.actions.push(Action::Stop { key, deadline });
        self.arm_stop(key, deadline);
    }

    /// Asks a child that is alive to stop. A leaf whose start is under way is killed: ractor looks
    /// at no stop before `pre_start` returned.
    pub(super) fn ask_to_stop(&mut self, key: Key, deadline: Instant) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let killed = child.phase == Phase::Starting && child.policy.can_be_killed();
        child.phase = Phase::Stopping {
            asked: self.now,
            deadline,
            killed,
        };
        let was_asked_for = std::mem::take(&mut child.is_asked_for);
        self.actions.push(Action::Stop { key, deadline });
        self.note(key, EventKind::StopRequested { deadline });
        if was_asked_for {
            self.actions.push(Action::Answer {
                key,
                outcome: Err(Exit::Shutdown),
            });
        }
        if killed {
            self.actions.push(Action::Kill { key });
        }
        self.arm_stop(key, deadline);
    }

    fn arm_stop(&mut self, key: Key, deadline: Instant) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        let incarnation = child.incarnation;
        let killed = matches!(child.phase, Phase::Stopping { killed: true, .. });
        if killed || !child.policy.can_be_killed() {
            self.arm(Timer::GiveUp { key, incarnation }, deadline);
        } else {
            self.arm(
                Timer::KillAt { key, incarnation },
                plan::kill_at(self.now, deadline),
            );
        }
    }

    pub(super) fn kill_due(&mut self, key: Key, incarnation: u64) {
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        let Phase::Stopping {
            asked,
            deadline,
            killed: false,
        } = child.phase
        else {
            return;
        };
        child.phase = Phase::Stopping {
            asked,
            deadline,
            killed: true,
        };
        self.actions.push(Action::Kill { key });
        self.arm(Timer::GiveUp { key, incarnation }, deadline.max(self.now));
    }

    pub(super) fn give_up(&mut self, key: Key, incarnation: u64) {
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        match child.phase {
            Phase::StartTimedOut => self.start_hangs(key),
            Phase::Stopping {
                asked, deadline, ..
            } if deadline <= now => {
                child.phase = Phase::Hung;
                let times = (deadline - asked, now - asked);
                self.stop_over(key, Outcome::Hung, times);
            }
            _ => {}
        }
    }

    /// A child that was asked to stop has ended.
    pub(super) fn stopped(&mut self, key: Key, exit: Exit) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let Phase::Stopping {
            asked, deadline, ..
        } = child.phase
        else {
            return;
        };
        child.phase = Phase::Down;
        child.down_since = Some(self.now);
        let outcome = match exit {
            Exit::Normal | Exit::Shutdown => Outcome::Stopped,
            Exit::Killed => Outcome::Killed,
            failed => Outcome::CleanupFailed(failed),
        };
        self.stop_over(key, outcome, (deadline - asked, self.now - asked));
    }

    fn stop_over(&mut self, key: Key, outcome: Outcome, times: (Duration, Duration)) {
        let is_hung = outcome == Outcome::Hung;
        self.note(
            key,
            EventKind::Stopped {
                outcome: outcome.clone(),
                spent: times.1,
            },
        );
        match &mut self.mode {
            Mode::Leaving { walk, .. } => {
                // One whose turn has not come is reported when it comes, as down already.
                if walk.active.remove(&key) {
                    self.report(key, outcome, times);
                    self.advance();
                }
            }
            Mode::Group { .. } => {
                let temporary = |restart| restart == Restart::Temporary;
                if !is_hung
                    && self
                        .children
                        .get(&key)
                        .is_some_and(|child| temporary(child.policy.restart))
                {
                    self.remove(key);
                }
                self.drive_group();
            }
            Mode::Starting { .. } | Mode::Running | Mode::Ended => {}
        }
    }

    fn report(&mut self, key: Key, outcome: Outcome, (allotted, spent): (Duration, Duration)) {
        self.actions.push(Action::Report {
            key,
            outcome,
            allotted,
            spent,
        });
    }

    fn set_phase(&mut self, key: Key, phase: Phase) {
        if let Some(child) = self.children.get_mut(&key) {
            child.phase = phase;
        }
    }
}
