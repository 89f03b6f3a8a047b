//! How much goes through, and what that costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::calls::runtime;
use super::payload::Payload;
use super::side::{Miss, Side};
use crate::heat::{Effort, Figures, nanoseconds};

/// How many values are published before the publisher waits for everybody: far below the capacity,
/// so that nothing is lost.
const BURST: usize = 1_024;

/// Who has not had the whole burst yet.
#[derive(Default)]
struct Behind {
    receivers: AtomicUsize,
    nobody: Notify,
}

/// Receives until the end, and says so after each burst.
async fn receive<P, S: Side<P>>(mut receiver: S::Receiver, behind: Arc<Behind>) {
    let mut received = 0;
    loop {
        match S::receive(&mut receiver).await {
            Ok(many) => received += many,
            Err(Miss::Lagged(lost)) => panic!("{lost} lost in a closed loop"),
            Err(Miss::Closed) => return,
        }
        if received == BURST {
            received = 0;
            if behind.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
                behind.nobody.notify_one();
            }
        }
    }
}

/// Publishes burst after burst, each once everybody has had the one before. Measures the values
/// published in a second, and the time on a processor for each, of all threads together.
pub(super) fn closed<P: Payload, S: Side<P>>(receivers: usize, effort: Effort) -> Figures {
    let runtime = runtime();
    let (publisher, source) = (S::new(), P::source());
    let behind = Arc::new(Behind::default());
    for _ in 0..receivers {
        let receiver = S::subscribe(&publisher);
        runtime.spawn(receive::<P, S>(receiver, Arc::clone(&behind)));
    }
    let bursts = effort.of(10_000);
    let published = runtime.spawn(async move {
        for _ in 0..bursts {
            behind.receivers.store(receivers, Ordering::Release);
            for _ in 0..BURST {
                S::publish(&publisher, P::make(&source));
            }
            while behind.receivers.load(Ordering::Acquire) > 0 {
                behind.nobody.notified().await;
            }
        }
    });
    let (start, cpu) = (Instant::now(), cpu_time());
    runtime.block_on(published).expect("it publishes");
    let (wall, cpu) = (start.elapsed(), cpu_time().saturating_sub(cpu));
    let events = (bursts * BURST) as f64;
    vec![events / wall.as_secs_f64(), nanoseconds(cpu) / events]
}

/// The time that the process's threads have had on a processor.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let on_cpu_ns = |task: std::fs::DirEntry| -> Option<u64> {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let all = tasks.filter_map(|task| on_cpu_ns(task.ok()?));
    Duration::from_nanos(all.sum())
}

/// The highest pace at which nobody loses anything: it is raised by a tenth until two paces in a row
/// were too much.
pub(super) fn lag_free_pace<P: Payload, S: Side<P>>(receivers: usize, _effort: Effort) -> [f64; 1] {
    let (mut pace, mut best, mut failures) = (100_000.0, 0.0, 0);
    while failures < 2 {
        if keeps_up::<P, S>(receivers, pace) {
            best = pace;
            failures = 0;
        } else {
            failures += 1;
        }
        pace *= 1.1;
    }
    [best]
}

/// Publishes at a pace for a while, in a burst each time that there is something due.
fn keeps_up<P: Payload, S: Side<P>>(receivers: usize, pace: f64) -> bool {
    let runtime = runtime();
    let (publisher, source) = (S::new(), P::source());
    let has_lost = Arc::new(AtomicBool::new(false));
    for _ in 0..receivers {
        let (mut receiver, has_lost) = (S::subscribe(&publisher), Arc::clone(&has_lost));
        runtime.spawn(async move {
            loop {
                match S::receive(&mut receiver).await {
                    Ok(_) => {}
                    Err(Miss::Lagged(_)) => has_lost.store(true, Ordering::Relaxed),
                    Err(Miss::Closed) => return,
                }
            }
        });
    }
    let lost = Arc::clone(&has_lost);
    let published = runtime.spawn(async move {
        let start = Instant::now();
        let mut done = 0.0;
        while start.elapsed() < Duration::from_millis(50) && !lost.load(Ordering::Relaxed) {
            let due = start.elapsed().as_secs_f64() * pace;
            while done < due {
                S::publish(&publisher, P::make(&source));
                done += 1.0;
            }
            yield_now().await;
        }
        done >= start.elapsed().as_secs_f64() * pace * 0.9
    });
    let kept_pace = runtime.block_on(published).expect("it publishes");
    kept_pace && !has_lost.load(Ordering::Relaxed)
}
