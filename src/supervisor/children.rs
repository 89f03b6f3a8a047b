//! The children of one supervisor as its decisions see them: plain state, in start order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::in_order::InOrder;
use super::standing::Standing;
use super::{Node, NodeKind, Supervisor};
use crate::child::Kind;
use crate::policy::backoff::Backoff;
use crate::policy::intensity::{Intensity, Window};
use crate::policy::limit::OnLimit;
use crate::policy::restart::{Restart, Strategy};
use crate::policy::stop::{DEFAULT_STOP_RESERVE, OnHung, Stop};
use crate::shutdown::plan::{self, Floors, Turn};

/// A child's place in the start order; unique for the life of its supervisor.
pub(super) type Key = u64;

/// What a decision needs to know of a child's declaration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Policy {
    pub(super) restart: Restart,
    pub(super) backoff: Backoff,
    /// `None` for supervisors: their children have time limits of their own.
    pub(super) start_timeout: Option<Duration>,
    /// `None` for supervisors that take what their parent has.
    pub(super) stop_timeout: Option<Duration>,
    /// The budget of a stop outside a shutdown.
    pub(super) worst_case_stop: Duration,
    pub(super) stop_reserve: Reserve,
    pub(super) kind: Kind,
    pub(super) limit: Option<Intensity>,
    pub(super) on_limit: OnLimit,
    pub(super) is_significant: bool,
    pub(super) stop: Stop,
    pub(super) on_hung: OnHung,
    /// `None` where the backoff says it.
    pub(super) stable_after: Option<Duration>,
    /// Whether the siblings after it start only once it is stable.
    pub(super) siblings_wait: bool,
    /// Whether somebody wants to hear of it when a run is stable, the first one too.
    pub(super) tells_stable: bool,
}

/// What is kept for a child while its siblings stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reserve {
    /// Set by hand.
    Exactly(Duration),
    /// A supervisor's: what is kept for all below it.
    Below(Floors),
    /// A leaf's default, which depends on the budget.
    Default,
}

impl Policy {
    /// Computes what is kept for this child of `siblings`, which have `budget` together.
    pub(super) fn reserve(&self, budget: Duration, siblings: usize) -> Duration {
        match self.stop_reserve {
            Reserve::Exactly(reserve) => reserve,
            Reserve::Below(floors) => floors.within(budget),
            Reserve::Default => {
                let stop_timeout = self.stop_timeout.unwrap_or(budget);
                plan::leaf_reserve(None, stop_timeout, budget, siblings)
            }
        }
    }

    /// Returns what is kept for it, and for all below it, whatever the budget is.
    pub(super) fn floors(&self) -> Floors {
        match self.stop_reserve {
            Reserve::Exactly(by_hand) => Floors {
                by_hand,
                ..Floors::default()
            },
            Reserve::Below(floors) => floors,
            Reserve::Default => Floors {
                by_default: self.worst_case_stop.min(DEFAULT_STOP_RESERVE),
                ..Floors::default()
            },
        }
    }

    /// Reads the declaration of a child of `supervisor`.
    pub(super) fn of(node: &Node, supervisor: &Supervisor) -> Self {
        let restart = restart_of(node, supervisor.strategy);
        let on_limit = match supervisor.strategy.is_group() {
            true => OnLimit::Escalate,
            false => OnLimit::Quarantine,
        };
        let duty = node.duty().unwrap_or_default();
        match &node.0 {
            NodeKind::Leaf(leaf) => Self {
                restart,
                backoff: leaf
                    .treatment()
                    .backoff
                    .clone()
                    .unwrap_or_else(|| supervisor.child_backoff.clone()),
                start_timeout: Some(leaf.treatment().start_timeout),
                stop_timeout: Some(leaf.treatment().stop_timeout),
                worst_case_stop: leaf.treatment().stop_timeout,
                stop_reserve: leaf
                    .treatment()
                    .stop_reserve
                    .map_or(Reserve::Default, Reserve::Exactly),
                kind: leaf.specification.kind,
                limit: leaf.treatment().limit,
                on_limit: leaf.treatment().on_limit.unwrap_or(on_limit),
                is_significant: leaf.treatment().is_significant,
                stop: leaf.treatment().stop,
                on_hung: leaf.treatment().on_hung,
                stable_after: leaf.treatment().stable_after,
                siblings_wait: duty.siblings_wait_until_stable,
                tells_stable: leaf.treatment().stable_after.is_some()
                    || duty.siblings_wait_until_stable
                    || duty.unready_until_stable,
            },
            NodeKind::Supervisor(below) => Self {
                restart,
                backoff: below
                    .own_backoff
                    .clone()
                    .unwrap_or_else(|| supervisor.child_backoff.clone()),
                start_timeout: None,
                stop_timeout: below.stop_timeout,
                worst_case_stop: below.worst_case_stop(),
                stop_reserve: Reserve::Below(node.floors()),
                kind: Kind::Supervisor,
                limit: below.own_limit,
                on_limit: below.own_on_limit.unwrap_or(on_limit),
                is_significant: below.is_significant,
                stop: Stop::Ask,
                on_hung: OnHung::Report,
                stable_after: None,
                siblings_wait: false,
                tells_stable: false,
            },
        }
    }

    /// Returns for how long a run has to be up and well so that it is stable.
    pub(super) fn stable_after(&self) -> Duration {
        self.stable_after
            .unwrap_or_else(|| self.backoff.resets_after())
    }

    /// Tells whether a kill can end it: a supervisor is never killed, a thread can't be.
    pub(super) fn can_be_killed(&self) -> bool {
        !matches!(self.kind, Kind::Supervisor | Kind::Blocking)
    }
}

/// Decides the restart type of a node that may not say one.
pub(super) fn restart_of(node: &Node, strategy: Strategy) -> Restart {
    let (set, kind) = match &node.0 {
        NodeKind::Leaf(leaf) => (leaf.treatment().restart, leaf.specification.kind),
        NodeKind::Supervisor(below) => (below.restart, Kind::Supervisor),
    };
    set.unwrap_or(match (strategy, kind) {
        (Strategy::Dynamic, _) => Restart::Temporary,
        (_, Kind::Step) => Restart::Transient,
        _ => Restart::Permanent,
    })
}

/// Where a child is in its life.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Its turn to start has not come.
    Pending,
    /// Its task runs; its start is not acknowledged.
    Starting,
    /// Up since then.
    Up { since: Instant },
    /// Up since then, and over; but a subtask of it still runs.
    Ending { since: Instant },
    /// Ended; its next run begins then.
    BackingOff { until: Instant },
    /// Killed because its start took too long; its task has not ended yet.
    StartTimedOut,
    /// Asked to stop.
    Stopping(Box<Stopping>),
    /// Ended; nothing is due.
    Down,
    /// Ended; restarted too often, it stays down until it is released.
    Quarantined,
    /// Neither stopped nor died; its task may still end.
    Hung { then: Then },
}

/// A stop under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stopping {
    pub(super) asked: Instant,
    /// By when it must be over.
    pub(super) deadline: Instant,
    /// To when the child may put that off.
    pub(super) latest: Instant,
    /// What it was allotted by, if its turn in a shutdown has come.
    pub(super) turn: Option<Turn>,
    /// When a drain becomes a stop.
    pub(super) drain_until: Option<Instant>,
    /// When it is killed; `None` once it has been, and for what can't be.
    pub(super) kill_at: Option<Instant>,
}

/// What follows when the task of a hung child ends after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It is restarted by its type.
    RestartByType,
    /// The same; but because its stop was asked for, its end for good is nobody else's end.
    RestartAfterStop,
    /// It stays down: somebody had asked for that.
    StayDown,
}

/// What somebody waits for, under which ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A start by hand. If it fails the child stays down, or is removed again if it was added.
    Start(Ticket),
    /// A stop by hand.
    Stop(Ticket),
    /// A stop by hand, then a start.
    Restart(Ticket),
}

/// Whom to answer.
pub(super) type Ticket = u64;

/// One child.
#[derive(Debug, Clone)]
pub(super) struct ChildState {
    /// Shared by those that were declared alike.
    pub(super) policy: Arc<Policy>,
    pub(super) phase: Phase,
    pub(super) incarnation: u64,
    /// Restarts in a row without a good run between them.
    pub(super) attempt: u32,
    /// The restarts that its own limit counts.
    pub(super) window: Option<Box<Window>>,
    /// Since when it is without a run, or its run is well.
    pub(super) standing: Standing,
    /// Whether a timer is armed for the moment at which its run is stable.
    pub(super) is_stable_due: bool,
    /// Started, or being started, by the group restart under way.
    pub(super) is_fresh: bool,
    pub(super) awaited: Option<Awaited>,
    /// Added at run time, and its first start not acknowledged yet.
    pub(super) is_provisional: bool,
}

impl ChildState {
    pub(super) fn new(policy: Arc<Policy>, incarnation: u64) -> Self {
        Self {
            window: policy.limit.map(Window::new).map(Box::new),
            policy,
            phase: Phase::Pending,
            incarnation,
            attempt: 0,
            standing: Standing::New,
            is_stable_due: false,
            is_fresh: false,
            awaited: None,
            is_provisional: false,
        }
    }

    /// Tells whether its task runs, as far as the supervisor still waits for it.
    pub(super) fn is_alive(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting
                | Phase::Up { .. }
                | Phase::Ending { .. }
                | Phase::StartTimedOut
                | Phase::Stopping(_)
        )
    }

    /// Its run is over, or hangs: the restarts in a row are forgotten if it was stable.
    pub(super) fn end_run(&mut self, now: Instant) {
        if self.standing.end(now, self.policy.stable_after()) {
            self.attempt = 0;
        }
    }

    /// Returns when somebody is to be told that its run is stable, as far as that is known now.
    pub(super) fn tells_stable_at(&self) -> Option<Instant> {
        let is_told = self.attempt > 0 || self.policy.tells_stable;
        let at = self.standing.stable_at(self.policy.stable_after());
        at.filter(|_| is_told)
    }

    /// Tells whether it is down and nothing but a command brings it back.
    pub(super) fn has_ended_for_good(&self) -> bool {
        self.phase == Phase::Down
    }
}

/// The children in start order.
pub(super) type Children = InOrder<ChildState>;
