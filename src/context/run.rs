//! One incarnation, as its own task and its supervisor share it.

mod health;
mod subtasks;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;
use tracing::Span;

pub(crate) use self::subtasks::LastAct;
use self::subtasks::Subtasks;
use super::activity::Activity;
use super::current::is_in_poll_of;
#[cfg(feature = "testkit")]
use super::fault::FaultPoint;
use super::notices::{News, Notice, Notices};
use crate::exit::{Exit, Panic};
use crate::handle::AnyAddress;
use crate::health::RunHealth;
use crate::path::Path;
use crate::shutdown::report::Stopped;
use crate::shutdown::{EarlyNotice, Signalled, StopSignal};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// Which run of which child.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) path: Path,
    /// The child's place among its siblings; unique for the life of its supervisor.
    pub(crate) key: u64,
    pub(crate) incarnation: u64,
}

/// Which node below a supervisor could not be started, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartFailure {
    pub(crate) path: Path,
    pub(crate) exit: Exit,
}

/// What all runs below one incarnation of a supervisor share.
#[derive(Debug)]
pub(crate) struct Above {
    early_notice: EarlyNotice,
    notices: Notices,
    runtime: runtime::Handle,
    /// The supervisor's own run; absent above the root.
    supervisor: Option<Arc<Run>>,
}

impl Above {
    /// Makes it on the runtime that the runs are to use.
    pub(crate) fn new(early_notice: &EarlyNotice, supervisor: Option<&Arc<Run>>) -> Arc<Self> {
        Arc::new(Self {
            early_notice: early_notice.clone(),
            notices: Notices::default(),
            runtime: runtime::Handle::current(),
            supervisor: supervisor.cloned(),
        })
    }

    /// Returns what the runs have to say.
    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }
}

/// One incarnation of a child.
#[derive(Debug)]
pub(crate) struct Run {
    identity: Identity,
    stop: StopSignal,
    above: Arc<Above>,
    /// Absent where nobody listens.
    span: Option<Box<Span>>,
    acknowledged: AtomicBool,
    over: AtomicBool,
    has_untold: AtomicBool,
    has_extended: AtomicBool,
    activity: Activity,
    #[cfg(feature = "testkit")]
    fault_point: FaultPoint,
    ending: Mutex<Ending>,
}

static NO_SPAN: Span = Span::none();

/// What a run leaves behind.
#[derive(Debug, Default)]
struct Ending {
    exit: Option<Box<Exit>>,
    /// What a kill aborts; absent for threads, which can't be killed.
    task: Option<AbortHandle>,
    /// What a kill closes before; absent for supervisors.
    address: Option<Arc<dyn AnyAddress>>,
    /// No subtask is begun any more.
    is_closed: bool,
    /// Whether its task was told to end before it had come to that itself.
    is_killed: bool,
    /// What few runs have: apart, because there may be 100 000 runs.
    rare: Option<Box<Rare>>,
}

impl Ending {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Lets no subtask begin, and tells whether none is left.
    fn close(&mut self) -> bool {
        self.is_closed = true;
        self.rare
            .as_ref()
            .is_none_or(|rare| rare.subtasks.is_empty())
    }
}

#[derive(Debug, Default)]
struct Rare {
    /// News that wait for the end of a poll.
    untold: Vec<News>,
    subtasks: Subtasks,
    start_failure: Option<StartFailure>,
    stopped: StopShare,
    health: RunHealth,
    /// A change of it is on its way to the supervisor.
    is_health_told: bool,
    /// What stops the children of a supervisor that was dropped.
    reaper: Option<JoinHandle<()>>,
}

/// A supervisor's part of the stop report.
#[derive(Debug, Default)]
pub(crate) struct StopShare {
    pub(crate) allotted: Duration,
    pub(crate) spent: Duration,
    pub(crate) children: Vec<Stopped>,
}

impl Signalled for Run {
    fn signal(&self) -> &StopSignal {
        &self.stop
    }
}

impl Run {
    pub(crate) fn new(identity: Identity, above: &Arc<Above>) -> Arc<Self> {
        let span = tracing::info_span!(
            parent: None, "child", path = %identity.path, incarnation = identity.incarnation
        );
        Arc::new(Self {
            identity,
            stop: StopSignal::below(above.supervisor.clone().map(|run| run as _)),
            above: Arc::clone(above),
            span: (!span.is_disabled()).then(|| Box::new(span)),
            acknowledged: AtomicBool::new(false),
            over: AtomicBool::new(false),
            has_untold: AtomicBool::new(false),
            has_extended: AtomicBool::new(false),
            activity: Activity::default(),
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

    pub(crate) fn key_and_incarnation(&self) -> (u64, u64) {
        (self.identity.key, self.identity.incarnation)
    }

    pub(crate) fn stop(&self) -> &StopSignal {
        &self.stop
    }

    #[inline]
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(crate) fn early_notice(&self) -> &EarlyNotice {
        &self.above.early_notice
    }

    pub(crate) fn runtime(&self) -> &runtime::Handle {
        &self.above.runtime
    }

    #[inline]
    pub(crate) fn span(&self) -> &Span {
        self.span.as_deref().unwrap_or(&NO_SPAN)
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
            let mut ending = lock(&self.ending);
            let untold = &mut ending.rare().untold;
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
    #[inline]
    pub(crate) fn tell_what_waits(&self) -> bool {
        self.has_untold.load(Ordering::Relaxed) && self.tell_what_surely_waits()
    }

    fn tell_what_surely_waits(&self) -> bool {
        self.has_untold.store(false, Ordering::Relaxed);
        let untold = std::mem::take(&mut lock(&self.ending).rare().untold);
        untold.into_iter().for_each(|news| self.push(news));
        true
    }

    /// Waits until what was told has been heard. For tasks that go on with the child's code in the same
    /// poll otherwise, and could block (invariant 1 of `current`).
    ///
    /// Not tokio's `yield_now`: a worker thread that has nothing else to do then looks for work and rouses
    /// another one when it finds this task again, which costs several times what a restart does.
    pub(crate) async fn heard(&self) {
        self.above.notices.heard().await;
    }

    fn push(&self, news: News) {
        self.above.notices.push(Notice {
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
            self.has_extended.store(true, Ordering::Release);
            self.tell(News::Extended(granted));
        }
        Some(granted)
    }

    /// Tells whether it ever put its deadline off.
    pub(crate) fn has_extended(&self) -> bool {
        self.has_extended.load(Ordering::Acquire)
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
        ending.exit.get_or_insert_with(|| Box::new(exit));
        is_first
    }

    /// Records a good end: `Shutdown` if a stop was asked for, else `Normal`.
    pub(crate) fn record_good_end(&self) {
        let asked = self.stop.deadline().is_some();
        self.record(if asked { Exit::Shutdown } else { Exit::Normal });
    }

    /// Returns why the run ended; a run that recorded nothing was dropped at an await.
    pub(crate) fn exit(&self) -> Exit {
        lock(&self.ending)
            .exit
            .as_deref()
            .cloned()
            .unwrap_or(Exit::Killed)
    }

    /// Remembers whose messages this run receives.
    pub(crate) fn set_address(&self, address: Arc<dyn AnyAddress>) {
        lock(&self.ending).address = Some(address);
    }

    /// Remembers what a kill has to abort.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let mut ending = lock(&self.ending);
        // A subtask may already have failed the run before the task was known here.
        let failed = ending.exit.as_deref().is_some_and(Exit::is_abnormal);
        ending.task = Some(task);
        drop(ending);
        if failed {
            self.abort();
        }
    }

    /// Drops the run's task and its subtasks at their next await. Does nothing to a thread. Tells whether that
    /// is how the run ends: not if it is a thread or a supervisor, has come to its end, or was killed before.
    pub(crate) fn kill(&self) -> bool {
        self.stop.close();
        let (is_killed, subtasks) = {
            let mut ending = lock(&self.ending);
            let ends_so = ending.task.is_some() && ending.exit.is_none();
            let is_killed = ends_so && !std::mem::replace(&mut ending.is_killed, true);
            let rare = ending.rare.iter();
            let subtasks = rare.flat_map(|rare| &rare.subtasks.tasks);
            let subtasks: Vec<_> = subtasks.map(JoinHandle::abort_handle).collect();
            (is_killed, subtasks)
        };
        subtasks.iter().for_each(AbortHandle::abort);
        self.abort();
        is_killed
    }

    /// A subtask panicked: the whole run ends with it.
    fn fail(&self, panic: Panic) {
        if !self.is_first_record(Exit::Panicked(panic.clone())) {
            tracing::error!(parent: self.span(), %panic, "a subtask panicked after its run had ended");
        }
        self.give_up();
    }

    /// Ends the run, whose exit is recorded.
    fn give_up(&self) {
        // A thread can't be killed, but it can listen.
        let now = Instant::now();
        self.stop.request(now, now);
        self.abort();
        // Whatever does not end now is named as hung.
        self.tell(News::Ending);
    }

    /// Ends the run for a reason that its own code does not know.
    pub(crate) fn fail_from_outside(&self, exit: Exit) {
        if self.is_first_record(exit) {
            let now = Instant::now();
            self.stop.request(now, now);
            self.kill();
            // Whatever does not end now is named as hung.
            self.tell(News::Ending);
        }
    }

    /// Drops the run's own task at its next await. Does nothing to a thread.
    fn abort(&self) {
        let (task, address) = {
            let ending = lock(&self.ending);
            (ending.task.clone(), ending.address.clone())
        };
        let Some(task) = task else { return };
        // Closed first, so that nothing is on its way into a mailbox while that is dropped.
        if let Some(address) = address {
            address.close();
        }
        task.abort();
    }

    /// Tells the supervisor, once, that nothing of this run is left.
    fn say_over(&self) {
        #[cfg(feature = "testkit")]
        self.fault_point.close();
        if !self.over.swap(true, Ordering::AcqRel) {
            self.push(News::Over);
        }
    }

    /// Tells whether the task, with all its subtasks, has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Leaves the task that goes on with this run's work after its own task is gone.
    pub(crate) fn leave_reaper(&self, reaper: JoinHandle<()>) {
        lock(&self.ending).rare().reaper = Some(reaper);
    }

    /// Waits for that task, if there is one.
    pub(crate) async fn reaped(&self) {
        let reaper = lock(&self.ending)
            .rare
            .as_mut()
            .and_then(|rare| rare.reaper.take());
        if let Some(reaper) = reaper {
            // A reaper that failed has nothing more to say.
            drop(reaper.await);
        }
    }

    /// Leaves word of the node below this supervisor that could not be started.
    pub(crate) fn leave_start_failure(&self, failure: StartFailure) {
        lock(&self.ending)
            .rare()
            .start_failure
            .get_or_insert(failure);
    }

    pub(crate) fn take_start_failure(&self) -> Option<StartFailure> {
        lock(&self.ending).rare.as_mut()?.start_failure.take()
    }

    /// Leaves a supervisor's part of the stop report for its parent.
    pub(crate) fn leave_report(&self, stopped: StopShare) {
        lock(&self.ending).rare().stopped = stopped;
    }

    pub(crate) fn take_report(&self) -> StopShare {
        let mut ending = lock(&self.ending);
        let stopped = ending.rare.as_mut().map(|rare| &mut rare.stopped);
        stopped.map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(shuttle)]
    mod races;
}
