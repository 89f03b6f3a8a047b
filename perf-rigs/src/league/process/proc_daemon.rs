//! proc-daemon's own benches.

use std::hint::black_box;
use std::time::Duration;

use proc_daemon::metrics::MetricsCollector;
use proc_daemon::{Config, Daemon, Error, ShutdownHandle};

use super::{MANY, each};
use crate::heat::{Effort, Figures};

async fn nothing(_shutdown: ShutdownHandle) -> proc_daemon::Result<()> {
    Ok(())
}

pub(crate) fn daemon(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        let config = Config::new().expect("its defaults");
        Daemon::builder(config)
            .without_signals()
            .build()
            .expect("it builds")
    })
}

pub(crate) fn three_tasks(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        let config = Config::new().expect("its defaults");
        Daemon::builder(config)
            .with_task("one", nothing)
            .with_task("two", nothing)
            .with_task("three", nothing)
            .without_signals()
            .build()
            .expect("it builds")
    })
}

pub(crate) fn settings(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        let config = Config::builder()
            .name("bench-daemon")
            .worker_threads(black_box(4))
            .shutdown_timeout(Duration::from_secs(2))
            .expect("it is one")
            .force_shutdown_timeout(Duration::from_secs(5))
            .expect("it is one")
            .build()
            .expect("it builds");
        black_box(&config);
    })
}

pub(crate) fn counter(effort: Effort) -> Option<Figures> {
    let collector = MetricsCollector::new();
    each(effort.of(MANY), || {
        collector.increment_counter("bench_counter", black_box(1))
    })
}

pub(crate) fn histogram(effort: Effort) -> Option<Figures> {
    let collector = MetricsCollector::new();
    each(effort.of(MANY), || {
        collector.record_histogram("bench_histogram", black_box(Duration::from_nanos(100)))
    })
}

pub(crate) fn error(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        Error::runtime(black_box("benchmark error"))
    })
}

pub(crate) fn error_chain(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "timeout");
        Error::io_with_source(black_box("operation failed"), source)
    })
}
