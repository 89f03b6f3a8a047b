//! The handle of a running tree.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::command::CommandError;
use crate::context::Run;
#[cfg(feature = "daemon")]
use crate::event::EventKind;
use crate::path::Path;
use crate::shutdown::ShutdownReason;
use crate::shutdown::guard::ShutdownHandle;
use crate::shutdown::report::StopReport;
#[cfg(feature = "daemon")]
use crate::supervisor::Leaving;
use crate::supervisor::cell::Cell;
#[cfg(feature = "daemon")]
use crate::supervisor::status::State;
use crate::supervisor::{Door, SupervisorHandle, Tree};
use crate::time::WallClock;

/// Between two attempts to reach a root that takes no commands: short beside any watchdog's interval.
#[cfg(feature = "daemon")]
const PING_PAUSE: Duration = Duration::from_millis(10);

/// A running tree. Dropping it requests shutdown; [`detach`](Self::detach) does not.
#[must_use = "dropping it shuts the tree down; `detach` lets it go on"]
pub struct Running {
    pub(super) shared: Arc<Shared>,
    /// False once detached.
    pub(super) stops_on_drop: bool,
}

pub(super) struct Shared {
    pub(super) tree: Arc<Tree>,
    pub(super) root: Arc<Cell>,
    pub(super) door: Arc<Door>,
    pub(super) run: Arc<Run>,
    pub(super) up: watch::Receiver<bool>,
    pub(super) report: watch::Receiver<Option<Arc<StopReport>>>,
    pub(super) settled: watch::Receiver<bool>,
    /// How long a shutdown may take that nobody said a budget for.
    pub(super) budget: Duration,
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
        self.shared.tree.shut_down(reason, budget);
    }

    /// Tells the edges of a shutdown that has begun, if one has, and lets timers go off in time although threads
    /// are blocked. The log is told on a thread where that may block.
    #[cfg(feature = "daemon")]
    pub(crate) fn tell_outside(&self) {
        let tree = &self.shared.tree;
        tree.tell_outside();
        if tree.has_unsaid() {
            let tree = Arc::clone(tree);
            drop(tokio::task::spawn_blocking(move || {
                tree.say_what_is_unsaid()
            }));
        }
    }

    /// Returns what tells work outside of the tree of its shutdown, and lets it hold the end.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle::new(self.shared.tree.early_notice())
    }

    /// Publishes something that happened to the program as a whole, at the root. A tree that has ended
    /// says nothing more.
    #[cfg(feature = "daemon")]
    pub(crate) fn announce(&self, kind: EventKind) {
        self.shared.root.note(self.shared.tree.events(), kind);
    }

    /// Sets how often health checks are asked that do not say it themselves; 0 is never. One that waits
    /// goes on to wait as it began.
    pub fn set_health_interval(&self, interval: Duration) {
        self.shared.tree.health_interval().set(interval);
    }

    /// Waits until somebody shuts the whole tree down. For the edges.
    #[cfg(feature = "daemon")]
    pub(crate) async fn shutdown_began(&self) -> crate::shutdown::Shutdown {
        self.shared.tree.early_notice().begun_outside().await
    }

    /// Tells whether the whole tree is up: the root's own state says so, which readiness goes by as well.
    #[cfg(feature = "daemon")]
    pub(crate) fn is_up(&self) -> bool {
        self.shared.root.kind_and_state().1 == State::Running
    }

    /// Waits until the root begins to end by itself, which nobody asked for.
    #[cfg(feature = "daemon")]
    pub(crate) async fn leaves(&self) -> Leaving {
        self.shared.tree.leaves().await
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

    /// Waits until the root's loop answers. A root that has ended for good answers at once: nothing is
    /// expected of it any more. One that takes no commands yet, or between two runs, is asked again.
    #[cfg(feature = "daemon")]
    pub(crate) async fn ping(&self) {
        let root = SupervisorHandle::new(&self.shared.door);
        while self.shared.report.borrow().is_none() && !root.ping().await {
            tokio::time::sleep(PING_PAUSE).await;
        }
    }

    /// Waits until also what hung when the tree ended has ended, which may be never.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn settled(&self) {
        let mut settled = self.shared.settled.clone();
        if settled.wait_for(|settled| *settled).await.is_err() {
            // The runtime is going down and took the watching task with it.
            std::future::pending::<()>().await;
        }
    }

    /// Returns a handle to the supervisor at `path`; `None` when there is none.
    #[must_use]
    pub fn supervisor(&self, path: &str) -> Option<SupervisorHandle> {
        let root = &self.shared.root;
        let door = match root.path() == path {
            true => Arc::clone(&self.shared.door),
            false => root.find_door(path)?,
        };
        Some(SupervisorHandle::new(&door))
    }

    /// Stops the child at `path`: see [`SupervisorHandle::stop_child`].
    ///
    /// # Errors
    ///
    /// [`CommandError`]; the root is nobody's child and is [`shutdown`](Self::shutdown) instead.
    pub async fn stop_child(&self, path: &str) -> Result<(), CommandError> {
        let (supervisor, name) = self.parent_of(path)?;
        supervisor.stop_child(name).await
    }

    /// Stops and starts the child at `path`: see [`SupervisorHandle::restart_child`].
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub async fn restart_child(&self, path: &str) -> Result<(), CommandError> {
        let (supervisor, name) = self.parent_of(path)?;
        supervisor.restart_child(name).await
    }

    /// Removes the child at `path`: see [`SupervisorHandle::delete_child`].
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub async fn delete_child(&self, path: &str) -> Result<(), CommandError> {
        let (supervisor, name) = self.parent_of(path)?;
        supervisor.delete_child(name).await
    }

    /// Releases the quarantined child at `path`: see [`SupervisorHandle::release`].
    ///
    /// # Errors
    ///
    /// [`CommandError`].
    pub async fn release(&self, path: &str) -> Result<(), CommandError> {
        let (supervisor, name) = self.parent_of(path)?;
        supervisor.release(name).await
    }

    fn parent_of<'a>(&self, path: &'a str) -> Result<(SupervisorHandle, &'a str), CommandError> {
        let not_found = || CommandError::NotFound {
            path: path.to_owned(),
        };
        let (parent, name) = path.rsplit_once('/').ok_or_else(not_found)?;
        let supervisor = self.supervisor(parent).ok_or_else(not_found)?;
        Ok((supervisor, name))
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

    /// Finds the node at `path`.
    #[cfg(feature = "testkit")]
    pub(crate) fn node(&self, path: &str) -> Option<Arc<Cell>> {
        self.shared.root.find(path)
    }

    /// Makes another handle to the same tree; dropping it does nothing.
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
            self.shutdown(ShutdownReason::Requested, self.shared.budget);
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
