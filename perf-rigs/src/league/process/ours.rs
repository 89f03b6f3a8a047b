//! What proc-daemon's benches do, with perennial.

use std::hint::black_box;
use std::time::Duration;

use perennial::config::Settings;
use perennial::error::{CodedError, ErrorCode};
use perennial::metrics::Registry;
use perennial::{Child, Daemon, Supervisor};

use super::{MANY, each};
use crate::heat::{Effort, Figures};

pub(crate) fn daemon(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || Daemon::new("bench"))
}

pub(crate) fn three_tasks(effort: Effort) -> Option<Figures> {
    let task = |name| Child::task(name, |_cx| async { Ok(()) });
    each(effort.of(MANY), || {
        let tree = Supervisor::one_for_one("bench")
            .child(task("one"))
            .child(task("two"))
            .child(task("three"));
        Daemon::new("bench").tree(tree)
    })
}

pub(crate) fn settings(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        let mut settings = Settings::default();
        settings.daemon.name = Some("bench-daemon".into());
        settings.runtime.worker_threads = black_box(4);
        settings.shutdown.graceful = Duration::from_secs(2);
        settings.shutdown.force = Some(Duration::from_secs(5));
        settings.validate().expect("it is valid");
        // Where they were made, as with the peer: to hand them out would move 632 bytes.
        black_box(&settings);
    })
}

pub(crate) fn counter(effort: Effort) -> Option<Figures> {
    let registry = Registry::new();
    let counter = registry.counter("bench_total", "").expect("it is new");
    each(effort.of(MANY), || counter.increment(black_box(1)))
}

pub(crate) fn histogram(effort: Effort) -> Option<Figures> {
    let registry = Registry::new();
    let histogram = registry.histogram("bench_seconds", "").expect("it is new");
    each(effort.of(MANY), || {
        histogram.record_duration(black_box(Duration::from_nanos(100)))
    })
}

pub(crate) fn error(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        CodedError::new(ErrorCode::RUNTIME_FAILED, black_box("benchmark error"))
    })
}

pub(crate) fn error_chain(effort: Effort) -> Option<Figures> {
    each(effort.of(MANY), || {
        let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "timeout");
        CodedError::new(ErrorCode::TIMED_OUT, black_box("operation failed")).because(source)
    })
}
