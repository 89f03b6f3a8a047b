//! When the runs of one supervisor's children are over: their task, their state and their subtasks.
//!
//! A task of ours says so itself, as the last thing that it drops: nothing is kept here for each of
//! them but a count. Other ends (somebody else's task, a thread, a supervisor) are waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, unconstrained};

use super::children::Key;
use crate::child::End;
use crate::context::{News, Notices, Run};

/// Which run of which child is over.
pub(super) type Over = (Key, u64);

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
            End::Task(task) => self.wait_for(run, Left::Task(task)),
            End::Thread(thread) => self.wait_for(run, Left::Thread(thread)),
        }
    }

    /// Takes note of a run that never had a task.
    pub(super) fn never_began(&mut self, run: Arc<Run>) {
        self.wait_for(run, Left::Unknown);
    }

    fn wait_for(&mut self, run: Arc<Run>, left: Left) {
        self.waited_for.push(Ending { run, left });
    }

    /// Takes note of a run that said itself that it is over.
    pub(super) fn heard_of_one(&mut self) {
        debug_assert!(self.told > 0, "each says so once");
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

    /// Returns how many there are that don't say so themselves.
    pub(super) fn waited_for(&self) -> usize {
        self.waited_for.len()
    }

    /// Takes one of those that is over already.
    pub(super) fn take_ready(&mut self) -> Option<Over> {
        self.next().now_or_never().flatten()
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

/// One run whose end is waited for. Small, because there may be 100 000.
struct Ending {
    run: Arc<Run>,
    left: Left,
}

/// What is left of a run.
enum Left {
    Task(JoinHandle<()>),
    Thread(oneshot::Receiver<()>),
    /// It has no task; whether it left anything is still to be looked for.
    Unknown,
    /// What it left behind.
    Rest(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Future for Ending {
    type Output = Over;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Over> {
        let this = self.get_mut();
        // Why it ended is what the run recorded.
        match &mut this.left {
            Left::Task(task) => drop(ready!(Pin::new(task).poll(cx))),
            Left::Thread(thread) => drop(ready!(Pin::new(thread).poll(cx))),
            Left::Rest(rest) => ready!(rest.as_mut().poll(cx)),
            Left::Unknown => {}
        }
        if !matches!(this.left, Left::Rest(_)) && !this.run.has_left_nothing() {
            this.left = Left::Rest(Box::pin(Arc::clone(&this.run).rest()));
            return Pin::new(this).poll(cx);
        }
        this.run.set_over();
        Poll::Ready(this.run.key_and_incarnation())
    }
}
