//! What a running tree tells whoever asks: snapshots, single nodes, their past, events, counts.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Running;
use crate::bus::subscriber::Subscriber;
use crate::bus::{BusStatistics, Start};
use crate::event::{EventFilter, SubsystemEvent};
use crate::path::Path;
use crate::shutdown::Shutdown;
use crate::supervisor::ShutdownProgress;
use crate::supervisor::status::{ChildCount, NodeStatus, PastRun};

/// A whole tree at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// The number of the last event before the reading began: replay starts after it, ignoring for
    /// each node what is not newer than its own `last_seq`.
    pub from_seq: u64,
    /// When it was read.
    pub at: Instant,
    /// The shutdown, once it has begun.
    pub shutdown: Option<Shutdown>,
    /// The root and everything below it.
    pub root: NodeStatus,
    /// How many runs have begun since the tree began.
    pub runs_begun: u64,
    /// How many of them their supervisors killed, each once: at a stop that took too long or was brutal, or
    /// because they did not start in time. One that was ended as stuck, or as not well, has failed; a thread
    /// can't be killed.
    pub runs_killed: u64,
    /// How far the shutdown is, once it has begun.
    pub shutdown_progress: Option<ShutdownProgress>,
}

/// One node, closely.
#[cfg(feature = "daemon")]
#[derive(Debug)]
pub(crate) struct Level {
    /// The node; of its children some, and none of theirs.
    pub(crate) node: NodeStatus,
    /// All of its children.
    pub(crate) children: ChildCount,
    /// Its runs that have ended, the newest first.
    pub(crate) history: Vec<PastRun>,
}

impl Running {
    /// Reads the whole tree.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        // Read first: an event published while the nodes are read is replayed, never missed.
        let from_seq = self.shared.tree.events().last_seq();
        let (runs_begun, runs_killed) = self.shared.tree.run_counts();
        Snapshot {
            from_seq,
            at: Instant::now(),
            shutdown: self.shared.tree.early_notice().get(),
            root: self.shared.root.read(),
            runs_begun,
            runs_killed,
            shutdown_progress: self.shared.tree.shutdown_progress(),
        }
    }

    /// Returns the runs of the node at `path` that have ended, the newest first: the last 16. `None`
    /// when there is no such node.
    #[must_use]
    pub fn history(&self, path: &str) -> Option<Vec<PastRun>> {
        Some(self.shared.root.find(path)?.history())
    }

    /// Reads the node at `path` and everything below it; `None` when there is no such node.
    #[must_use]
    pub fn node_status(&self, path: &str) -> Option<NodeStatus> {
        Some(self.shared.root.find(path)?.read())
    }

    /// Reads the node at `path` with its past, and `most` of its children without what is below them;
    /// `None` when there is no such node.
    #[cfg(feature = "daemon")]
    pub(crate) fn level(&self, path: &str, most: usize) -> Option<Level> {
        let cell = self.shared.root.find(path)?;
        let (node, children) = cell.read_level(most);
        Some(Level {
            node,
            children,
            history: cell.history(),
        })
    }

    /// Returns the children of the supervisor at `path`, in start order; `None` when there is no
    /// such node.
    #[must_use]
    pub fn which_children(&self, path: &str) -> Option<Vec<NodeStatus>> {
        Some(self.shared.root.find(path)?.read().children)
    }

    /// Counts the children of the supervisor at `path`; `None` when there is no such node.
    #[must_use]
    pub fn count_children(&self, path: &str) -> Option<ChildCount> {
        Some(self.shared.root.find(path)?.read().count_children())
    }

    /// Subscribes to everything that happens from now on.
    #[must_use]
    pub fn subscribe(&self, name: impl Into<Arc<str>>) -> Subscriber<SubsystemEvent> {
        self.shared.tree.events().subscribe(name)
    }

    /// Subscribes to everything from `start` on, as far as it is kept: the last 4 096 events, unless
    /// [`bus_capacity`](crate::supervisor::Supervisor::bus_capacity) says otherwise.
    ///
    /// After a [`snapshot`](Self::snapshot): `Start::Seq(snapshot.from_seq + 1)`.
    #[must_use]
    pub fn subscribe_from(
        &self,
        name: impl Into<Arc<str>>,
        start: Start,
    ) -> Subscriber<SubsystemEvent> {
        self.shared.tree.events().subscribe_from(name, start)
    }

    /// Subscribes to what `filter` wants, from `start` on. The subscriber is not woken for the rest.
    #[must_use]
    pub fn subscribe_where(
        &self,
        name: impl Into<Arc<str>>,
        start: Start,
        filter: EventFilter,
    ) -> Subscriber<SubsystemEvent> {
        let wants = move |event: &SubsystemEvent| filter.wants(event);
        self.shared
            .tree
            .events()
            .subscribe_where(name, start, wants)
    }

    /// Counts what was published and how far each subscriber is behind.
    #[must_use]
    pub fn bus_statistics(&self) -> BusStatistics {
        self.shared.tree.events().statistics()
    }

    /// Takes the restart latencies since the last call: which child, and how long it was down.
    ///
    /// At most 16 384 are kept between two calls, the newest; the second value says how many were
    /// not. One reader: two would each see a part.
    #[must_use]
    pub fn take_restart_latencies(&self) -> (Vec<(Path, Duration)>, u64) {
        self.shared.tree.take_latencies()
    }
}
