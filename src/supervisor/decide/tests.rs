//! Tables of decisions: each row of restart type × exit, strategy, limit, command and stop.
//!
//! The bench drives a supervisor without a runtime. It keeps the timers that were armed, so that time
//! can pass and everything that falls due on the way is decided at its own instant.

mod by_hand;
mod group;
mod limits;
mod restart;
mod significant;
mod stable;
mod stop;
mod table;
mod timers;
mod times;

use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Happened, KILL_PATIENCE, Mode, Rules, StopTimes, Supervision, Timer};
use crate::child::Kind;
use crate::command::{Ask, Refusal};
use crate::event::EventKind;
use crate::exit::{ErrorChain, Exit, Panic};
use crate::policy::auto_shutdown::AutoShutdown;
use crate::policy::backoff::{Backoff, Jitter};
use crate::policy::intensity::Intensity;
use crate::policy::limit::OnLimit;
use crate::policy::restart::{Restart, Strategy};
use crate::policy::stop::{OnHung, Stop};
use crate::shutdown::report::Outcome;
use crate::supervisor::children::{ChildState, Key, Phase, Policy, Reserve, Stopping, Ticket};

/// Nothing was started.
const NONE: [(Key, u64); 0] = [];

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn policy(restart: Restart) -> Policy {
    Policy {
        restart,
        backoff: Backoff::none(),
        start_timeout: Some(seconds(30)),
        stop_timeout: Some(seconds(5)),
        worst_case_stop: seconds(5),
        stop_reserve: Reserve::Default,
        kind: Kind::Task,
        limit: None,
        on_limit: OnLimit::Quarantine,
        is_significant: false,
        stop: Stop::Ask,
        on_hung: OnHung::Report,
        stable_after: None,
        siblings_wait: false,
        tells_stable: false,
    }
}

/// Makes the policies of permanent children without backoff.
fn permanent<const N: usize>() -> [Policy; N] {
    std::array::from_fn(|_| policy(Restart::Permanent))
}

/// Makes a permanent child whose restarts wait for 0, 1, 2, 4, 8, 8 … s.
fn waiting() -> Policy {
    let backoff = Backoff::try_new(seconds(1), seconds(8)).and_then(|backoff| backoff.jitter(0.0));
    Policy {
        backoff: backoff.expect("valid"),
        ..policy(Restart::Permanent)
    }
}

/// Makes a permanent child that is stopped in this way.
fn stops(stop: Stop) -> Policy {
    Policy {
        stop,
        ..policy(Restart::Permanent)
    }
}

/// Makes a permanent child of this kind.
fn of_kind(kind: Kind) -> Policy {
    let is_supervisor = kind == Kind::Supervisor;
    Policy {
        kind,
        start_timeout: (!is_supervisor).then(|| seconds(30)),
        stop_timeout: (!is_supervisor).then(|| seconds(5)),
        ..policy(Restart::Permanent)
    }
}

/// Makes a permanent child with this stop timeout and this reserve.
fn reserving(stop_timeout: Duration, reserve: Duration) -> Policy {
    Policy {
        stop_timeout: Some(stop_timeout),
        stop_reserve: Reserve::Exactly(reserve),
        ..policy(Restart::Permanent)
    }
}

fn rules(strategy: Strategy, intensity: Option<Intensity>) -> Rules {
    Rules {
        strategy,
        intensity,
        on_limit: OnLimit::Escalate,
        auto_shutdown: AutoShutdown::Never,
    }
}

/// Allows `restarts` in 10 s.
fn in_ten_seconds(restarts: u32) -> Option<Intensity> {
    Some(Intensity {
        restarts,
        period: seconds(10),
    })
}

/// A supervisor under test with its own clock.
struct Bench {
    supervision: Supervision,
    now: Instant,
    timers: Vec<(Instant, Timer)>,
}

impl Bench {
    /// Makes a supervisor with these children; nothing is started.
    fn new(rules: Rules, children: &[Policy]) -> Self {
        let now = Instant::now();
        let mut supervision = Supervision::new(rules, Jitter::seeded(1), now);
        for (key, policy) in children.iter().enumerate() {
            supervision.add(key as Key, policy.clone(), 0);
        }
        Self {
            supervision,
            now,
            timers: Vec::new(),
        }
    }

    /// Starts these children and acknowledges each start.
    fn up(strategy: Strategy, intensity: Option<Intensity>, children: &[Policy]) -> Self {
        Self::up_with(rules(strategy, intensity), children)
    }

    fn up_with(rules: Rules, children: &[Policy]) -> Self {
        let mut bench = Self::new(rules, children);
        let mut actions = bench.tell(Happened::Began);
        while let Some((key, incarnation)) = started(&actions).first().copied() {
            actions = bench.tell(Happened::Started { key, incarnation });
        }
        assert!(actions.contains(&Action::Up));
        bench
    }

    fn tell(&mut self, happened: Happened) -> Vec<Action> {
        let actions = self.supervision.decide(happened, self.now);
        for action in &actions {
            if let Action::Arm { timer, at } = action {
                self.timers.push((*at, *timer));
            }
        }
        actions
    }

    /// Lets time pass; each timer that was armed is due at its own instant.
    fn pass(&mut self, time: Duration) -> Vec<Action> {
        let (until, mut actions) = (self.now + time, Vec::new());
        loop {
            self.timers.sort();
            let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= until)
            else {
                self.now = until;
                return actions;
            };
            self.timers.remove(0);
            self.now = self.now.max(at);
            actions.extend(self.tell(Happened::Due(timer)));
        }
    }

    fn child(&self, key: Key) -> &ChildState {
        let child = self.supervision.children.get(&key);
        child.expect("the child is there")
    }

    fn incarnation(&self, key: Key) -> u64 {
        self.child(key).incarnation
    }

    fn ends(&mut self, key: Key, exit: Exit) -> Vec<Action> {
        let incarnation = self.incarnation(key);
        self.tell(Happened::Ended {
            key,
            incarnation,
            exit,
        })
    }

    fn acknowledges(&mut self, key: Key) -> Vec<Action> {
        let incarnation = self.incarnation(key);
        self.tell(Happened::Started { key, incarnation })
    }

    /// Its body is over, but its task has not ended.
    fn is_over(&mut self, key: Key) -> Vec<Action> {
        let incarnation = self.incarnation(key);
        self.tell(Happened::Ending { key, incarnation })
    }

    /// It puts its deadline off.
    fn extends(&mut self, key: Key, deadline: Instant) -> Vec<Action> {
        let incarnation = self.incarnation(key);
        self.tell(Happened::Extended {
            key,
            incarnation,
            deadline,
        })
    }

    fn ask(&mut self, key: Key, ask: Ask, ticket: Ticket) -> Vec<Action> {
        self.tell(Happened::Asked { key, ask, ticket })
    }

    /// Adds a child at run time, under the first free key.
    fn adds(&mut self, policy: Policy, ticket: Ticket) -> (Key, Vec<Action>) {
        let last = self.supervision.children.keys().next_back();
        let key = last.map_or(0, |last| last + 1);
        self.supervision.add(key, policy, 0);
        (key, self.tell(Happened::Added { key, ticket }))
    }

    /// Orders the stop of all children within this time.
    fn stop_within(&mut self, budget: Duration) -> Vec<Action> {
        let deadline = self.now + budget;
        self.tell(Happened::StopOrdered { deadline })
    }

    fn phase(&self, key: Key) -> Phase {
        self.child(key).phase.clone()
    }

    fn is_up(&self, key: Key) -> bool {
        matches!(self.phase(key), Phase::Up { .. })
    }

    /// Tells whether its specification is still there.
    fn has(&self, key: Key) -> bool {
        self.supervision.children.contains_key(&key)
    }

    fn is_running(&self) -> bool {
        self.supervision.mode == Mode::Running
    }

    /// Returns the stop under way, with its instants counted from now.
    fn stopping(&self, key: Key) -> Stopping {
        match self.phase(key) {
            Phase::Stopping(stopping) => *stopping,
            phase => panic!("{key} is {phase:?}"),
        }
    }

    /// Returns how much time from now on a stopping child has.
    fn time_left(&self, key: Key) -> Duration {
        self.stopping(key).deadline - self.now
    }
}

fn started(actions: &[Action]) -> Vec<(Key, u64)> {
    let start = |action: &Action| match action {
        Action::Start { key, incarnation } => Some((*key, *incarnation)),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

fn stopped(actions: &[Action]) -> Vec<Key> {
    let stop = |action: &Action| match action {
        Action::Stop { key, .. } => Some(*key),
        _ => None,
    };
    actions.iter().filter_map(stop).collect()
}

fn killed(actions: &[Action]) -> Vec<Key> {
    let kill = |action: &Action| match action {
        Action::Kill { key } => Some(*key),
        _ => None,
    };
    actions.iter().filter_map(kill).collect()
}

fn answers(actions: &[Action]) -> Vec<(Ticket, Result<(), Refusal>)> {
    let answer = |action: &Action| match action {
        Action::Answer { ticket, outcome } => Some((*ticket, outcome.clone())),
        _ => None,
    };
    actions.iter().filter_map(answer).collect()
}

fn reports(actions: &[Action]) -> Vec<(Key, Outcome)> {
    let report = |action: &Action| match action {
        Action::Report { key, outcome, .. } => Some((*key, outcome.clone())),
        _ => None,
    };
    actions.iter().filter_map(report).collect()
}

/// Returns with which exit the supervisor ends, if it does.
fn finished(actions: &[Action]) -> Option<Exit> {
    actions.iter().find_map(|action| match action {
        Action::Finish { exit } => Some(exit.clone()),
        _ => None,
    })
}

fn melts_down(actions: &[Action]) -> bool {
    let kind = EventKind::Meltdown;
    actions.contains(&Action::NoteSelf { kind })
}

fn is_quarantined(actions: &[Action], key: Key) -> bool {
    let kind = EventKind::Quarantined;
    actions.contains(&Action::Note { key, kind })
}

/// Returns when a child that waits for its restart comes back.
fn backs_off_until(actions: &[Action]) -> Option<Instant> {
    actions.iter().find_map(|action| match action {
        Action::Note {
            kind: EventKind::BackingOff { until, .. },
            ..
        } => Some(*until),
        _ => None,
    })
}

fn failed() -> Exit {
    Exit::Failed(ErrorChain::message("no"))
}

/// Every exit, and whether it is abnormal.
fn every_exit() -> [(Exit, bool); 8] {
    let panic = Panic {
        message: "boom".into(),
        location: None,
    };
    [
        (Exit::Normal, false),
        (Exit::Shutdown, false),
        (failed(), true),
        (Exit::Panicked(panic), true),
        (Exit::Killed, true),
        (Exit::StartTimedOut, true),
        (Exit::Meltdown, true),
        (Exit::Hung, true),
    ]
}
