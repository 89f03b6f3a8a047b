//! Which run the code that executes now belongs to, and what that run has to say.
//!
//! Set around every poll of a child's own futures, around its thread and around the drop of its
//! state; what these spawn by other means than `Context::spawn` belongs to no run.
//!
//! # Invariants
//!
//! 1. What a run tells its supervisor in the middle of a poll is told when that poll is over. A task
//!    that is woken by a worker thread waits in a slot of that thread which no other thread takes
//!    from: a child that wakes its supervisor and then blocks would hold up both.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use super::Run;

struct Current {
    run: Arc<Run>,
    is_in_poll: bool,
}

tokio::task_local! {
    static CURRENT: Current;
}

/// Makes `run` the current one whenever the future, with which its task ends, is polled or dropped.
pub(crate) fn within<F: Future>(
    run: &Arc<Run>,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    CURRENT.scope(current_of(run, true), telling(future, false))
}

/// Makes `run` the current one whenever the future is polled or dropped, and lets the poll of the task
/// end before that goes on: an actor would begin its next hook in the same one (invariant 1).
pub(crate) fn within_hook<F: Future>(
    run: &Arc<Run>,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    CURRENT.scope(current_of(run, true), telling(future, true))
}

async fn telling<F: Future>(future: F, task_goes_on: bool) -> F::Output {
    let tell = || CURRENT.with(|current| current.run.tell_what_waits());
    let mut future = pin!(future);
    let output = poll_fn(|poll| {
        let polled = future.as_mut().poll(poll);
        if polled.is_pending() {
            tell();
        }
        polled
    })
    .await;
    if tell() && task_goes_on {
        tokio::task::yield_now().await;
    }
    output
}

/// Makes `run` the current one while the closure runs.
pub(crate) fn within_blocking<T>(run: &Arc<Run>, body: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(current_of(run, false), body)
}

fn current_of(run: &Arc<Run>, is_in_poll: bool) -> Current {
    let run = Arc::clone(run);
    Current { run, is_in_poll }
}

/// Returns the run that the caller belongs to.
pub(super) fn current() -> Option<Arc<Run>> {
    CURRENT.try_with(|current| Arc::clone(&current.run)).ok()
}

/// Tells whether a poll of this very run is under way on this thread.
pub(super) fn is_in_poll_of(run: &Run) -> bool {
    let is_it =
        |current: &Current| current.is_in_poll && std::ptr::eq(&raw const *current.run, run);
    CURRENT.try_with(is_it).unwrap_or(false)
}
