//! The task that wakes the subscribers of one runtime.
//!
//! Waking a second task from within a task makes tokio rouse a sleeping worker thread, in a system
//! call that everybody behind it in the queue waits for: 5 to 50 µs for something that takes the awake
//! worker a few. So while a worker sleeps the relay wakes one subscriber, which wakes the next, and
//! that one the relay again. When all workers are awake nothing has to be roused, and it wakes all at
//! once.
//!
//! One at a time has a price where a subscriber blocks its worker: those after it wait for it. A relay
//! that had to wait long for its turn does without for a while, longer each time.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{self, RuntimeMetrics};
use tokio::task::{coop, yield_now};
use tokio::time::Instant;

use super::seat::Place;
use super::waiting::{Pass, Waiting};

/// How long a subscriber that was woken may keep the relay from its next turn: some times what rousing
/// a thread costs. Past this, one at a time is no gain.
const PATIENCE: Duration = Duration::from_micros(100);

/// How many calls are answered by waking all at once after a first long wait, which any thread has now
/// and then that is taken off its processor.
const FEWEST_CALLS_WITHOUT: u32 = 8;

/// The same when each trial ends with a long wait: subscribers that block hold up the others for one
/// call in a thousand.
const MOST_CALLS_WITHOUT: u32 = 1_024;

/// More than a task's cooperative budget, which is 128 in tokio 1.54.
const MOST_BUDGET: u32 = 1_024;

/// How long a worker's naps have to be on the average, if it is to count as one that sleeps: longer than
/// what rousing one takes. One whose naps are shorter looks for events in between, or is roused by
/// others anyway.
const NAP: Duration = Duration::from_micros(50);

/// Over what time at least the average is taken: some naps.
const WINDOW: Duration = Duration::from_micros(200);

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
        let mut workers = Workers::new(runtime.metrics());
        drop(runtime.spawn(self.run(move || workers.is_one_asleep())));
    }

    /// Wakes until fewer than two subscribers are left.
    pub(super) async fn run(mut self, mut is_a_worker_asleep: impl FnMut() -> bool) {
        let mut temper = Temper::new();
        loop {
            let is_gentle = is_a_worker_asleep() && temper.is_gentle();
            match self.pass(is_gentle).await {
                Pass::More => {
                    let since = Instant::now();
                    next_turn().await;
                    temper.note(since.elapsed());
                }
                Pass::Over => {
                    temper.count_call();
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

/// Waits until those that were woken had their turn, or until one of them calls.
///
/// What is left of the cooperative budget is used up first. A worker that finds it used up puts the task
/// that was woken last into its queue without asking for help, and goes on there as if nothing had
/// happened before; otherwise it would rouse another worker for the fourth task in a row. Then tokio
/// treats this one as any task without budget: it has its next turn when the worker has nothing else to
/// do. That is some 125 steps, or half a microsecond, in the place of a system call.
async fn next_turn() {
    let mut has_waited = false;
    poll_fn(|cx| {
        for _ in 0..MOST_BUDGET {
            if has_waited {
                break;
            }
            match coop::poll_proceed(cx) {
                Poll::Ready(unit) => unit.made_progress(),
                Poll::Pending => {
                    has_waited = true;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    })
    .await;
    if !has_waited {
        // There is no budget here.
        yield_now().await;
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

/// Whether one at a time pays, by what it has cost so far.
struct Temper {
    calls_without: u32,
    /// How many they will be after the next long wait.
    next: u32,
}

impl Temper {
    fn new() -> Self {
        Self {
            calls_without: 0,
            next: FEWEST_CALLS_WITHOUT,
        }
    }

    fn is_gentle(&self) -> bool {
        self.calls_without == 0
    }

    /// Takes note of how long a turn was waited for.
    fn note(&mut self, waited: Duration) {
        if waited > PATIENCE {
            self.calls_without = self.next;
            self.next = (self.next * 2).min(MOST_CALLS_WITHOUT);
        }
    }

    /// Takes note that a call was answered.
    fn count_call(&mut self) {
        match self.calls_without {
            0 => self.next = (self.next / 2).max(FEWEST_CALLS_WITHOUT),
            _ => self.calls_without -= 1,
        }
    }
}

/// The worker threads of a runtime. tokio counts how often each went to sleep and woke up again: an odd
/// number sleeps, or looks for events for a moment in between.
struct Workers {
    metrics: RuntimeMetrics,
    /// The counts at the beginning of the last window, and of this one.
    before: Counts,
    recent: Counts,
}

/// How often each worker went to sleep and woke up, by when.
struct Counts {
    at: Instant,
    of: Vec<u64>,
}

impl Workers {
    fn new(metrics: RuntimeMetrics) -> Self {
        let counts = || Counts {
            at: Instant::now(),
            of: vec![0; metrics.num_workers()],
        };
        Self {
            before: counts(),
            recent: counts(),
            metrics,
        }
    }

    /// Whether one of them would have to be roused. A runtime of one thread has nobody to rouse.
    fn is_one_asleep(&mut self) -> bool {
        if self.recent.of.len() < 2 {
            return false;
        }
        let now = Instant::now();
        if now - self.recent.at > WINDOW {
            std::mem::swap(&mut self.before, &mut self.recent);
            self.recent.at = now;
            for (worker, count) in self.recent.of.iter_mut().enumerate() {
                *count = self.metrics.worker_park_unpark_count(worker);
            }
        }
        let most_naps = ((now - self.before.at).as_nanos() / NAP.as_nanos()).max(1);
        let mut workers = self.before.of.iter().enumerate();
        workers.any(|(worker, before)| {
            let count = self.metrics.worker_park_unpark_count(worker);
            count % 2 == 1 && u128::from(count.saturating_sub(*before) / 2) <= most_naps
        })
    }
}

impl Drop for Relay {
    /// Its runtime is going down, or never took it.
    fn drop(&mut self) {
        if !self.has_ended {
            self.waiting.relay_is_gone(self.place);
        }
    }
}
