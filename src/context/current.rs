//! Which run the code that executes now belongs to.
//!
//! Set around every poll of a child's own futures, around its thread and around the drop of its
//! state; what these spawn by other means than `Context::spawn` belongs to no run.
//!
//! # Invariants
//!
//! 1. What a run tells its supervisor in the middle of a poll is told when that poll is over. A task
//!    that is woken by a worker thread waits in a slot of that thread which no other thread takes
//!    from: a child that wakes its supervisor and then blocks would hold up both.

use std::cell::RefCell;
use std::sync::Arc;

use super::Run;

struct Current {
    run: Arc<Run>,
    is_in_poll: bool,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// What was current before; put back also when the code in between panics.
struct Outer {
    before: Option<Current>,
    is_entered: bool,
}

impl Outer {
    #[inline]
    fn enter(run: Arc<Run>, is_in_poll: bool) -> Self {
        Self {
            before: swap(Some(Current { run, is_in_poll })),
            is_entered: true,
        }
    }

    /// Puts the outer one back and returns the run that was entered.
    #[inline]
    fn leave(mut self) -> Option<Arc<Run>> {
        self.is_entered = false;
        swap(self.before.take()).map(|current| current.run)
    }
}

impl Drop for Outer {
    #[inline]
    fn drop(&mut self) {
        if self.is_entered {
            drop(swap(self.before.take()));
        }
    }
}

/// Sets what is current and returns what was. On a thread that has torn down its locals nothing is.
#[inline]
fn swap(next: Option<Current>) -> Option<Current> {
    let mut next = Some(next);
    let swapped = CURRENT.try_with(|current| next.take().and_then(|next| current.replace(next)));
    swapped.unwrap_or_else(|_torn_down| next.flatten())
}

/// Makes `run` the current one while the closure polls or drops a future of its. The run is lent: no
/// reference is counted.
pub(super) fn while_polling<T>(run: &mut Option<Arc<Run>>, poll: impl FnOnce() -> T) -> T {
    let Some(lent) = run.take() else {
        return poll();
    };
    let outer = Outer::enter(lent, true);
    let polled = poll();
    *run = outer.leave();
    polled
}

/// Makes `run` the current one while the closure runs.
pub(crate) fn within_blocking<T>(run: &Arc<Run>, body: impl FnOnce() -> T) -> T {
    let _outer = Outer::enter(Arc::clone(run), false);
    body()
}

/// The same for code of the child's that a task of its runs between two polls of its futures: what that
/// tells waits as well, and has to be told by the caller.
pub(crate) fn within_task<T>(run: &Arc<Run>, body: impl FnOnce() -> T) -> T {
    let _outer = Outer::enter(Arc::clone(run), true);
    body()
}

/// Returns the run that the caller belongs to.
pub(super) fn current() -> Option<Arc<Run>> {
    let run =
        |current: &RefCell<Option<Current>>| Some(Arc::clone(&current.borrow().as_ref()?.run));
    CURRENT.try_with(run).ok().flatten()
}

/// Tells whether a poll of this very run is under way on this thread.
pub(super) fn is_in_poll_of(run: &Run) -> bool {
    let is_it = |current: &RefCell<Option<Current>>| {
        current
            .borrow()
            .as_ref()
            .is_some_and(|current| current.is_in_poll && std::ptr::eq(&raw const *current.run, run))
    };
    CURRENT.try_with(is_it).unwrap_or(false)
}
