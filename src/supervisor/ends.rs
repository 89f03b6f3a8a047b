//! When the runs of one supervisor's children are over: their task, their state and their subtasks.
//!
//! A task of ours says so itself, as the last thing that it drops: nothing is kept here for each of
//! them but a count. Other ends (somebody else's task, a thread, a supervisor) are waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::unconstrained;

use super::children::Key;
use crate::child::End;
use crate::context::{News, Notices, Run};

/// Which run of which child is over.
pub(super) type Over = (Key, u64);

type Ending = Pin<Box<dyn Future<Output = Over> + Send>>;

/// The runs that are not over yet.
#[derive(Default)]
pub(super) struct Ends {
    waited_for: FuturesUnordered<Ending>,
    /// How many will say so themselves.
    told: usize,
}

impl Ends {
    /// Waits for a run whose task, or thread, has begun.
    pub(super) fn expect(&mut self, run: Arc<Run>, end: End) {
        match end {
            End::Told(_) => self.told += 1,
            end => self.waited_for.push(Box::pin(over(run, end))),
        }
    }

    /// Takes note of a run that never had a task.
    pub(super) fn never_began(&mut self, run: &Run) {
        run.set_over();
        let over = run.key_and_incarnation();
        self.waited_for.push(Box::pin(std::future::ready(over)));
    }

    /// Takes note of a run that said itself that it is over.
    pub(super) fn heard_of_one(&mut self) {
        self.told = self.told.saturating_sub(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told == 0 && self.waited_for.is_empty()
    }

    /// Waits for the next run to be over, of those that don't say so themselves; `None` if there are
    /// none.
    pub(super) async fn next(&mut self) -> Option<Over> {
        // Under tokio's cooperative budget a large set of ends is polled again and again.
        unconstrained(self.waited_for.next()).await
    }

    /// Waits for the next run to be over, whoever says it; what else is told is of no use any more.
    pub(super) async fn next_of_all(&mut self, notices: &Notices) {
        while !self.is_empty() {
            tokio::select! {
                biased;
                Some(_) = unconstrained(self.waited_for.next()) => return,
                notice = notices.next() => if notice.news == News::Over {
                    return self.heard_of_one();
                },
            }
        }
    }
}

/// Waits until nothing of a run is left.
async fn over(run: Arc<Run>, end: End) -> Over {
    // Why it ended is what the run recorded.
    match end {
        End::Told(_) => {}
        End::Task(task) => drop(task.await),
        End::Thread(thread) => drop(thread.await),
    }
    run.reaped().await;
    run.end_subtasks().await;
    run.set_over();
    run.key_and_incarnation()
}
