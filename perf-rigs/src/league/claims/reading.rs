//! A look at all of 10 000 children, alone and beside other readers.

use std::sync::Arc;
use std::time::Duration;

use perennial::{Child, Inbox, Supervisor};
use tokio::time::Instant;

use super::heat;
use crate::heat::{Effort, Figures, Heat, Must, percentile};

/// How many children there are.
pub(super) const CHILDREN: usize = 10_000;

/// How often each reader looks.
const LOOKS: usize = 200;

/// Starts something and lets so many threads read it; returns the median of one reading.
pub(super) fn with_readers<T, R>(
    readers: usize,
    effort: Effort,
    start: impl AsyncFnOnce() -> T,
    read: impl Fn(&T) -> R + Send + Sync,
) -> Option<Figures>
where
    T: Send + Sync,
{
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let read_by_all = runtime.block_on(start());
    let reading = || {
        let look = |_| {
            let began = Instant::now();
            std::hint::black_box(read(&read_by_all));
            began.elapsed()
        };
        (0..effort.of(LOOKS)).map(look).collect::<Vec<Duration>>()
    };
    let mut took: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..readers).map(|_| scope.spawn(reading)).collect();
        let read = threads
            .into_iter()
            .map(|thread| thread.join().expect("it read"));
        read.flatten().collect()
    });
    // What waits for ever in there is ended with the process.
    std::mem::forget(read_by_all);
    runtime.shutdown_timeout(Duration::ZERO);
    Some(vec![percentile(&mut took, 0.5)])
}

fn ours(readers: usize, effort: Effort) -> Option<Figures> {
    let start = async || {
        let mut supervisor = Supervisor::one_for_one("app");
        for number in 0..CHILDREN {
            let name = format!("c{number}");
            let child = Child::worker(name, |_cx, mut inbox: Inbox<()>| async move {
                while inbox.recv().await.is_some() {}
                Ok(())
            });
            supervisor = supervisor.child(child);
        }
        Arc::new(supervisor.start().await.expect("it starts"))
    };
    with_readers(readers, effort, start, |running| running.snapshot())
}

pub(super) fn heats() -> Vec<Heat> {
    let peers: Vec<(_, super::Run, _)> = vec![
        ("perennial, one reader", |effort| ours(1, effort), Must::Any),
        #[cfg(feature = "peers")]
        (
            "proc-daemon, four readers",
            |effort| super::proc_daemon::read(4, effort),
            Must::Any,
        ),
    ];
    vec![heat(
        "a snapshot of 10 000 children",
        ("p50", "ns"),
        ("perennial, four readers", |effort| ours(4, effort)),
        peers,
    )]
}
