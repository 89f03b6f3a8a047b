//! One incarnation, as its own task and its supervisor share it.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;
use tracing::Instrument;

use super::current::{is_in_poll_of, within};
#[cfg(feature = "testkit")]
use super::fault::FaultPoint;
use crate::exit::{Catch, Exit, Panic};
use crate::handle::AnyAddress;
use crate::path::Path;
use crate::shutdown::plan::StopNeed;
use crate::shutdown::report::Stopped;
use crate::shutdown::{EarlyNotice, StopSignal};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Notify, lock};

/// Which run of which child.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) path: Path,
    /// The child's place among its siblings; unique for the life of its supervisor.
    pub(crate) key: u64,
    pub(crate) incarnation: u64,
}

/// What a run tells its supervisor while its task lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Its start is acknowledged.
    Started,
    /// Its own task has ended; subtasks of it still run.
    Ending,
    /// A supervisor is over, but for tasks that hang.
    LeftHung,
    /// What a supervisor has below it now needs another time to stop.
    StopNeed(StopNeed),
    /// It put its deadline off.
    Extended(Instant),
}

/// The news of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) key: u64,
    pub(crate) incarnation: u64,
    pub(crate) news: News,
}

/// Notices on their way to the supervisor.
///
/// A queue of its own and not a channel, whose bound would have to be waited for: each run is up, over
/// and hung once, and of several extensions in a row only the last is kept, so what waits is bounded
/// by what the supervisor itself began and by how often its children extend in turns.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    queue: Mutex<VecDeque<Notice>>,
    notify: Notify,
}

impl Notices {
    fn push(&self, notice: Notice) {
        let mut queue = lock(&self.queue);
        match (queue.back_mut(), notice.news) {
            // Only the last of several extensions counts.
            (Some(last), News::Extended(_))
                if matches!(last.news, News::Extended(_))
                    && (last.key, last.incarnation) == (notice.key, notice.incarnation) =>
            {
                *last = notice;
            }
            _ => queue.push_back(notice),
        }
        drop(queue);
        self.notify.notify_one();
    }

    /// Takes the next notice if there is one.
    pub(crate) fn try_next(&self) -> Option<Notice> {
        lock(&self.queue).pop_front()
    }

    /// Waits for the next notice.
    pub(crate) async fn next(&self) -> Notice {
        loop {
            if let Some(notice) = self.try_next() {
                return notice;
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
    runtime: runtime::Handle,
    span: tracing::Span,
    acknowledged: AtomicBool,
    over: AtomicBool,
    has_untold: AtomicBool,
    #[cfg(feature = "testkit")]
    fault_point: FaultPoint,
    ending: Mutex<Ending>,
}

/// What a run leaves behind.
#[derive(Debug, Default)]
struct Ending {
    exit: Option<Exit>,
    /// News that wait for the end of a poll.
    untold: Vec<News>,
    /// What a kill aborts; absent for threads, which can't be killed.
    task: Option<AbortHandle>,
    /// What a kill closes before; absent for supervisors.
    address: Option<Arc<dyn AnyAddress>>,
    /// Kept while a killed run ends: a worker must not take it for the end of its inbox, return,
    /// and look as if it had ended well.
    closed_mailbox: Option<Box<dyn Any + Send + Sync>>,
    subtasks: Subtasks,
    start_failure: Option<StartFailure>,
    stopped: StopShare,
    /// What stops the children of a supervisor that was dropped.
    reaper: Option<JoinHandle<()>>,
}

/// What a run spawned beside its own body.
#[derive(Debug, Default)]
struct Subtasks {
    tasks: Vec<JoinHandle<()>>,
    /// At which number the ended ones are taken out.
    prune_at: usize,
    /// Being spawned at this moment, outside the lock.
    begun: usize,
    is_closed: bool,
}

/// How many subtasks are kept before the ended ones are first looked for.
const FIRST_PRUNE: usize = 32;

impl Subtasks {
    fn add(&mut self, task: JoinHandle<()>) {
        if self.tasks.len() >= self.prune_at.max(FIRST_PRUNE) {
            self.tasks.retain(|task| !task.is_finished());
            self.prune_at = self.tasks.len() * 2;
        }
        self.tasks.push(task);
    }
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
    ) -> Arc<Self> {
        let span = tracing::info_span!(
            parent: None, "child", path = %identity.path, incarnation = identity.incarnation
        );
        Arc::new(Self {
            identity,
            stop: Arc::default(),
            early_notice,
            notices,
            runtime: runtime::Handle::current(),
            span,
            acknowledged: AtomicBool::new(false),
            over: AtomicBool::new(false),
            has_untold: AtomicBool::new(false),
            #[cfg(feature = "testkit")]
            fault_point: FaultPoint::default(),
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

    pub(crate) fn runtime(&self) -> &runtime::Handle {
        &self.runtime
    }

    pub(crate) fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// Returns where a fault from outside gets in.
    #[cfg(feature = "testkit")]
    pub(crate) fn fault_point(&self) -> &FaultPoint {
        &self.fault_point
    }

    /// Tells the supervisor, once, that this run is up.
    pub(crate) fn acknowledge(&self) {
        if !self.acknowledged.swap(true, Ordering::AcqRel) {
            let address = lock(&self.ending).address.clone();
            if let Some(address) = address {
                address.acknowledge();
            }
            self.tell(News::Started);
        }
    }

    /// Tells the supervisor something; in the middle of a poll of this run, once that is over
    /// (invariant 1 of `current`).
    pub(crate) fn tell(&self, news: News) {
        if is_in_poll_of(self) {
            let untold = &mut lock(&self.ending).untold;
            // Only the last of several extensions counts.
            untold.retain(|earlier| {
                !matches!((earlier, news), (News::Extended(_), News::Extended(_)))
            });
            untold.push(news);
            self.has_untold.store(true, Ordering::Relaxed);
        } else {
            self.push(news);
        }
    }

    /// Tells what was kept back during a poll, and whether there was anything. The flag is read by
    /// the thread that set it, or by one that polls the same task later, which orders the two.
    pub(super) fn tell_what_waits(&self) -> bool {
        if !self.has_untold.load(Ordering::Relaxed) {
            return false;
        }
        self.has_untold.store(false, Ordering::Relaxed);
        let untold = std::mem::take(&mut lock(&self.ending).untold);
        untold.into_iter().for_each(|news| self.push(news));
        true
    }

    fn push(&self, news: News) {
        self.notices.push(Notice {
            key: self.identity.key,
            incarnation: self.identity.incarnation,
            news,
        });
    }

    /// Puts the deadline of this run's stop off, as far as that is allowed, and returns the instant
    /// granted; `None` before a stop was asked for.
    pub(crate) fn extend(&self, by: Duration) -> Option<Instant> {
        let (granted, is_new) = self.stop.extend(by)?;
        if is_new {
            self.tell(News::Extended(granted));
        }
        Some(granted)
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Records why the run ends; only the first record counts.
    pub(crate) fn record(&self, exit: Exit) {
        self.is_first_record(exit);
    }

    /// Records why the run ends, and tells whether that is the first record and counts.
    pub(crate) fn is_first_record(&self, exit: Exit) -> bool {
        let mut ending = lock(&self.ending);
        let is_first = ending.exit.is_none();
        ending.exit.get_or_insert(exit);
        is_first
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

    /// Remembers whose messages this run receives.
    pub(crate) fn set_address(&self, address: Arc<dyn AnyAddress>) {
        lock(&self.ending).address = Some(address);
    }

    /// Remembers what a kill has to abort.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let mut ending = lock(&self.ending);
        // A subtask may already have failed the run before the task was known here.
        let failed = ending.exit.as_ref().is_some_and(Exit::is_abnormal);
        ending.task = Some(task);
        drop(ending);
        if failed {
            self.abort();
        }
    }

    /// Drops the run's task and its subtasks at their next await. Does nothing to a thread.
    pub(crate) fn kill(&self) {
        self.stop.close();
        let subtasks: Vec<_> = {
            let ending = lock(&self.ending);
            let subtasks = ending.subtasks.tasks.iter().map(JoinHandle::abort_handle);
            subtasks.collect()
        };
        subtasks.iter().for_each(AbortHandle::abort);
        self.abort();
    }

    /// A subtask panicked: the whole run ends with it.
    fn fail(&self, panic: Panic) {
        if !self.is_first_record(Exit::Panicked(panic.clone())) {
            tracing::error!(parent: &self.span, %panic, "a subtask panicked after its run had ended");
        }
        // A thread can't be killed, but it can listen.
        let now = Instant::now();
        self.stop.request(now, now);
        self.abort();
        // Whatever does not end now is named as hung.
        self.tell(News::Ending);
    }

    /// Drops the run's own task at its next await. Does nothing to a thread.
    fn abort(&self) {
        let (task, address) = {
            let ending = lock(&self.ending);
            (ending.task.clone(), ending.address.clone())
        };
        let Some(task) = task else { return };
        // Closed first, so that nothing is on its way into a mailbox while that is dropped.
        if let Some(mailbox) = address.and_then(|address| address.close()) {
            lock(&self.ending).closed_mailbox = Some(mailbox);
        }
        task.abort();
    }

    pub(crate) fn spawn_subtask(
        self: &Arc<Self>,
        subtask: impl Future<Output = ()> + Send + 'static,
    ) {
        let run = Arc::clone(self);
        let watched = async move {
            if let Err(panic) = Catch::new(subtask).await {
                run.fail(panic);
            }
        };
        {
            let mut ending = lock(&self.ending);
            if ending.subtasks.is_closed {
                drop(ending);
                tracing::debug!(parent: &self.span, "a subtask was dropped: its run has ended");
                return;
            }
            ending.subtasks.begun += 1;
        }
        // Outside the lock: on a runtime that is closing, the future is dropped here and now, and
        // with it what the user put there.
        let watched = within(self, watched).instrument(self.span.clone());
        let task = self.runtime.spawn(watched);
        let mut ending = lock(&self.ending);
        ending.subtasks.begun -= 1;
        ending.subtasks.add(task);
    }

    /// Ends all subtasks and waits for their end (invariant 2 of the module above).
    pub(crate) async fn end_subtasks(&self) {
        loop {
            let (tasks, is_last) = {
                let mut ending = lock(&self.ending);
                ending.subtasks.is_closed = true;
                let tasks = std::mem::take(&mut ending.subtasks.tasks);
                let is_last = ending.subtasks.begun == 0;
                let mailbox = ending.closed_mailbox.take();
                drop(ending);
                drop(mailbox);
                (tasks, is_last)
            };
            tasks.iter().for_each(JoinHandle::abort);
            let is_none = tasks.is_empty();
            if tasks.iter().any(|task| !task.is_finished()) {
                self.tell(News::Ending);
            }
            for task in tasks {
                // Why it ended was recorded by itself.
                drop(task.await);
            }
            if is_last && is_none {
                return;
            }
            // One may be spawned at this moment by another thread.
            tokio::task::yield_now().await;
        }
    }

    /// Remembers that the task has ended.
    pub(crate) fn set_over(&self) {
        #[cfg(feature = "testkit")]
        self.fault_point.close();
        self.over.store(true, Ordering::Release);
    }

    /// Tells whether the task, with all its subtasks, has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Leaves the task that goes on with this run's work after its own task is gone.
    pub(crate) fn leave_reaper(&self, reaper: JoinHandle<()>) {
        lock(&self.ending).reaper = Some(reaper);
    }

    /// Waits for that task, if there is one.
    pub(crate) async fn reaped(&self) {
        let reaper = lock(&self.ending).reaper.take();
        if let Some(reaper) = reaper {
            // A reaper that failed has nothing more to say.
            drop(reaper.await);
        }
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

#[cfg(test)]
mod tests {
    #[cfg(shuttle)]
    mod races;
}
