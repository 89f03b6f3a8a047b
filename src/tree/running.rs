//! The handle of a running tree.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::StartError;
use super::pulse::Pulse;
use crate::command::CommandError;
use crate::context::{News, Run, StopShare};
use crate::event::EventKind;
use crate::exit::{Exit, install_panic_hook};
use crate::path::Path;
use crate::shutdown::ShutdownReason;
use crate::shutdown::plan::MIN_KILL_GRACE;
use crate::shutdown::report::{Outcome, StopReport, Stopped};
use crate::supervisor::cell::Cell;
use crate::supervisor::spawn::{self, Root};
use crate::supervisor::{self, Door, Node, NodeKind, Supervisor, SupervisorHandle, Tree};
use crate::time::{WallClock, later};

/// A running tree. Dropping it requests shutdown; [`detach`](Self::detach) does not.
#[must_use = "dropping it shuts the tree down; `detach` lets it go on"]
pub struct Running {
    pub(super) shared: Arc<Shared>,
    /// False once detached.
    stops_on_drop: bool,
}

pub(super) struct Shared {
    pub(super) tree: Arc<Tree>,
    pub(super) root: Arc<Cell>,
    door: Arc<Door>,
    run: Arc<Run>,
    up: watch::Receiver<bool>,
    report: watch::Receiver<Option<Arc<StopReport>>>,
    /// How long a shutdown may take that nobody said a budget for.
    budget: Duration,
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
        let declared = Arc::new(self);
        if let Err(refused) = check(&declared) {
            Node(NodeKind::Supervisor(declared)).retire();
            return Err(refused);
        }
        install_panic_hook();
        if cfg!(panic = "abort") {
            tracing::warn!(
                "built with panic = \"abort\": a panic ends the process and can't be supervised"
            );
        }
        let tree = Tree::new(&declared);
        let budget = declared.shutdown_budget;
        let mut root = spawn::root(&tree, &declared);
        let (is_up, up) = watch::channel(false);
        let (published, report) = watch::channel(None);
        let shared = Shared {
            tree: Arc::clone(&tree),
            root: Arc::clone(&root.cell),
            door: Arc::clone(&declared.door),
            run: Arc::clone(&root.run),
            up,
            report,
            budget,
        };
        let pulse = Pulse::begin(&tree);
        let watched = async move {
            watch_until_over(&tree, &mut root, &is_up).await;
            root.run.reaped().await;
            retire(declared, &root.run).await;
            let report = conclude(&tree, &root.cell, &root.run);
            drop(pulse);
            published.send_replace(Some(Arc::new(report)));
        };
        tokio::spawn(watched);
        Ok(Begun {
            running: Running {
                shared: Arc::new(shared),
                stops_on_drop: true,
            },
        })
    }
}

/// Checks a declaration as a whole before anything starts.
fn check(declared: &Supervisor) -> Result<(), StartError> {
    supervisor::validate(declared)?;
    // Nothing else can make a plan impossible.
    if !declared.reserve_by_hand().is_zero() {
        declared.stop_plan(declared.shutdown_budget)?;
    }
    Ok(())
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
        let mut up = shared.up.clone();
        tokio::select! {
            biased;
            // First: a tree that was up and is over already did start.
            Ok(_up) = up.wait_for(|is_up| *is_up) => Ok(running),
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

/// Waits for the root's end, or until nothing is left of it but what hangs, and tells when it is up.
async fn watch_until_over(tree: &Tree, root: &mut Root, is_up: &watch::Sender<bool>) {
    loop {
        let news = tokio::select! {
            biased;
            // First: a root that was up and is over already was up.
            notice = root.above.notices().next() => notice.news,
            _ended = &mut root.task => return,
        };
        match news {
            News::Started => {
                root.cell.note(tree.events(), EventKind::Started);
                is_up.send_replace(true);
            }
            News::LeftHung => return,
            News::Ending | News::Over | News::StopNeed(_) | News::Extended(_) | News::Health => {}
        }
    }
}

/// Says to all handles that nothing follows, and drops the declaration: its sockets are closed when
/// the report comes.
///
/// What it holds is the user's. A drop that panics or blocks must not keep the report back, so it has
/// a task of its own, and no more time than the tree had.
async fn retire(declared: Arc<Supervisor>, run: &Run) {
    let budget = declared.shutdown_budget;
    let declared = Arc::new(Node(NodeKind::Supervisor(declared)));
    declared.retire();
    let dropping = tokio::spawn(async move { declared.bury() });
    let now = Instant::now();
    let by = match run.stop().deadline() {
        Some(told) => spawn::deadline_of_children(now, told).max(now + MIN_KILL_GRACE),
        None => later(now, budget),
    };
    if tokio::time::timeout_at(by, dropping).await.is_err() {
        tracing::error!(path = %run.path(), "what the declaration holds is not dropped yet: its drop blocks");
    }
}

/// Makes the report.
fn conclude(tree: &Tree, cell: &Cell, run: &Run) -> StopReport {
    let exit = run.exit();
    let StopShare {
        allotted,
        spent,
        children,
    } = run.take_report();
    let hung = children.iter().any(|line| line.outcome == Outcome::Hung);
    let outcome = match hung {
        true => Outcome::Hung,
        false => Outcome::Stopped,
    };
    let begun = tree.early_notice().get();
    let report = StopReport {
        reason: begun.map_or_else(|| reason_of(&exit), |shutdown| shutdown.reason),
        exit: exit.clone(),
        root: Stopped {
            path: cell.path().clone(),
            allotted,
            spent,
            outcome: outcome.clone(),
            children,
        },
    };
    let kinds = [
        EventKind::Exited {
            exit,
            uptime: tree.uptime(),
        },
        EventKind::Stopped { outcome, spent },
        EventKind::ShutdownEnded {
            report: Arc::new(report.clone()),
        },
    ];
    for kind in kinds {
        cell.note(tree.events(), kind);
    }
    tree.note_shutdown_over(hung);
    tree.early_notice().end();
    report
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
        self.shared.tree.shut_down(reason, budget);
    }

    /// Publishes something that happened to the program as a whole, at the root. A tree that has ended
    /// says nothing more.
    #[cfg(feature = "daemon")]
    pub(crate) fn announce(&self, kind: EventKind) {
        if self.shared.report.borrow().is_none() {
            self.shared.root.note(self.shared.tree.events(), kind);
        }
    }

    /// Sets how often health checks are asked that do not say it themselves; 0 is never. One that waits
    /// goes on to wait as it began.
    pub fn set_health_interval(&self, interval: Duration) {
        self.shared.tree.health_interval().set(interval);
    }

    /// Waits until somebody shuts the whole tree down.
    #[cfg(feature = "daemon")]
    pub(crate) async fn shutdown_began(&self) -> crate::shutdown::Shutdown {
        self.shared.tree.early_notice().begun().await
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
