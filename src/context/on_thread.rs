//! How a thread of a child's waits for its stop: with nothing but itself.
//!
//! Not with a timer of the runtime: those stand still while all worker threads are blocked, and each one
//! that is set from outside wakes a worker.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Rouses a thread that waits.
struct Bell(Thread);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks the thread until something is ready, but for no longer than `timeout`, whoever else unparks it
/// meanwhile. Tells whether it is ready.
#[allow(
    clippy::disallowed_methods,
    reason = "it is the thread's own time, which goes on while a test's stands still"
)]
pub(super) fn wait(ready: impl Future, timeout: Duration) -> bool {
    let mut ready = pin!(ready);
    let waker = Waker::from(Arc::new(Bell(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let began = Instant::now();
    loop {
        if ready.as_mut().poll(&mut cx).is_ready() {
            return true;
        }
        match timeout.checked_sub(began.elapsed()) {
            None | Some(Duration::ZERO) => return false,
            Some(left) => thread::park_timeout(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::wait;
    use crate::sync::Notify;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_lasts_its_time_whoever_unparks_the_thread() {
        let (tell, thread_of) = channel();
        let waits = thread::spawn(move || {
            tell.send(thread::current()).expect("it is heard");
            let began = tokio::time::Instant::now();
            let is_ready = wait(pending::<()>(), Duration::from_millis(50));
            (is_ready, began.elapsed())
        });
        let waiting = thread_of.recv().expect("it is told");
        while !waits.is_finished() {
            waiting.unpark();
            thread::yield_now();
        }
        let (is_ready, took) = waits.join().expect("it does not panic");
        assert!(!is_ready && took >= Duration::from_millis(50), "{took:?}");
    }

    #[test]
    fn what_is_ready_or_becomes_so_ends_it() {
        assert!(wait(ready(()), LONG));
        assert!(!wait(pending::<()>(), Duration::ZERO));
        let notify = std::sync::Arc::new(Notify::new());
        let (tell, told) = channel();
        let waits = std::sync::Arc::clone(&notify);
        thread::spawn(move || tell.send(wait(waits.notified(), Duration::MAX)));
        notify.notify_one();
        assert_eq!(told.recv_timeout(LONG), Ok(true));
    }
}
