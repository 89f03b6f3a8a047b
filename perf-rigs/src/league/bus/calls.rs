//! What a publisher pays for one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::payload::Payload;
use super::side::{Miss, Side};
use crate::heat::{Effort, nanoseconds, percentile};

/// How many receivers wait.
const RECEIVERS: usize = 8;

/// Long enough that all of them, and the worker threads, have gone to sleep again.
const PAUSE: Duration = Duration::from_millis(1);

/// The runtime that all rigs of the bus run in.
pub(super) fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(2).enable_all();
    builder.build().expect("a runtime")
}

/// Receives until the end, and counts.
async fn drain<P, S: Side<P>>(mut receiver: S::Receiver, received: Arc<AtomicU64>) {
    loop {
        match S::receive(&mut receiver).await {
            Ok(many) => drop(received.fetch_add(many as u64, Ordering::Relaxed)),
            Err(Miss::Lagged(lost)) => drop(received.fetch_add(lost, Ordering::Relaxed)),
            Err(Miss::Closed) => return,
        }
    }
}

/// The median of single calls from a task.
pub(super) fn from_a_task<P: Payload, S: Side<P>>(effort: Effort) -> [f64; 1] {
    let runtime = runtime();
    let (publisher, source) = (S::new(), P::source());
    let received = Arc::new(AtomicU64::new(0));
    for _ in 0..RECEIVERS {
        runtime.spawn(drain::<P, S>(
            S::subscribe(&publisher),
            Arc::clone(&received),
        ));
    }
    let calls = runtime.spawn(async move {
        let mut calls = Vec::new();
        for _ in 0..effort.of(3_000) {
            tokio::time::sleep(PAUSE).await;
            let value = P::make(&source);
            let start = Instant::now();
            S::publish(&publisher, value);
            calls.push(start.elapsed());
        }
        calls
    });
    let mut calls = runtime.block_on(calls).expect("it publishes");
    [percentile(&mut calls, 0.5)]
}

/// The median of single calls from a thread that is none of the runtime's.
#[expect(
    clippy::disallowed_methods,
    reason = "the thread has nothing else to do"
)]
pub(super) fn from_a_thread<P: Payload, S: Side<P>>(effort: Effort) -> [f64; 1] {
    let runtime = runtime();
    let (publisher, source) = (S::new(), P::source());
    let received = Arc::new(AtomicU64::new(0));
    for _ in 0..RECEIVERS {
        runtime.spawn(drain::<P, S>(
            S::subscribe(&publisher),
            Arc::clone(&received),
        ));
    }
    let mut calls = Vec::new();
    for _ in 0..effort.of(3_000) {
        thread::sleep(PAUSE);
        let value = P::make(&source);
        let start = Instant::now();
        S::publish(&publisher, value);
        calls.push(start.elapsed());
    }
    [percentile(&mut calls, 0.5)]
}

/// The mean of many calls while the receivers do something else, for each call of all publishers together.
pub(super) fn nobody_waits<P: Payload, S: Side<P>>(publishers: u32, effort: Effort) -> [f64; 1] {
    let (publisher, source) = (S::new(), P::source());
    let _receivers = [(); RECEIVERS].map(|()| S::subscribe(&publisher));
    let many = u32::try_from(effort.of(5_000_000)).expect("it fits");
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..publishers {
            scope.spawn(|| {
                for _ in 0..many {
                    S::publish(&publisher, P::make(&source));
                }
            });
        }
    });
    [nanoseconds(start.elapsed()) / f64::from(many) / f64::from(publishers)]
}
