//! The end of a run: its task is over, then its subtasks are ended, then nothing of it is left.

use std::future::Future;
use std::sync::Arc;
use std::task::Wake;

use tokio::task::JoinHandle;

use super::Run;
use crate::context::activity::Hook;
use crate::context::inside::Inside;
use crate::context::notices::News;
use crate::sync::lock;

/// What a run spawned beside its own body.
#[derive(Debug, Default)]
pub(super) struct Subtasks {
    pub(super) tasks: Vec<JoinHandle<()>>,
    /// At which number the ended ones are taken out.
    prune_at: usize,
    /// Being spawned at this moment, outside the lock.
    begun: usize,
}

/// How many subtasks are kept before the ended ones are first looked for.
const FIRST_PRUNE: usize = 32;

impl Subtasks {
    /// Tells whether none is left, nor about to begin.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.begun == 0
    }

    fn add(&mut self, task: JoinHandle<()>) {
        if self.tasks.len() >= self.prune_at.max(FIRST_PRUNE) {
            self.tasks.retain(|task| !task.is_finished());
            self.prune_at = self.tasks.len() * 2;
        }
        self.tasks.push(task);
    }
}

impl Run {
    /// Says that the run is over, now that its task has ended, or once what that left behind has.
    pub(crate) fn task_has_ended(self: &Arc<Self>) {
        if self.has_left_nothing() {
            return self.say_over();
        }
        let run = Arc::clone(self);
        let rest = async move {
            run.reaped().await;
            run.end_subtasks().await;
            run.say_over();
        };
        drop(self.runtime().spawn(rest));
    }

    /// Tells whether nothing is left of a run whose task has ended; from then on nothing can begin.
    fn has_left_nothing(&self) -> bool {
        let mut ending = lock(&self.ending);
        let has_reaper = ending
            .rare
            .as_ref()
            .is_some_and(|rare| rare.reaper.is_some());
        ending.close() && !has_reaper
    }

    pub(crate) fn spawn_subtask(
        self: &Arc<Self>,
        subtask: impl Future<Output = ()> + Send + 'static,
    ) {
        let run = Arc::clone(self);
        let watched = Inside::new(self, Hook::Unwatched, subtask);
        let watched = async move {
            if let Err(panic) = watched.await {
                run.fail(panic);
            }
            run.tell_what_waits();
        };
        {
            let mut ending = lock(&self.ending);
            if ending.is_closed {
                drop(ending);
                tracing::debug!(parent: self.span(), "a subtask was dropped: its run has ended");
                return;
            }
            ending.rare().subtasks.begun += 1;
        }
        // Outside the lock: on a runtime that is closing, the future is dropped here and now, and
        // with it what the user put there.
        let task = self.runtime().spawn(watched);
        let mut ending = lock(&self.ending);
        let subtasks = &mut ending.rare().subtasks;
        subtasks.begun -= 1;
        subtasks.add(task);
    }

    /// Ends all subtasks and waits for their end (invariant 2 of the module above).
    pub(crate) async fn end_subtasks(&self) {
        loop {
            let (tasks, is_last) = {
                let mut ending = lock(&self.ending);
                if ending.close() {
                    return;
                }
                let subtasks = &mut ending.rare().subtasks;
                (std::mem::take(&mut subtasks.tasks), subtasks.begun == 0)
            };
            tasks.iter().for_each(JoinHandle::abort);
            if tasks.iter().any(|task| !task.is_finished()) {
                self.tell(News::Ending);
            }
            for task in tasks {
                // Why it ended was recorded by itself.
                drop(task.await);
            }
            if is_last {
                return;
            }
            // One may be spawned at this moment by another thread.
            tokio::task::yield_now().await;
        }
    }
}

/// Held by the task of a run and dropped after everything else in it, however it ends: tells the
/// supervisor that the run is over.
pub(crate) struct LastAct(Arc<Run>);

impl LastAct {
    pub(crate) fn of(run: &Arc<Run>) -> Self {
        Self(Arc::clone(run))
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.0
    }
}

impl Drop for LastAct {
    fn drop(&mut self) {
        self.0.task_has_ended();
    }
}

/// Wakes a run when a task that is not of ours has ended: the run is the waker of its handle.
impl Wake for Run {
    fn wake(self: Arc<Self>) {
        self.task_has_ended();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.task_has_ended();
    }
}
