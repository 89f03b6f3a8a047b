//! The task that wakes the subscribers of one runtime.
//!
//! Waking a second task from within a task makes tokio rouse a sleeping worker thread, in a system
//! call that everybody behind it in the queue waits for: 5 to 50 µs for something that takes the awake
//! worker a few. So while a worker sleeps the relay wakes one subscriber, which wakes the next, and
//! looks again once these had their turn. When all workers are awake nothing has to be roused, and it
//! wakes all at once.
//!
//! One at a time has a price where a subscriber blocks its worker: those after it wait for it. A relay
//! that had to wait long for its turn does without for a while.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{self, RuntimeMetrics};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::seat::Place;
use super::waiting::{Pass, Waiting};

/// How long a subscriber that was woken may keep the relay from its next turn: some times what rousing
/// a thread costs. Past this, one at a time is no gain.
const PATIENCE: Duration = Duration::from_micros(100);

/// How many calls are then answered by waking all at once: so that a subscriber which blocks now and
/// then holds up the others for one in a thousand.
const CALLS_WITHOUT: u32 = 1_000;

/// A relay that has been asked for and not been spawned yet, or runs.
pub(super) struct Relay {
    waiting: Arc<Waiting>,
    place: Place,
    has_ended: bool,
}

impl Relay {
    /// Makes the relay that [`Waiting::join`] has asked for.
    pub(super) fn new(waiting: &Arc<Waiting>, place: Place) -> Self {
        Self {
            waiting: Arc::clone(waiting),
            place,
            has_ended: false,
        }
    }

    /// Runs as a task of the runtime on which its subscribers wait.
    pub(super) fn spawn_on(self, runtime: &runtime::Handle) {
        let workers = runtime.metrics();
        drop(runtime.spawn(self.run(move || is_a_worker_asleep(&workers))));
    }

    /// Wakes until fewer than two subscribers are left.
    pub(super) async fn run(mut self, is_a_worker_asleep: impl Fn() -> bool) {
        let mut calls_without = 0_u32;
        loop {
            let is_gentle = calls_without == 0 && is_a_worker_asleep();
            match self.pass(is_gentle).await {
                Pass::More => {
                    let since = Instant::now();
                    yield_now().await;
                    if since.elapsed() > PATIENCE {
                        calls_without = CALLS_WITHOUT;
                    }
                }
                Pass::Over => {
                    calls_without = calls_without.saturating_sub(1);
                    called().await;
                }
                Pass::Last => break,
            }
        }
        self.has_ended = true;
    }

    async fn pass(&self, is_gentle: bool) -> Pass {
        poll_fn(|cx| Poll::Ready(self.waiting.relay(self.place, cx.waker(), is_gentle))).await
    }
}

/// Waits for a wake-up.
async fn called() {
    let mut is_called = false;
    poll_fn(|_cx| match std::mem::replace(&mut is_called, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// tokio counts how often a worker went to sleep and woke up again: an odd number sleeps. A runtime of
/// one thread has nobody to rouse.
fn is_a_worker_asleep(workers: &RuntimeMetrics) -> bool {
    let count = workers.num_workers();
    count > 1 && (0..count).any(|worker| workers.worker_park_unpark_count(worker) % 2 == 1)
}

impl Drop for Relay {
    /// Its runtime is going down, or never took it.
    fn drop(&mut self) {
        if !self.has_ended {
            self.waiting.relay_is_gone(self.place);
        }
    }
}
