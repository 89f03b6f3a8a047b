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

mod by_hand;
mod group;
mod restart;
mod stable;
mod start;
mod stop;
mod timer;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::timer::Timer;
pub(super) use self::walk::Walk;
use super::children::{ChildState, Children, Key, Phase, Policy, Reserve, Ticket};
use crate::command::{Ask, Refusal};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::auto_shutdown::AutoShutdown;
use crate::policy::backoff::Jitter;
use crate::policy::intensity::{Intensity, Window};
use crate::policy::limit::OnLimit;
use crate::policy::restart::{Restart, Strategy};
use crate::shutdown::plan::StopNeed;
use crate::shutdown::report::Outcome;

/// How long a child that is killed, or whose body is over, may take to end before it counts as hung,
/// outside a shutdown.
///
/// A task dies at its next await, within microseconds unless it blocks; a second spares a child on
/// an overloaded machine from the verdict.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// For how many actions room is kept from one decision to the next: far more than most have.
const ACTIONS_KEPT: usize = 64;

/// Something a supervisor has to react to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Happened {
    /// It is about to start its declared children.
    Began,
    /// A child's start was acknowledged.
    Started { key: Key, incarnation: u64 },
    /// A child's own task has ended; subtasks of it still run.
    Ending { key: Key, incarnation: u64 },
    /// A supervisor below is over, but for tasks that hang; it had ended so.
    LeftHung {
        key: Key,
        incarnation: u64,
        exit: Exit,
    },
    /// A child that is up says, or a check found, that it is well or not.
    Health {
        key: Key,
        incarnation: u64,
        is_well: bool,
    },
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
    /// A stopping child put its deadline off, as far as it was allowed to.
    Extended {
        key: Key,
        incarnation: u64,
        deadline: Instant,
    },
    /// What a supervisor below has to stop needs another time than it was declared to.
    StopNeed {
        key: Key,
        incarnation: u64,
        need: StopNeed,
    },
    /// A child was added at run time, under this key; whoever asked holds this ticket.
    Added { key: Key, ticket: Ticket },
    /// Somebody asked for something by hand.
    Asked { key: Key, ask: Ask, ticket: Ticket },
}

/// Something the loop has to carry out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// Start this incarnation of the child.
    Start { key: Key, incarnation: u64 },
    /// Tell the child to handle what is queued, and nothing more, by `deadline`.
    Drain { key: Key, times: StopTimes },
    /// Ask the child to stop by `deadline`; asked before, it is told another instant.
    Stop { key: Key, times: StopTimes },
    /// Drop the child's task at its next await.
    Kill { key: Key },
    /// End the child's run as one whose start took too long.
    FailStart { key: Key },
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
    /// What somebody asked for is done, or won't be.
    Answer {
        ticket: Ticket,
        outcome: Result<(), Refusal>,
    },
    /// All declared children are up.
    Up,
    /// A declared child did not start; the supervisor leaves.
    StartFailed { key: Key, exit: Exit },
    /// A child hangs and takes the process with it: shut the whole tree down.
    EndProcess { key: Key },
    /// All children have ended or are hung: end with this exit.
    Finish { exit: Exit },
}

/// By when a stopping child must have ended, and to when it may put that off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StopTimes {
    pub(super) deadline: Instant,
    pub(super) latest: Instant,
}

impl StopTimes {
    /// Makes a deadline that can't be put off.
    pub(super) fn fixed(deadline: Instant) -> Self {
        Self {
            deadline,
            latest: deadline,
        }
    }
}

/// What the supervisor as a whole is doing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    /// Starting its declared children. Ends of those that are up wait until that is over, as in
    /// OTP, where `init` has not returned.
    Starting {
        /// Everything before has been started.
        next: Key,
        deferred: Vec<(Key, Exit)>,
    },
    /// Watching.
    Running,
    /// Stopping and starting the children from `from` on; starting begins at `until`.
    Group(Group),
    /// Stopping all children, then ending with `exit`.
    Leaving { exit: Exit, walk: Walk },
    /// Over.
    Ended,
}

/// A group restart under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group {
    /// The first child that takes part.
    pub(super) from: Key,
    /// When starting begins.
    pub(super) until: Instant,
    /// Nothing from here on is left to be stopped.
    stop_below: Key,
    /// Everything before has been started; the child itself may be starting.
    start_from: Key,
}

/// How a supervisor treats its children as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) strategy: Strategy,
    pub(super) intensity: Option<Intensity>,
    pub(super) on_limit: OnLimit,
    pub(super) auto_shutdown: AutoShutdown,
}

/// The state of one supervisor.
#[derive(Debug, Clone)]
pub(super) struct Supervision {
    pub(super) children: Children,
    pub(super) mode: Mode,
    rules: Rules,
    window: Window,
    /// The tree's shutdown has begun: nothing is started and nothing counts any more.
    is_quiet: bool,
    jitter: Jitter,
    /// The instant of the decision under way.
    now: Instant,
    /// The earliest deadline of the supervisors above, whether or not its own turn has come.
    bound: Option<Instant>,
    actions: Vec<Action>,
    /// Carried out after all others: whoever is answered finds everything done, on whichever thread
    /// it runs.
    answers: Vec<Action>,
}

impl Supervision {
    /// Makes a supervisor without children.
    pub(super) fn new(rules: Rules, jitter: Jitter, now: Instant) -> Self {
        Self {
            children: Children::default(),
            mode: Mode::Starting {
                next: 0,
                deferred: Vec::new(),
            },
            rules,
            window: Window::new(rules.intensity.unwrap_or_default()),
            is_quiet: false,
            jitter,
            now,
            bound: None,
            actions: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Says by when the supervisors above must have ended: nobody here is told a later instant.
    pub(super) fn set_bound(&mut self, bound: Option<Instant>) {
        self.bound = bound;
    }

    /// Adds a child after all others; it does not start by itself.
    pub(super) fn add(&mut self, key: Key, policy: Policy, incarnation: u64) {
        let policy = self.shared(policy);
        self.children
            .insert(key, ChildState::new(policy, incarnation));
    }

    /// Returns what the child before was given if that is the same: 100 000 workers are one policy.
    fn shared(&self, policy: Policy) -> Arc<Policy> {
        let last = self
            .children
            .values()
            .next_back()
            .map(|child| &child.policy);
        match last {
            Some(last) if **last == policy => Arc::clone(last),
            _ => Arc::new(policy),
        }
    }

    /// Returns how many restarts have counted against its intensity, and the instant of the last.
    pub(super) fn counted_restarts(&self) -> (u64, Option<Instant>) {
        self.window.admitted()
    }

    /// Tells whether it knows that the tree's shutdown has begun.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Tells whether a task of this child lives, be it one that hangs.
    pub(super) fn has_task(&self, key: Key) -> bool {
        let child = self.children.get(&key);
        child.is_some_and(|child| child.is_alive() || matches!(child.phase, Phase::Hung { .. }))
    }

    /// Lists the runs of which nobody has heard yet that they are up.
    pub(super) fn starting(&self) -> Vec<(Key, u64)> {
        let starting = self.children.iter();
        let starting = starting.filter(|(_, child)| child.phase == Phase::Starting);
        starting
            .map(|(key, child)| (*key, child.incarnation))
            .collect()
    }

    /// Tells whether a timer may still mean something.
    pub(super) fn is_of_present_run(&self, timer: Timer) -> bool {
        let (key, incarnation) = match timer {
            Timer::GroupDue => return matches!(self.mode, Mode::Group(_)),
            Timer::StartTimeout { key, incarnation } => {
                let child = self.children.get(&key);
                let is_starting = child.is_some_and(|child| child.phase == Phase::Starting);
                return is_starting && child.is_some_and(|child| child.incarnation == incarnation);
            }
            Timer::BackoffOver { key, incarnation }
            | Timer::DrainOver { key, incarnation }
            | Timer::KillAt { key, incarnation }
            | Timer::GiveUp { key, incarnation }
            | Timer::StableDue { key, incarnation }
            | Timer::StableTimeout { key, incarnation } => (key, incarnation),
        };
        let child = self.children.get(&key);
        child.is_some_and(|child| child.incarnation == incarnation)
    }

    /// Decides what follows from what happened, in the order in which it is to be done.
    pub(super) fn decide(&mut self, happened: Happened, now: Instant) -> Vec<Action> {
        self.now = now;
        match happened {
            Happened::Began if matches!(self.mode, Mode::Starting { .. }) => {
                self.start_next_declared();
            }
            // Stopped before it began.
            Happened::Began => {}
            Happened::Started { key, incarnation } => self.started(key, incarnation),
            Happened::Ending { key, incarnation } => self.ending(key, incarnation),
            Happened::LeftHung {
                key,
                incarnation,
                exit,
            } => self.left_hung((key, incarnation), exit),
            Happened::Health {
                key,
                incarnation,
                is_well,
            } => self.health_heard(key, incarnation, is_well),
            Happened::Ended {
                key,
                incarnation,
                exit,
            } => self.ended(key, incarnation, exit),
            Happened::Due(timer) => self.due(timer),
            Happened::StopOrdered { deadline } => self.stop_ordered(deadline),
            Happened::ShutdownBegan => self.is_quiet = true,
            Happened::Extended {
                key,
                incarnation,
                deadline,
            } => self.extended(key, incarnation, deadline),
            Happened::StopNeed {
                key,
                incarnation,
                need,
            } => {
                if let Some(child) = self.present(key, incarnation) {
                    let policy = Arc::make_mut(&mut child.policy);
                    policy.worst_case_stop = need.worst_case;
                    policy.stop_reserve = Reserve::Below(need.floors);
                }
            }
            Happened::Added { key, ticket } => self.added(key, ticket),
            Happened::Asked { key, ask, ticket } => self.asked(key, ask, ticket),
        }
        self.actions.append(&mut self.answers);
        std::mem::take(&mut self.actions)
    }

    /// Takes back what held the last decision's actions, so that the next one allocates nothing.
    pub(super) fn take_back(&mut self, mut actions: Vec<Action>) {
        actions.clear();
        if self.actions.is_empty() && actions.capacity() <= ACTIONS_KEPT {
            self.actions = actions;
        }
    }

    /// The body is over: what is left of the task has a little time to end.
    fn ending(&mut self, key: Key, incarnation: u64) {
        let at = self.now + KILL_PATIENCE;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        if let Phase::Up { since } = child.phase {
            child.phase = Phase::Ending { since };
            self.arm(Timer::GiveUp { key, incarnation }, at);
        }
    }

    fn ended(&mut self, key: Key, incarnation: u64, exit: Exit) {
        // Its time may be over, and the timer not.
        self.settle(key, incarnation);
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        match &child.phase {
            Phase::Starting => self.start_failed(key, exit),
            Phase::StartTimedOut => self.start_failed(key, Exit::StartTimedOut),
            Phase::Up { since } | Phase::Ending { since } => {
                let uptime = now - *since;
                match self.is_about_to_stop(key) {
                    true => self.ended_with_its_group(key, exit, uptime),
                    false => self.ended_by_itself(key, exit, uptime),
                }
            }
            Phase::Stopping(stopping) => {
                let stopping = **stopping;
                self.stopped(key, stopping, exit);
            }
            Phase::Hung { then } => {
                let then = *then;
                self.ended_after_all(key, exit, then);
            }
            Phase::Pending | Phase::BackingOff { .. } | Phase::Down | Phase::Quarantined => {}
        }
    }

    fn due(&mut self, timer: Timer) {
        match timer {
            Timer::StartTimeout { key, incarnation } => self.start_timed_out(key, incarnation),
            Timer::BackoffOver { key, incarnation } => {
                let now = self.now;
                let waiting = self.present(key, incarnation).map(|child| &child.phase);
                let is_over = matches!(waiting, Some(Phase::BackingOff { until }) if *until <= now);
                if is_over && self.mode == Mode::Running {
                    self.start(key);
                }
            }
            Timer::DrainOver { key, incarnation } => self.drain_over(key, incarnation),
            Timer::KillAt { key, incarnation } => self.kill_due(key, incarnation),
            Timer::GiveUp { key, incarnation } => self.give_up(key, incarnation),
            Timer::StableDue { key, incarnation } => self.stable_due(key, incarnation),
            Timer::StableTimeout { key, incarnation } => self.stable_timed_out(key, incarnation),
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

    fn set_phase(&mut self, key: Key, phase: Phase) {
        if let Some(child) = self.children.get_mut(&key) {
            child.phase = phase;
        }
    }

    /// Removes a child that is down for good, if nothing is kept of it: a temporary one, one that was
    /// added and never came up, and any child of a dynamic supervisor, as in OTP.
    fn remove_if_not_kept(&mut self, key: Key) {
        let is_dynamic = self.rules.strategy == Strategy::Dynamic;
        let is_kept = |child: &ChildState| {
            !is_dynamic && child.policy.restart != Restart::Temporary && !child.is_provisional
        };
        if self.children.get(&key).is_some_and(|child| !is_kept(child)) {
            self.remove(key);
        }
    }

    fn answer(&mut self, ticket: Ticket, outcome: Result<(), Refusal>) {
        self.answers.push(Action::Answer { ticket, outcome });
    }

    fn remove(&mut self, key: Key) {
        self.children.remove(&key);
        self.actions.push(Action::Remove { key });
    }
}

#[cfg(test)]
mod tests;
