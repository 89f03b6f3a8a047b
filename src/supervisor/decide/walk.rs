//! Stopping all children: in reverse order, inside a deadline.

use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Mode, StopTimes, Supervision};
use crate::command::Refusal;
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::restart::Strategy;
use crate::shutdown::plan::{self, Turn};
use crate::shutdown::report::Outcome;
use crate::supervisor::children::{ChildState, Key, Phase, Stopping};

/// Allotted to, and spent by, a child that was not asked because it was not there.
const NO_TIME: (Duration, Duration) = (Duration::ZERO, Duration::ZERO);

/// A supervisor's children on their way out.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::supervisor) struct Walk {
    /// By when all of them must have ended.
    deadline: Instant,
    /// Whose turn has not come, in start order, with what is reserved for it: the last one is next.
    queue: Vec<(Key, Duration)>,
    /// How many were asked in their turn and have not ended yet.
    active: usize,
    /// The sum of what is reserved for the queue.
    reserved: Duration,
}

impl Walk {
    /// A child whose turn had come has ended.
    pub(super) fn end_turn(&mut self) {
        self.active -= 1;
    }

    /// Gives back what was reserved for a child that ended before its turn.
    pub(super) fn release(&mut self, key: Key) {
        if let Ok(index) = self.queue.binary_search_by_key(&key, |(key, _)| *key)
            && let Some((_, reserve)) = self.queue.get_mut(index)
        {
            self.reserved = self.reserved.saturating_sub(*reserve);
            *reserve = Duration::ZERO;
        }
    }

    pub(in crate::supervisor) fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Supervision {
    /// A stop came from above. Repeated, it can only bring the deadline forward.
    pub(super) fn stop_ordered(&mut self, deadline: Instant) {
        match &mut self.mode {
            Mode::Leaving { walk, .. } => {
                walk.deadline = walk.deadline.min(deadline);
                self.tighten();
            }
            Mode::Ended => {}
            _ => self.leave(Exit::Shutdown, deadline),
        }
    }

    /// Tells those whose turn it is that there is less time; what is reserved for the others shrinks
    /// with it.
    fn tighten(&mut self) {
        let Mode::Leaving { walk, .. } = &self.mode else {
            return;
        };
        let (now, deadline) = (self.now, walk.deadline);
        let turn = |(key, child): (&Key, &ChildState)| match &child.phase {
            Phase::Stopping(stopping) => stopping.turn.map(|turn| (*key, turn)),
            _ => None,
        };
        let turns: Vec<_> = self.children.iter().filter_map(turn).collect();
        for (key, turn) in turns {
            // Its stop timeout counts from when it was asked, and was put off if it asked for that.
            let turn = Turn {
                stop_timeout: None,
                ..turn
            };
            self.stop_earlier(key, times(now, deadline, turn));
        }
    }

    /// Begins to stop all children, to end with `exit` afterwards.
    pub(super) fn leave(&mut self, exit: Exit, deadline: Instant) {
        let budget = deadline.saturating_duration_since(self.now);
        let siblings = self.children.len();
        let reserve = |child: &ChildState| reserve_of(child, budget, siblings);
        let queue: Vec<_> = self
            .children
            .iter()
            .map(|(key, child)| (*key, reserve(child)))
            .collect();
        let reserved = queue.iter().fold(Duration::ZERO, |sum, (_, reserve)| {
            sum.saturating_add(*reserve)
        });
        let walk = Walk {
            deadline,
            queue,
            active: 0,
            reserved,
        };
        self.bound_early_stops(&walk);
        for (key, _) in &walk.queue {
            let child = self.children.get(key);
            // A group restart would have started it; nothing will now, and it has no end to wait for.
            if child.is_some_and(|child| child.phase == Phase::Down) {
                self.answer_start(*key, Refusal::ShuttingDown);
            }
        }
        self.mode = Mode::Leaving { exit, walk };
        self.advance();
    }

    /// Those asked to stop by hand or by a group restart keep their place in the order, with no more
    /// time than if it were their turn.
    fn bound_early_stops(&mut self, walk: &Walk) {
        let now = self.now;
        for (key, reserve) in &walk.queue {
            let child = self.children.get(key);
            if child.is_some_and(|child| matches!(child.phase, Phase::Stopping(_))) {
                let turn = Turn {
                    stop_timeout: None,
                    reserve: *reserve,
                    reserved_after: walk.reserved.saturating_sub(*reserve),
                };
                self.stop_earlier(*key, times(now, walk.deadline, turn));
            }
        }
    }

    /// Asks the next child, or all of a dynamic supervisor's; finishes when none is left. Once the
    /// deadline is over there is no more order to keep: all are asked at once.
    pub(super) fn advance(&mut self) {
        loop {
            let bound = self.bound;
            let Mode::Leaving { exit, walk } = &mut self.mode else {
                return;
            };
            walk.deadline = bound.map_or(walk.deadline, |bound| walk.deadline.min(bound));
            let all_at_once = self.rules.strategy == Strategy::Dynamic || self.now >= walk.deadline;
            if walk.active > 0 && !all_at_once {
                return;
            }
            let Some((key, reserve)) = walk.queue.pop() else {
                if walk.active == 0 {
                    let exit = exit.clone();
                    self.mode = Mode::Ended;
                    self.actions.push(Action::Finish { exit });
                }
                return;
            };
            walk.reserved = walk.reserved.saturating_sub(reserve);
            self.take_turn(key, reserve);
        }
    }

    /// It is this child's turn to stop.
    fn take_turn(&mut self, key: Key, reserve: Duration) {
        let (Mode::Leaving { walk, .. }, Some(child)) = (&mut self.mode, self.children.get(&key))
        else {
            return;
        };
        let turn = Turn {
            stop_timeout: child.policy.stop_timeout,
            reserve,
            reserved_after: match self.rules.strategy {
                Strategy::Dynamic => Duration::ZERO,
                _ => walk.reserved,
            },
        };
        let times = times(self.now, walk.deadline, turn);
        self.stop_in_turn(key, times);
        if let (Mode::Leaving { walk, .. }, Some(child)) =
            (&mut self.mode, self.children.get_mut(&key))
            && let Phase::Stopping(stopping) = &mut child.phase
        {
            stopping.turn = Some(turn);
            walk.active += 1;
        }
    }

    fn stop_in_turn(&mut self, key: Key, times: StopTimes) {
        let now = self.now;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        match &mut child.phase {
            Phase::Starting | Phase::Up { .. } => {
                self.answer_start(key, Refusal::ShuttingDown);
                self.ask_to_stop(key, times);
            }
            // Killed already, or over: nothing is left but to wait for the end of its task.
            Phase::StartTimedOut | Phase::Ending { .. } => {
                self.answer_start(key, Refusal::ShuttingDown);
                self.await_end(key, times);
            }
            // By hand or by a group restart: the shutdown counts its time from here.
            Phase::Stopping(stopping) => {
                stopping.asked = now;
                self.stop_earlier(key, times);
            }
            Phase::BackingOff { .. } => {
                child.phase = Phase::Down;
                let kind = EventKind::Stopped {
                    outcome: Outcome::AlreadyDown,
                    spent: Duration::ZERO,
                };
                self.note(key, kind);
                self.report(key, Outcome::AlreadyDown, NO_TIME);
            }
            Phase::Down | Phase::Quarantined => self.report(key, Outcome::AlreadyDown, NO_TIME),
            Phase::Hung { .. } => {
                // What hangs may still listen.
                self.actions.push(Action::Stop { key, times });
                self.report(key, Outcome::Hung, NO_TIME);
            }
            Phase::Pending => {}
        }
    }

    /// Waits for the end of a task that nothing more can be asked of.
    fn await_end(&mut self, key: Key, times: StopTimes) {
        let asked = self.now;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let incarnation = child.incarnation;
        child.phase = Phase::Stopping(Box::new(Stopping {
            asked,
            deadline: times.deadline,
            latest: times.deadline,
            turn: None,
            drain_until: None,
            kill_at: None,
        }));
        self.actions.push(Action::Stop { key, times });
        self.actions.push(Action::Kill { key });
        self.arm_give_up(key, incarnation, times.deadline);
    }

    pub(super) fn report(
        &mut self,
        key: Key,
        outcome: Outcome,
        (allotted, spent): (Duration, Duration),
    ) {
        self.actions.push(Action::Report {
            key,
            outcome,
            allotted,
            spent,
        });
    }
}

fn reserve_of(child: &ChildState, budget: Duration, siblings: usize) -> Duration {
    if !child.is_alive() {
        return Duration::ZERO;
    }
    child.policy.reserve(budget, siblings)
}

fn times(now: Instant, deadline: Instant, turn: Turn) -> StopTimes {
    StopTimes {
        deadline: plan::allot(now, deadline, turn),
        latest: plan::latest(now, deadline, turn),
    }
}
