//! What the benches share: a runtime of two workers, and crashes that print nothing.

// Each bench is a crate of its own and uses a part of this.
#![allow(dead_code, reason = "no bench uses all of it")]

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Runs `bench` with the arguments that cargo was given, and prints the summary.
pub(crate) fn run(bench: impl FnOnce(&mut Criterion)) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}

/// Two workers, wherever it runs, so that figures of two machines mean the same.
pub(crate) fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be made")
}

/// Says nothing of panics; a bench that crashes a child means to.
pub(crate) fn keep_quiet_about_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// Adds up how long `work` takes, and nothing of what `prepare` does before it.
pub(crate) fn timed<P, T>(
    count: u64,
    mut prepare: impl FnMut() -> P,
    mut work: impl FnMut(P) -> T,
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..count {
        let prepared = prepare();
        let began = Instant::now();
        let done = black_box(work(prepared));
        total += began.elapsed();
        drop(done);
    }
    total
}
