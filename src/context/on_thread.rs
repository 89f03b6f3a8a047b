//! How a thread of a child's waits for its stop: with nothing but itself.
//!
//! Not with a timer of the runtime: those stand still while all worker threads are blocked, and each one
//! that is set from outside wakes a worker.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// Rouses a thread that waits on the other end.
struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Fails when nobody waits any more.
        self.0.send(()).unwrap_or_default();
    }
}

/// Blocks the thread until something is ready, but for no longer than `timeout`, counted anew when it was
/// roused in vain. Tells whether it is ready.
pub(super) fn wait(ready: impl Future, timeout: Duration) -> bool {
    let mut ready = pin!(ready);
    let (bell, rung) = channel();
    let waker = Waker::from(Arc::new(Bell(bell)));
    let mut cx = Context::from_waker(&waker);
    while ready.as_mut().poll(&mut cx).is_pending() {
        if rung.recv_timeout(timeout).is_err() {
            return false;
        }
    }
    true
}
