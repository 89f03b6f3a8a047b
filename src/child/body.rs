//! Runs an asynchronous body: what tasks, workers and steps have in common.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as PollContext, Poll};

use pin_project_lite::pin_project;

use super::launch::{End, Leaf};
use crate::context::{Hook, Inside, LastAct, Run, breakable, within_task};
use crate::exit::{BoxError, Exit, Panic};

/// When a body's start counts as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledge {
    /// After its first poll, unless that already failed.
    FirstPoll,
    /// When it finished without an error.
    Finished,
    /// When it says so.
    Explicit,
}

impl Acknowledge {
    /// After the first poll, unless the child was declared to say so itself.
    pub(super) fn of<M: Send + 'static>(leaf: &Leaf<M>) -> Self {
        match leaf.explicit_ready {
            true => Self::Explicit,
            false => Self::FirstPoll,
        }
    }
}

/// Spawns a body whose future is made inside its own task.
///
/// `up` runs at the acknowledgement; what it returns is dropped when the body ends.
pub(super) fn spawn<F, Fut, U, G>(run: &Arc<Run>, acknowledge: Acknowledge, up: U, make: F) -> End
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    U: FnOnce(&Run) -> G + Send + 'static,
    G: Send + 'static,
{
    // Both the factory and its future run inside the catch.
    let body = breakable(run, async move { make().await });
    let task = tokio::spawn(Supervised {
        body: Inside::new(run, Hook::Body, body),
        acknowledge,
        route: RouteOf::Awaited(up),
        last_act: LastAct::of(run),
    });
    End::Told(task.abort_handle())
}

pin_project! {
    /// One run of a body. Its fields are dropped in their order.
    struct Supervised<F, U, G> {
        #[pin]
        body: Inside<Arc<Run>, Option<Arc<Run>>, F>,
        acknowledge: Acknowledge,
        route: RouteOf<U, G>,
        last_act: LastAct,
    }
}

/// How messages get to a body. One in three states, because there may be 100 000.
enum RouteOf<U, G> {
    /// It is put up at the acknowledgement.
    Awaited(U),
    Up(G),
    Down,
}

impl<U, G> RouteOf<U, G>
where
    U: FnOnce(&Run) -> G,
{
    /// Puts the route up, and tells whether that was still to be done.
    fn put_up(&mut self, run: &Run) -> bool {
        match std::mem::replace(self, Self::Down) {
            Self::Awaited(up) => *self = Self::Up(up(run)),
            other => {
                *self = other;
                return false;
            }
        }
        true
    }
}

impl<F, U, G> Future for Supervised<F, U, G>
where
    F: Future<Output = Result<(), BoxError>>,
    U: FnOnce(&Run) -> G,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<()> {
        let this = self.project();
        let run = this.last_act.run();
        if *this.acknowledge == Acknowledge::Explicit {
            this.route.put_up(run);
        }
        let polled = this.body.poll_silently(cx);
        if polled.is_pending()
            && *this.acknowledge == Acknowledge::FirstPoll
            && this.route.put_up(run)
        {
            run.acknowledge();
        }
        let Poll::Ready(outcome) = polled else {
            // Now, and not before the route was up: who hears that it started may send at once.
            run.tell_what_waits();
            return Poll::Pending;
        };
        if *this.acknowledge != Acknowledge::Explicit && matches!(outcome, Ok(Ok(()))) {
            run.acknowledge();
        }
        record(run, outcome);
        *this.route = RouteOf::Down;
        run.tell_what_waits();
        Poll::Ready(())
    }
}

/// Records how a body ended. What that has to tell waits for the caller.
pub(super) fn record(run: &Arc<Run>, outcome: Result<Result<(), BoxError>, Panic>) {
    match outcome {
        Ok(Ok(())) => run.record_good_end(),
        // What the error says and drops is the child's code.
        Ok(Err(error)) => within_task(run, || run.record(Exit::of_error(error))),
        Err(panic) => run.record(Exit::Panicked(panic)),
    }
}
