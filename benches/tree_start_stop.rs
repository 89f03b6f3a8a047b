//! How long a flat tree of 10, 100 and 1 000 idle workers takes to start, and to stop in reverse order.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::cell::RefCell;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use perennial::{Child, Inbox, Running, Supervisor};

/// Enough for any machine; a stop that needs it is no measurement.
const BUDGET: Duration = Duration::from_secs(3_600);

fn tree(children: u64) -> Supervisor {
    let child = |number| {
        Child::worker(
            format!("child-{number}"),
            |_cx, mut inbox: Inbox<()>| async move {
                while inbox.recv().await.is_some() {}
                Ok(())
            },
        )
    };
    let supervisor = Supervisor::one_for_one("bench");
    (0..children).fold(supervisor, |supervisor, number| {
        supervisor.child(child(number))
    })
}

async fn stop(running: Running) {
    let report = running.stop(BUDGET).await;
    assert!(report.is_clean(), "{report}");
}

fn bench(criterion: &mut Criterion) {
    let runtime = setting::runtime();
    let start = |tree: Supervisor| runtime.block_on(tree.start()).expect("it starts");
    let mut group = criterion.benchmark_group("tree_start_stop");
    for children in [10, 100, 1_000] {
        group.throughput(Throughput::Elements(children));
        group.bench_function(BenchmarkId::new("start", children), |bencher| {
            bencher.iter_custom(|count| {
                let last = RefCell::new(None);
                let stop_last = || last.take().map(|running| runtime.block_on(stop(running)));
                let prepare = || {
                    stop_last();
                    tree(children)
                };
                let total = setting::timed(count, prepare, |tree| last.replace(Some(start(tree))));
                stop_last();
                total
            });
        });
        group.bench_function(BenchmarkId::new("stop", children), |bencher| {
            bencher.iter_custom(|count| {
                let prepare = || start(tree(children));
                setting::timed(count, prepare, |running| runtime.block_on(stop(running)))
            });
        });
    }
    group.finish();
}

fn main() {
    setting::run(bench);
}
