//! When the runs of one supervisor's children are over: their task, their state and their subtasks.
//!
//! Each says so itself: a leaf's task or thread of ours as the last thing that it drops, ractor's task and
//! that of a supervisor by waking its run, which waits for it. A set of futures would have to be polled
//! for that, and polls whoever waits for it once more each time that it has polled all of its own.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::task::{JoinHandle, unconstrained};

use super::children::Key;
use crate::child::End;
use crate::context::{News, Notice, Notices, Run, give_way};

/// Which run of which child.
type Which = (Key, u64);

/// The runs that are not over yet.
#[derive(Default)]
pub(super) struct Ends {
    left: usize,
    /// The tasks that wake their runs: whoever drops the handle of one hears nothing of its end.
    tasks: HashMap<Which, JoinHandle<()>>,
}

impl Ends {
    /// Takes note of a run whose task, or thread, has begun.
    pub(super) fn expect(&mut self, run: &Arc<Run>, end: End) {
        self.left += 1;
        let End::Task(mut task) = end else { return };
        let ended = Waker::from(Arc::clone(run));
        // Unconstrained: a supervisor that used up its budget would take it that the task has ended.
        let waiting = pin!(unconstrained(&mut task));
        if waiting.poll(&mut Context::from_waker(&ended)).is_ready() {
            ended.wake();
        }
        self.tasks.insert(run.key_and_incarnation(), task);
    }

    /// Takes note of a run that never had a task.
    pub(super) fn never_began(&mut self, run: &Arc<Run>) {
        self.left += 1;
        run.task_has_ended();
    }

    /// Takes note of a run that said that it is over.
    pub(super) fn heard_of(&mut self, notice: &Notice) {
        debug_assert!(self.left > 0, "each says so once");
        self.left = self.left.saturating_sub(1);
        self.tasks.remove(&(notice.key, notice.incarnation));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Waits for the next run to be over; what else is told is of no use any more.
    pub(super) async fn next(&mut self, notices: &Notices) {
        while !self.is_empty() {
            give_way().await;
            let notice = notices.next().await;
            if notice.news == News::Over {
                return self.heard_of(&notice);
            }
        }
    }
}
