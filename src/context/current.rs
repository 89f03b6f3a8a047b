//! Which run the code that executes now belongs to.
//!
//! Set around every poll of a child's own futures, around its thread and around the drop of its
//! state; what these spawn by other means than `Context::spawn` belongs to no run.

use std::future::Future;
use std::sync::Arc;

use super::Run;

tokio::task_local! {
    static CURRENT: Arc<Run>;
}

/// Makes `run` the current one whenever the future is polled or dropped.
pub(crate) fn within<F: Future>(
    run: &Arc<Run>,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    CURRENT.scope(Arc::clone(run), future)
}

/// Makes `run` the current one while the closure runs.
pub(crate) fn within_blocking<T>(run: &Arc<Run>, body: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(Arc::clone(run), body)
}

/// Returns the run that the caller belongs to.
pub(super) fn current() -> Option<Arc<Run>> {
    CURRENT.try_with(Arc::clone).ok()
}
