//! One incarnation, as its own task and its supervisor share it.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument;

use crate::exit::{Catch, Exit};
use crate::handle::Meter;
use crate::path::Path;
use crate::shutdown::report::Stopped;
use crate::shutdown::{EarlyNotice, StopSignal};
use crate::sync::{Mutex, lock};

/// Which run of which child.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) path: Path,
    /// The child's place among its siblings; unique for the life of its supervisor.
    pub(crate) key: u64,
    pub(crate) incarnation: u64,
}

/// Acknowledged starts on their way to the supervisor.
///
/// A queue of its own and not a channel: it holds at most one entry for each child that is
/// starting, so it is bounded by what the supervisor itself began.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    started: Mutex<VecDeque<(u64, u64)>>,
    notify: Notify,
}

impl Notices {
    fn push(&self, key: u64, incarnation: u64) {
        lock(&self.started).push_back((key, incarnation));
        self.notify.notify_one();
    }

    /// Waits for the next acknowledged start: the child's key and incarnation.
    pub(crate) async fn next(&self) -> (u64, u64) {
        loop {
            if let Some(started) = lock(&self.started).pop_front() {
                return started;
            }
            // `notify_one` keeps a permit, so that a push between the check and this is seen.
            self.notify.notified().await;
        }
    }
}

/// Which node below a supervisor could not be started, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartFailure {
    pub(crate) path: Path,
    pub(crate) exit: Exit,
}

/// One incarnation of a child.
#[derive(Debug)]
pub(crate) struct Run {
    identity: Identity,
    stop: Arc<StopSignal>,
    early_notice: EarlyNotice,
    notices: Arc<Notices>,
    meter: Arc<Meter>,
    runtime: runtime::Handle,
    span: tracing::Span,
    acknowledged: AtomicBool,
    ending: Mutex<Ending>,
}

/// What a run leaves behind.
#[derive(Debug, Default)]
struct Ending {
    exit: Option<Exit>,
    /// What a kill aborts; absent for threads, which can't be killed.
    task: Option<AbortHandle>,
    subtasks: JoinSet<()>,
    closed: bool,
    start_failure: Option<StartFailure>,
    stopped: StopShare,
}

/// A supervisor's part of the stop report.
#[derive(Debug, Default)]
pub(crate) struct StopShare {
    pub(crate) allotted: Duration,
    pub(crate) spent: Duration,
    pub(crate) children: Vec<Stopped>,
}

impl Run {
    pub(crate) fn new(
        identity: Identity,
        early_notice: EarlyNotice,
        notices: Arc<Notices>,
        mailbox_capacity: usize,
    ) -> Arc<Self> {
        let span = tracing::info_span!(
            parent: None, "child", path = %identity.path, incarnation = identity.incarnation
        );
        Arc::new(Self {
            identity,
            stop: Arc::default(),
            early_notice,
            notices,
            meter: Arc::new(Meter::new(mailbox_capacity)),
            runtime: runtime::Handle::current(),
            span,
            acknowledged: AtomicBool::new(false),
            ending: Mutex::default(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.identity.path
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.identity.incarnation
    }

    pub(crate) fn stop(&self) -> &Arc<StopSignal> {
        &self.stop
    }

    pub(crate) fn early_notice(&self) -> &EarlyNotice {
        &self.early_notice
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(crate) fn runtime(&self) -> &runtime::Handle {
        &self.runtime
    }

    pub(crate) fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// Tells the supervisor, once, that this run is up.
    pub(crate) fn acknowledge(&self) {
        if !self.acknowledged.swap(true, Ordering::AcqRel) {
            self.notices
                .push(self.identity.key, self.identity.incarnation);
        }
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Records why the run ends; only the first record counts.
    pub(crate) fn record(&self, exit: Exit) {
        lock(&self.ending).exit.get_or_insert(exit);
    }

    /// Records a good end: `Shutdown` if a stop was asked for, else `Normal`.
    pub(crate) fn record_good_end(&self) {
        let asked = self.stop.deadline().is_some();
        self.record(if asked { Exit::Shutdown } else { Exit::Normal });
    }

    /// Returns why the run ended; a run that recorded nothing was dropped at an await.
    pub(crate) fn exit(&self) -> Exit {
        lock(&self.ending).exit.clone().unwrap_or(Exit::Killed)
    }

    /// Remembers what a kill has to abort.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let mut ending = lock(&self.ending);
        // A subtask may already have failed the run before the task was known here.
        let failed = ending.exit.as_ref().is_some_and(Exit::is_abnormal);
        ending.task = Some(task.clone());
        drop(ending);
        if failed {
            task.abort();
        }
    }

    /// Drops the run's task at its next await. Does nothing to a thread.
    pub(crate) fn kill(&self) {
        let task = lock(&self.ending).task.clone();
        if let Some(task) = task {
            task.abort();
        }
    }

    pub(crate) fn spawn_subtask(
        self: &Arc<Self>,
        subtask: impl Future<Output = ()> + Send + 'static,
    ) {
        let run = Arc::clone(self);
        let watched = async move {
            if let Err(panic) = Catch::new(subtask).await {
                run.record(Exit::Panicked(panic));
                run.kill();
            }
        };
        let mut ending = lock(&self.ending);
        if ending.closed {
            drop(ending);
            tracing::debug!(parent: &self.span, "a subtask was dropped: its run has ended");
            return;
        }
        // Ended subtasks are taken out as new ones come, so that they do not pile up.
        while ending.subtasks.try_join_next().is_some() {}
        let watched = watched.instrument(self.span.clone());
        ending.subtasks.spawn_on(watched, &self.runtime);
    }

    /// Ends all subtasks and waits for their end (invariant 2 of the module above).
    pub(crate) async fn end_subtasks(&self) {
        let mut subtasks = {
            let mut ending = lock(&self.ending);
            ending.closed = true;
            std::mem::take(&mut ending.subtasks)
        };
        subtasks.shutdown().await;
    }

    /// Leaves word of the node below this supervisor that could not be started.
    pub(crate) fn leave_start_failure(&self, failure: StartFailure) {
        lock(&self.ending).start_failure.get_or_insert(failure);
    }

    pub(crate) fn take_start_failure(&self) -> Option<StartFailure> {
        lock(&self.ending).start_failure.take()
    }

    /// Leaves a supervisor's part of the stop report for its parent.
    pub(crate) fn leave_report(&self, stopped: StopShare) {
        lock(&self.ending).stopped = stopped;
    }

    pub(crate) fn take_report(&self) -> StopShare {
        std::mem::take(&mut lock(&self.ending).stopped)
    }
}
