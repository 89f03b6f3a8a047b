//! What it costs to declare a daemon: alone, with three tasks, with a hundred, and its settings.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use perennial::config::Settings;
use perennial::{Child, Daemon, Supervisor};

fn tree(tasks: usize) -> Supervisor {
    let task = |number| Child::task(format!("task-{number}"), |_cx| async { Ok(()) });
    let supervisor = Supervisor::one_for_one("bench");
    (0..tasks).fold(supervisor, |supervisor, number| {
        supervisor.child(task(number))
    })
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.daemon.name = Some("bench-daemon".into());
    settings.runtime.worker_threads = black_box(4);
    settings.shutdown.graceful = Duration::from_secs(2);
    settings.shutdown.force = Some(Duration::from_secs(5));
    settings
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("daemon_creation");
    group.bench_function("daemon", |bencher| {
        bencher.iter(|| Daemon::new(black_box("bench")));
    });
    for tasks in [3, 100] {
        group.bench_function(BenchmarkId::new("tasks", tasks), |bencher| {
            bencher.iter(|| Daemon::new("bench").tree(tree(black_box(tasks))));
        });
    }
    group.bench_function("settings", |bencher| bencher.iter(settings));
    group.finish();
}

fn main() {
    setting::run(bench);
}
