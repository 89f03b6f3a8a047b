//! What happens in a tree, as data.
//!
//! Every change of a node's state is published once, in the order in which the tree made it. Events
//! inform; nothing in the tree depends on anybody reading them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::bus::{Bus, Pushed};
use crate::exit::Exit;
use crate::health::Health;
use crate::path::Path;
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::{Outcome, StopReport};

/// One thing that happened to one node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct SubsystemEvent {
    /// The number of the event: 1, 2, 3 … without a hole.
    pub seq: u64,
    /// When it happened, on the tree's clock.
    pub at: Instant,
    /// To which node.
    pub path: Path,
    /// To which run of it; 0 before its first.
    pub incarnation: u64,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A run begins: its factory is about to be called.
    Starting,
    /// The run is up: its start was acknowledged.
    Started,
    /// The run ended, after it had been up for `uptime`.
    Exited {
        /// Why.
        exit: Exit,
        /// How long it had been up.
        uptime: Duration,
    },
    /// The run ended before its start was acknowledged.
    StartFailed {
        /// Why.
        exit: Exit,
    },
    /// The child waits before its next run.
    BackingOff {
        /// When that run begins.
        until: Instant,
        /// Which restart in a row this is, counted from 1.
        attempt: u32,
    },
    /// A run that replaces an ended one is up. Follows `Started`. Not for a child that begins with a
    /// new run of its supervisor, nor for one that was down and was started by hand.
    Restarted {
        /// How long the child was down, the backoff included.
        latency: Duration,
    },
    /// The run has been up and well for long enough: its restarts in a row are forgotten. Told once for each
    /// run that follows a failure, and for each of a child that was declared to be waited for.
    Stable {
        /// How long it has been up.
        uptime: Duration,
        /// How many restarts in a row are forgotten.
        attempts: u32,
    },
    /// A handler of the run does not come to its end. Told once; the run goes on unless its child was
    /// declared to be restarted by that.
    Stuck {
        /// Which: `handle`, `post_start`, `handle_supervisor_evt` or `post_stop` of an actor, `message` of a
        /// worker, `alive` of what says that it makes progress.
        hook: &'static str,
        /// For how long by now.
        lasted: Duration,
        /// Whether it holds a thread: it blocks or computes, and does not await.
        is_blocking: bool,
    },
    /// The supervisor gives up: its children were restarted more often than its intensity allows.
    Meltdown,
    /// The child was restarted too often: it stays down until it is released.
    Quarantined,
    /// The child was asked to stop.
    StopRequested {
        /// By when it must have.
        deadline: Instant,
    },
    /// A stop that was asked for is over.
    Stopped {
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        spent: Duration,
    },
    /// The shutdown of the whole tree has begun. The path is the root's.
    ShutdownBegan {
        /// Why.
        reason: ShutdownReason,
        /// By when the tree has ended.
        deadline: Instant,
    },
    /// Another configuration is in force. The path is the root's.
    ConfigUpdated {
        /// Its version, counted from 1.
        version: u64,
        /// The dotted keys that differ.
        keys: Arc<[String]>,
        /// Those among them that do nothing before a restart.
        needs_restart: Arc<[String]>,
    },
    /// A configuration was refused, and the one before it stays in force. The path is the root's.
    ConfigRejected {
        /// Why, a problem a line.
        reason: Arc<str>,
    },
    /// The process uses more than it should. The path is the root's.
    LimitReached {
        /// Of what, how much, and what the limit is.
        excess: Arc<str>,
        /// Whether the program shuts down for that.
        is_hard: bool,
    },
    /// The child says, or a check found, that it is doing better or worse. The path is the child's.
    HealthChanged {
        /// How it is now.
        health: Health,
    },
    /// The whole tree has ended. The path is the root's; nothing follows.
    ShutdownEnded {
        /// Who spent the time; what [`Running::wait`](crate::tree::Running::wait) returns.
        report: Arc<StopReport>,
    },
}

impl EventKind {
    /// Every code that [`EventKind::code`] can return, in a fixed order.
    pub const CODES: [&'static str; 18] = [
        "starting",
        "started",
        "exited",
        "start_failed",
        "backing_off",
        "restarted",
        "meltdown",
        "quarantined",
        "stop_requested",
        "stopped",
        "shutdown_began",
        "shutdown_ended",
        "config_updated",
        "config_rejected",
        "limit_reached",
        "health_changed",
        "stuck",
        "stable",
    ];

    /// Returns the kind as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Exited { .. } => "exited",
            Self::StartFailed { .. } => "start_failed",
            Self::BackingOff { .. } => "backing_off",
            Self::Restarted { .. } => "restarted",
            Self::Meltdown => "meltdown",
            Self::Quarantined => "quarantined",
            Self::StopRequested { .. } => "stop_requested",
            Self::Stopped { .. } => "stopped",
            Self::ShutdownBegan { .. } => "shutdown_began",
            Self::ShutdownEnded { .. } => "shutdown_ended",
            Self::ConfigUpdated { .. } => "config_updated",
            Self::ConfigRejected { .. } => "config_rejected",
            Self::LimitReached { .. } => "limit_reached",
            Self::HealthChanged { .. } => "health_changed",
            Self::Stuck { .. } => "stuck",
            Self::Stable { .. } => "stable",
        }
    }
}

/// Which events a subscriber wants: of the nodes at or below some paths, of some kinds.
///
/// Each part that is not set lets everything through.
///
/// ```
/// # use perennial::event::EventFilter;
/// let failures = EventFilter::new().below("/app/pipeline").kind("exited").kind("start_failed");
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct EventFilter {
    paths: Vec<String>,
    kinds: Vec<String>,
}

impl EventFilter {
    /// Makes a filter that wants everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wants the events of the node at `path` and of all below it; set again, of those too.
    pub fn below(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Wants the kind with this [`code`](EventKind::code); set again, that too.
    pub fn kind(mut self, code: impl Into<String>) -> Self {
        self.kinds.push(code.into());
        self
    }

    /// Whether it wants this event.
    #[must_use]
    pub fn wants(&self, event: &SubsystemEvent) -> bool {
        let code = event.kind.code();
        (self.paths.is_empty()
            || self
                .paths
                .iter()
                .any(|path| event.path.is_at_or_below(path)))
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == code))
    }
}

/// The tree's own bus.
pub(crate) type Events = Bus<SubsystemEvent>;

/// Publishes what happened to a node, for its subscribers to be told of when no lock is held any more,
/// and returns the event's instant.
pub(crate) fn push<'a>(
    events: &'a Events,
    path: &Path,
    incarnation: u64,
    kind: EventKind,
) -> (Pushed<'a, SubsystemEvent>, Instant) {
    let mut happened = None;
    let pushed = events.push_with(|seq| SubsystemEvent {
        seq,
        // Read while the bus is held, so that it rises with `seq`.
        at: *happened.insert(Instant::now()),
        path: path.clone(),
        incarnation,
        kind,
    });
    (pushed, happened.unwrap_or_else(Instant::now))
}
