//! How long a value is under way.
//!
//! The publisher notes when it publishes value `n`, each receiver when it has it. What a receiver
//! loses, as happens at the highest rate, is not under way at all and does not count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};
use tokio::time::Instant;

use super::calls::runtime;
use super::payload::Payload;
use super::side::{Miss, Side};
use crate::heat::{Effort, percentile};

/// When each value was published.
struct Clock {
    begin: Instant,
    published_ns: Vec<AtomicU64>,
}

impl Clock {
    fn new(values: usize) -> Arc<Self> {
        Arc::new(Self {
            begin: Instant::now(),
            published_ns: (0..values).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Receives until the end; how long each value was under way.
async fn receive<P, S: Side<P>>(mut receiver: S::Receiver, clock: Arc<Clock>) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(clock.published_ns.len());
    let mut next = 0;
    loop {
        match S::receive(&mut receiver).await {
            Ok(many) => {
                let now = clock.now_ns();
                for _ in 0..many {
                    let published = clock.published_ns[next].load(Ordering::Relaxed);
                    latencies.push(Duration::from_nanos(now.saturating_sub(published)));
                    next += 1;
                }
            }
            Err(Miss::Lagged(lost)) => next += usize::try_from(lost).unwrap_or(usize::MAX),
            Err(Miss::Closed) => return latencies,
        }
    }
}

/// Publishes at a rate: sleeping in between where there is time, else letting others run.
async fn publish<P: Payload, S: Side<P>>(publisher: S::Publisher, rate: u64, clock: Arc<Clock>) {
    let source = P::source();
    let interval = Duration::from_nanos(1_000_000_000 / rate);
    let mut due = Instant::now();
    for at in &clock.published_ns {
        due += interval;
        if interval >= Duration::from_millis(1) {
            tokio::time::sleep_until(due).await;
        } else {
            while Instant::now() < due {
                yield_now().await;
            }
        }
        let value = P::make(&source);
        at.store(clock.now_ns(), Ordering::Relaxed);
        S::publish(&publisher, value);
    }
}

/// The median over all values and receivers, published at a steady rate by a task.
pub(super) fn paced<P: Payload, S: Side<P>>(
    receivers: usize,
    rate: u64,
    effort: Effort,
) -> [f64; 1] {
    let a_second = usize::try_from(rate).expect("it fits");
    let values = effort.of(3 * a_second);
    measure::<P, S>((receivers, 0), rate, values)
}

/// The same at 1 000/s while other tasks keep both worker threads awake.
pub(super) fn hot<P: Payload, S: Side<P>>(receivers: usize, effort: Effort) -> [f64; 1] {
    measure::<P, S>((receivers, 2), 1_000, effort.of(3_000))
}

fn measure<P: Payload, S: Side<P>>(
    (receivers, spinning): (usize, usize),
    rate: u64,
    values: usize,
) -> [f64; 1] {
    let runtime = runtime();
    let publisher = S::new();
    let clock = Clock::new(values);
    let spinning: Vec<JoinHandle<()>> = (0..spinning)
        .map(|_| {
            runtime.spawn(async {
                loop {
                    yield_now().await;
                }
            })
        })
        .collect();
    let receiving: Vec<_> = (0..receivers)
        .map(|_| {
            runtime.spawn(receive::<P, S>(
                S::subscribe(&publisher),
                Arc::clone(&clock),
            ))
        })
        .collect();
    let published = runtime.spawn(publish::<P, S>(publisher, rate, clock));
    runtime.block_on(async {
        published.await.expect("it publishes");
        let mut all = Vec::new();
        for one in receiving {
            all.extend(one.await.expect("it receives"));
        }
        spinning.iter().for_each(JoinHandle::abort);
        [percentile(&mut all, 0.5)]
    })
}
