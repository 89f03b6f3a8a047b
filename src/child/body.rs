//! Runs an asynchronous body: what tasks, workers and steps have in common.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::context::{Context, breakable, within};
use crate::exit::{BoxError, Catch, Exit, Panic};

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

/// Spawns a body whose future is made inside its own task.
///
/// `up` runs at the acknowledgement; what it returns is dropped when the body ends.
pub(super) fn spawn<F, Fut, U, G>(
    cx: Context,
    acknowledge: Acknowledge,
    up: U,
    make: F,
) -> JoinHandle<()>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    U: FnOnce() -> G + Send + 'static,
    G: Send + 'static,
{
    let span = cx.run().span().clone();
    let current = Arc::clone(cx.run());
    let supervised = async move {
        let run = cx.run();
        // Both the factory and its future run inside the catch.
        let body = breakable(run, async move { make().await });
        let mut body = pin!(Catch::new(body));
        let mut up = Some(up);
        let mut routed = None;
        if acknowledge == Acknowledge::Explicit {
            routed = up.take().map(|up| up());
        }
        let outcome = poll_fn(|poll| {
            let polled = body.as_mut().poll(poll);
            if polled.is_pending()
                && acknowledge == Acknowledge::FirstPoll
                && let Some(up) = up.take()
            {
                routed = Some(up());
                run.acknowledge();
            }
            polled
        })
        .await;
        if acknowledge != Acknowledge::Explicit && matches!(outcome, Ok(Ok(()))) {
            run.acknowledge();
        }
        record(&cx, outcome);
        drop(routed);
    };
    tokio::spawn(within(&current, supervised).instrument(span))
}

/// Records how a body ended.
pub(super) fn record(cx: &Context, outcome: Result<Result<(), BoxError>, Panic>) {
    match outcome {
        Ok(Ok(())) => cx.run().record_good_end(),
        Ok(Err(error)) => cx.run().record(Exit::of_error(error)),
        Err(panic) => cx.run().record(Exit::Panicked(panic)),
    }
}
