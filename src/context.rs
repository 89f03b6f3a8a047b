//! What one run of a child is given: who it is, when it must end, and a place for its subtasks.
//!
//! A [`Context`] belongs to one incarnation. It holds no mailbox and no supervisor: everything it
//! says is read from the run's own state, so that it answers in the middle of a long handler.
//!
//! # Invariants
//!
//! 1. The first exit that is recorded for a run is the one that counts.
//! 2. A subtask ends before its incarnation counts as ended.

mod activity;
mod current;
mod fault;
mod inside;
mod notices;
mod on_thread;
mod reporter;
mod run;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::activity::{Hook, Mark};
pub(crate) use self::current::{within_blocking, within_task};
#[cfg(feature = "testkit")]
pub(crate) use self::fault::Fault;
pub(crate) use self::fault::breakable;
pub(crate) use self::inside::Inside;
pub(crate) use self::notices::{News, Notice, Notices, give_way};
pub use self::reporter::HealthReporter;
pub(crate) use self::run::{Above, Identity, LastAct, Run, StartFailure, StopShare};
use crate::path::Path;
use crate::shutdown::Shutdown;
use crate::shutdown::guard::ShutdownHandle;

/// What one run of a child is given. Clones speak of the same run.
#[derive(Clone)]
pub struct Context {
    run: Arc<Run>,
}

impl Context {
    pub(crate) fn new(run: &Arc<Run>) -> Self {
        Self {
            run: Arc::clone(run),
        }
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Returns the context of the run that the caller belongs to; `None` outside of every child.
    ///
    /// Known in every hook of an actor, in the body of a task, worker, step or blocking child, in its
    /// factory, in what [`spawn`](Self::spawn) started, and in the drop of all these. Not known in
    /// what was started by other means, such as `tokio::spawn`: clone the context into it.
    #[must_use]
    pub fn current() -> Option<Self> {
        current::current().map(|run| Self { run })
    }

    /// Returns where in the tree the child stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.run.path()
    }

    /// Returns which run of the child this is, counted from 1.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.run.incarnation()
    }

    /// Waits until this child's turn to stop has come, and returns the instant by which it must
    /// have ended.
    ///
    /// A child that drains first is asked to stop only if it has not ended by itself;
    /// [`is_stopping`](Self::is_stopping) and [`time_left`](Self::time_left) already answer.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; a later call returns at once.
    pub async fn shutdown(&self) -> Instant {
        self.run.stop().requested().await
    }

    /// Waits until the whole tree's shutdown has begun; this child's own turn may come later.
    ///
    /// The moment to close the doors: refuse new work, but go on serving what others still need.
    pub async fn shutdown_began(&self) -> Shutdown {
        self.run.early_notice().begun().await
    }

    /// Returns what tells work outside of the tree of its shutdown, and lets it hold the end.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle::new(self.run.early_notice())
    }

    /// Tells whether this child has been asked to stop, or only to finish what it has accepted.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.run.stop().deadline().is_some()
    }

    /// Returns how much time is left to stop; `None` before a stop or a drain was asked for.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.run.stop().deadline()?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Asks for more time to stop, and returns by when this child must have ended now; `None` before
    /// a stop was asked for.
    ///
    /// Granted at once: the deadline so far and `by`, but no more than the parent has left after what
    /// is reserved for the siblings still to stop. A child that is being killed is granted nothing.
    pub fn extend(&self, by: Duration) -> Option<Instant> {
        self.run.extend(by)
    }

    /// Says that this run is up. Needed only by a child declared with `explicit_ready()`.
    ///
    /// Further calls do nothing.
    pub fn ready(&self) {
        self.run.acknowledge();
    }

    /// Returns where this run says how it is.
    pub fn health(&self) -> HealthReporter {
        HealthReporter::of(&self.run)
    }

    /// Says that this child makes progress.
    ///
    /// A task, step or thread that has said so once counts as stuck when it does not say so again within
    /// [`stuck_after`](crate::child::Child::stuck_after); one that never does is not watched. In a handler
    /// that takes long on purpose it begins the time anew.
    pub fn alive(&self) {
        self.run.activity().set_alive();
    }

    /// Runs a subtask that ends with this run.
    ///
    /// It is dropped at an await when the child's own body has ended, and a new run begins only
    /// after that. A panic in it fails the child. After the run has ended the future is dropped
    /// without having run.
    pub fn spawn(&self, subtask: impl Future<Output = ()> + Send + 'static) {
        self.run.spawn_subtask(subtask);
    }

    /// Waits on a thread of its own (a `blocking` child) for at most `timeout`; `true` says that the
    /// child has been asked to stop.
    ///
    /// The time is the thread's own: it goes on while all threads of the runtime are blocked, and while the
    /// clock of a test is paused. To unpark the thread does not end it: what there is to do comes by a channel,
    /// or in the time between two waits.
    ///
    /// # Panics
    ///
    /// When called inside an asynchronous task, where it would block a worker thread.
    #[must_use]
    #[track_caller]
    pub fn wait_for_shutdown(&self, timeout: Duration) -> bool {
        // Panics where a task may not block.
        self.run.runtime().block_on(async {});
        on_thread::wait(self.shutdown(), timeout)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("path", self.path())
            .field("incarnation", &self.incarnation())
            .finish_non_exhaustive()
    }
}
