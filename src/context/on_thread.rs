//! How a thread of a child's waits for its stop: with nothing but itself.
//!
//! Not with a timer of the runtime: those stand still while all worker threads are blocked, and each one
//! that is set from outside wakes a worker.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, Thread};

/// Rouses a thread that waits, and says that it did.
struct Bell {
    waiting: Thread,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.waiting.unpark();
    }
}

/// Blocks the thread until something is ready, but for no longer than `timeout`, counted anew when it was
/// roused in vain, and only until somebody else unparks it. Tells whether it is ready.
pub(super) fn wait(ready: impl Future, timeout: Duration) -> bool {
    let mut ready = pin!(ready);
    let bell = Arc::new(Bell {
        waiting: thread::current(),
        rung: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    while ready.as_mut().poll(&mut cx).is_pending() {
        thread::park_timeout(timeout);
        if !bell.rung.swap(false, Ordering::Acquire) {
            return false;
        }
    }
    true
}
