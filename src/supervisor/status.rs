//! What a tree's nodes are doing now, as a reader sees it: health, metrics, probes, snapshots.

use std::time::Duration;

use tokio::time::Instant;

use crate::child::Kind;
use crate::exit::Exit;
use crate::handle::durations::HandlerDurations;
use crate::health::{Health, Need, OnFailed};
use crate::path::Path;
use crate::policy::restart::Restart;

/// What a node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// Declared; its turn to start has not come.
    Pending,
    /// Its start has begun and is not acknowledged yet.
    Starting,
    /// It is up.
    Running,
    /// It ended and waits for its next run.
    BackingOff,
    /// It has been asked to stop.
    Stopping,
    /// It ended and no restart is due.
    Down,
    /// It was restarted too often; it stays down until it is released.
    Quarantined,
    /// It neither stops nor dies; its task still lives.
    Hung,
}

impl State {
    /// Every state, in a fixed order.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Starting,
        Self::Running,
        Self::BackingOff,
        Self::Stopping,
        Self::Down,
        Self::Quarantined,
        Self::Hung,
    ];

    /// Returns the state as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::BackingOff => "backing_off",
            Self::Stopping => "stopping",
            Self::Down => "down",
            Self::Quarantined => "quarantined",
            Self::Hung => "hung",
        }
    }
}

/// One node of a tree at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Where it stands.
    pub path: Path,
    /// What it is.
    pub kind: Kind,
    /// Whether it is restarted after it ended.
    pub restart: Restart,
    /// Whether it was added while its supervisor ran.
    pub is_dynamic: bool,
    /// What it is doing.
    pub state: State,
    /// Which run of it this is, or was; 0 before the first.
    pub incarnation: u64,
    /// Since when it has been in this state.
    pub since: Instant,
    /// How often a run of it began after an earlier one, by the code of the exit before; in the order
    /// of [`Exit::CODES`]. A restart whose start fails counts too.
    pub restarts: [u64; Exit::CODES.len()],
    /// How its last run ended.
    pub last_exit: Option<Exit>,
    /// Whether that run ended without having been asked to.
    pub ended_by_itself: bool,
    /// How many messages wait for it, those held for its next run included; `None` for what has no
    /// mailbox. Exact for a worker. For an actor it covers what went through its handle: messages
    /// sent past it, by an `ActorRef`, make it read low.
    pub mailbox_depth: Option<usize>,
    /// How long ago the oldest message that waits was sent; `None` where none waits. As exact as the
    /// depth.
    pub mailbox_oldest: Option<Duration>,
    /// How many messages may wait; `None` for what has no mailbox.
    pub mailbox_capacity: Option<usize>,
    /// How many messages were accepted and never handled, in all its runs: they waited when a run
    /// ended, or were held when none could follow. The one being handled at the end does not count.
    /// As exact as the depth. For a supervisor: those of children that were removed.
    pub messages_lost: u64,
    /// How many messages came back to their senders, because the child was down or gone or its
    /// mailbox full. For a supervisor: those of children that were removed, until they were.
    pub messages_rejected: u64,
    /// How many messages were taken out to be handled, in all its runs. For a supervisor: those of
    /// children that were removed.
    pub messages_handled: u64,
    /// How long a sample of them took; `None` where none was timed yet. For a supervisor: those of
    /// children that were removed.
    pub handler_durations: Option<Box<HandlerDurations>>,
    /// When its next run begins, while it backs off.
    pub next_run: Option<Instant>,
    /// How often it gave up because its children were restarted too often; a supervisor's.
    pub meltdowns: u64,
    /// How often it left the decision to whoever is above it: because it gave up, or a child of it did
    /// and took it along.
    pub escalations: u64,
    /// How much of its intensity is used up: 1 says that the next restart is one too many. A
    /// supervisor's.
    pub intensity_used: Option<f64>,
    /// How its run is, as far as it says or a check found.
    pub health: Health,
    /// What readiness makes of it.
    pub need: Need,
    /// Whether it is up, was declared to be waited for until it is stable, and is not yet.
    pub awaits_stable: bool,
    /// In which hook its run is stuck now; `None` where it is not.
    pub stuck_in: Option<&'static str>,
    /// How often a handler of it was found stuck; for a supervisor, of what was added below it.
    pub stuck: u64,
    /// The number of its own last event: replay ignores what is not newer.
    pub last_seq: u64,
    /// Its children, in start order.
    pub children: Vec<NodeStatus>,
    /// Children that were removed, as they were at last; the newest 32, oldest first.
    pub recently_ended: Vec<NodeStatus>,
}

impl NodeStatus {
    /// Tells whether this node alone is as its declaration wants it: up, or finished well.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let exit = self.last_exit.as_ref();
        is_settled(self.state, self.restart, (exit, self.ended_by_itself))
    }

    /// Returns the total number of restarts.
    #[must_use]
    pub fn restart_count(&self) -> u64 {
        self.restarts.iter().sum()
    }

    /// Counts the children.
    #[must_use]
    pub fn count_children(&self) -> ChildCount {
        let children = self.children.iter();
        ChildCount::of(children.map(|child| (child.kind, child.state)))
    }

    /// Visits this node and all below it, parents first.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        for child in &self.children {
            child.visit(see);
        }
    }
}

/// Tells whether a node is as its declaration wants it: up, or finished well.
fn is_settled(state: State, restart: Restart, (exit, by_itself): (Option<&Exit>, bool)) -> bool {
    let is_good = match exit {
        Some(Exit::Normal) => true,
        // A supervisor whose significant children have ended. What was asked to stop is missed.
        Some(Exit::Shutdown) => by_itself,
        _ => false,
    };
    match state {
        State::Running => true,
        // A permanent child has no good end.
        State::Down => restart != Restart::Permanent && is_good,
        _ => false,
    }
}

/// What readiness needs to know of a node: cheap to read, because it is asked often.
#[derive(Debug, Clone)]
pub(crate) struct Outline {
    pub(crate) path: Path,
    pub(crate) need: Need,
    pub(crate) on_failed: OnFailed,
    pub(crate) state: State,
    pub(crate) restart: Restart,
    pub(crate) last_exit: Option<Exit>,
    pub(crate) ended_by_itself: bool,
    pub(crate) health: Health,
    /// Up, and to be missed until it is stable.
    pub(crate) awaits_stable: bool,
    /// In which hook its run is stuck.
    pub(crate) stuck_in: Option<&'static str>,
    /// Those that were declared, in start order.
    pub(crate) children: Vec<Outline>,
}

impl Outline {
    /// Tells whether this node alone is as its declaration wants it.
    pub(crate) fn is_settled(&self) -> bool {
        let exit = self.last_exit.as_ref();
        is_settled(self.state, self.restart, (exit, self.ended_by_itself))
    }

    /// Tells whether this node has finished, and with it all that was below.
    pub(crate) fn has_finished(&self) -> bool {
        self.state == State::Down && self.is_settled()
    }
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PastRun {
    /// Which run of the child it was.
    pub incarnation: u64,
    /// How it ended.
    pub exit: Exit,
    /// How long it was up; `None` where it never was, or was asked to stop.
    pub uptime: Option<Duration>,
    /// When it ended.
    pub ended: Instant,
}

/// How many children a supervisor has, as OTP counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChildCount {
    /// All children, running or not.
    pub specifications: usize,
    /// Those with a run that is starting, up or stopping; not those that hang.
    pub active: usize,
    /// Those that are supervisors.
    pub supervisors: usize,
    /// Those that are leaves.
    pub workers: usize,
}

impl ChildCount {
    /// Counts children by what they are and how.
    pub(crate) fn of(children: impl Iterator<Item = (Kind, State)>) -> Self {
        let mut count = Self::default();
        for (kind, state) in children {
            count.specifications += 1;
            let is_active = matches!(state, State::Running | State::Starting | State::Stopping);
            count.active += usize::from(is_active);
            let is_supervisor = kind == Kind::Supervisor;
            count.supervisors += usize::from(is_supervisor);
            count.workers += usize::from(!is_supervisor);
        }
        count
    }
}
