//! The handle of a running tree.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::StartError;
use crate::bus::BusStatistics;
use crate::bus::subscriber::Subscriber;
use crate::event::{EventKind, SubsystemEvent};
use crate::exit::{Exit, install_panic_hook};
use crate::path::Path;
use crate::shutdown::report::{Outcome, StopReport, Stopped};
use crate::shutdown::{DEFAULT_SHUTDOWN_BUDGET, Shutdown, ShutdownReason};
use crate::supervisor::status::{Cell, NodeStatus, State};
use crate::supervisor::{self, Node, NodeKind, Supervisor, Tree};
use crate::time::WallClock;

/// A running tree. Dropping it requests shutdown; [`detach`](Self::detach) does not.
pub struct Running {
    shared: Arc<Shared>,
    /// False once detached.
    stops_on_drop: bool,
}

struct Shared {
    tree: Arc<Tree>,
    root: Arc<Cell>,
    run: Arc<crate::context::Run>,
    report: watch::Receiver<Option<Arc<StopReport>>>,
}

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
}

/// How many children a supervisor has, as OTP counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChildCount {
    /// All children, running or not.
    pub specifications: usize,
    /// Those with a run that is up or starting.
    pub active: usize,
    /// Those that are supervisors.
    pub supervisors: usize,
    /// Those that are leaves.
    pub workers: usize,
}

impl Supervisor {
    /// Validates the tree, starts it in order, and returns once every child's start was
    /// acknowledged.
    ///
    /// For a program with a tokio runtime of its own: no signals, files or ports are touched.
    ///
    /// # Errors
    ///
    /// [`StartError`]; what had started by then has been stopped in reverse order.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime with timers.
    pub async fn start(self) -> Result<Running, StartError> {
        self.begin()?.wait_until_up().await
    }

    /// Validates the tree and begins to start it. The start goes on in the background.
    pub(crate) fn begin(self) -> Result<Begun, StartError> {
        supervisor::validate(&self)?;
        install_panic_hook();
        let tree = Tree::new(self.seed);
        let declared = Arc::new(self);
        let root = supervisor::spawn::root(&tree, &declared);
        let (published, report) = watch::channel(None);
        let shared = Shared {
            tree: Arc::clone(&tree),
            root: Arc::clone(&root.cell),
            run: Arc::clone(&root.run),
            report,
        };
        let watched = watch_root(tree, declared, root, published);
        tokio::spawn(watched);
        Ok(Begun {
            running: Running {
                shared: Arc::new(shared),
                stops_on_drop: true,
            },
        })
    }
}

/// A tree whose start has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    running: Running,
}

impl Begun {
    #[cfg(feature = "daemon")]
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Waits until the tree is up or its start has failed.
    pub(crate) async fn wait_until_up(self) -> Result<Running, StartError> {
        let running = self.running;
        let shared = Arc::clone(&running.shared);
        tokio::select! {
            biased;
            // First: a tree that was up and is over already did start.
            () = shared.tree.up() => {
                shared.root.note(shared.tree.events(), EventKind::Started);
                Ok(running)
            }
            _report = running.wait() => Err(shared.start_error()),
        }
    }
}

impl Shared {
    fn start_error(&self) -> StartError {
        match self.run.take_start_failure() {
            Some(failure) => StartError::Failed {
                path: failure.path,
                exit: failure.exit,
            },
            None => StartError::ShutDown,
        }
    }
}

/// Waits for the root's end and makes the report.
async fn watch_root(
    tree: Arc<Tree>,
    declared: Arc<Supervisor>,
    root: supervisor::spawn::Root,
    published: watch::Sender<Option<Arc<StopReport>>>,
) {
    root.end.await;
    let exit = root.run.exit();
    let node = Node(NodeKind::Supervisor(declared));
    node.retire();
    let share = root.run.take_report();
    let hung = share
        .children
        .iter()
        .any(|line| line.outcome == Outcome::Hung);
    let begun = tree.early_notice().get();
    let reason = begun.map_or_else(|| reason_of(&exit), |shutdown| shutdown.reason);
    let spent = share.spent;
    let outcome = if hung {
        Outcome::Hung
    } else {
        Outcome::Stopped
    };
    let line = Stopped {
        path: root.cell.path().clone(),
        allotted: share.allotted,
        spent,
        outcome: outcome.clone(),
        children: share.children,
    };
    root.cell.note(
        tree.events(),
        EventKind::Exited {
            exit: exit.clone(),
            uptime: tree.uptime(),
        },
    );
    root.cell
        .note(tree.events(), EventKind::Stopped { outcome, spent });
    root.cell.note(tree.events(), EventKind::ShutdownEnded);
    let report = StopReport {
        reason,
        exit,
        root: line,
    };
    published.send_replace(Some(Arc::new(report)));
}

fn reason_of(exit: &Exit) -> ShutdownReason {
    match exit {
        Exit::Normal | Exit::Shutdown => ShutdownReason::Completed,
        Exit::Meltdown => ShutdownReason::Meltdown,
        _ => ShutdownReason::Error,
    }
}

impl Running {
    /// Shuts the tree down within `budget` and waits for its report.
    pub async fn stop(self, budget: Duration) -> StopReport {
        self.shutdown(ShutdownReason::Requested, budget);
        self.wait().await
    }

    /// Begins the shutdown; the tree has ended, or names what hangs, `budget` from now.
    ///
    /// Called again it moves the deadline to an earlier instant, never to a later one. A tree that
    /// has ended is left as it is.
    pub fn shutdown(&self, reason: ShutdownReason, budget: Duration) {
        if self.shared.report.borrow().is_some() {
            return;
        }
        let deadline = Instant::now() + budget;
        let shared = &self.shared;
        if shared
            .tree
            .early_notice()
            .announce(Shutdown { reason, deadline })
        {
            let kind = EventKind::ShutdownBegan { reason, deadline };
            shared.root.note(shared.tree.events(), kind);
            tracing::info!(path = %shared.root.path(), %reason, ?budget, "shutdown began");
        }
        shared.run.stop().request(deadline);
    }

    /// Waits until the tree has ended, by a shutdown or by itself, and returns its report.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; the report is kept.
    pub async fn wait(&self) -> StopReport {
        let mut report = self.shared.report.clone();
        loop {
            if let Some(report) = &*report.borrow_and_update() {
                return StopReport::clone(report);
            }
            if report.changed().await.is_err() {
                // The runtime is going down and took the watching task with it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Reads the whole tree.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        // Read first: an event published while the nodes are read is replayed, never missed.
        let from_seq = self.shared.tree.events().last_seq();
        Snapshot {
            from_seq,
            at: Instant::now(),
            shutdown: self.shared.tree.early_notice().get(),
            root: self.shared.root.read(),
        }
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
        let children = self.which_children(path)?;
        let mut count = ChildCount {
            specifications: children.len(),
            ..ChildCount::default()
        };
        for child in &children {
            let active = matches!(
                child.state,
                State::Running | State::Starting | State::Stopping | State::Hung
            );
            count.active += usize::from(active);
            let is_supervisor = child.kind == crate::child::Kind::Supervisor;
            count.supervisors += usize::from(is_supervisor);
            count.workers += usize::from(!is_supervisor);
        }
        Some(count)
    }

    /// Subscribes to everything that happens from now on.
    #[must_use]
    pub fn subscribe(&self, name: impl Into<Arc<str>>) -> Subscriber<SubsystemEvent> {
        self.shared.tree.events().subscribe(name)
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

    /// Returns the root's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.root.path()
    }

    /// Returns the clock that translates the tree's instants into the time of day.
    #[must_use]
    pub fn wall_clock(&self) -> WallClock {
        self.shared.tree.wall_clock()
    }

    /// Makes another handle to the same tree; dropping it does nothing.
    #[must_use]
    pub fn observer(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            stops_on_drop: false,
        }
    }

    /// Lets the tree go on when this handle is dropped.
    pub fn detach(mut self) {
        self.stops_on_drop = false;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.stops_on_drop {
            self.shutdown(ShutdownReason::Requested, DEFAULT_SHUTDOWN_BUDGET);
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("path", self.path())
            .finish_non_exhaustive()
    }
}
