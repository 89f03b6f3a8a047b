//! A daemon before it runs, its errors, metrics and logs, and its configuration.
//!
//! The work of the first two topics is that of proc-daemon's own benches. What is in scope differs where the
//! designs do, and the names say so: a daemon of ours reads its configuration when it runs, theirs is given
//! one; theirs looks a metric up by its name each time, ours is held. What the names do not say: a name in our
//! settings may be borrowed, theirs copies it.

mod config;
mod files;
mod logs;
mod ours;
#[cfg(feature = "peers")]
mod proc_daemon;

use std::hint::black_box;
use std::time::Duration;

use tokio::time::Instant;

use crate::heat::{Contender, Effort, Figures, Heat, Measure, Must, nanoseconds};

/// How often a short piece of work is done.
const MANY: usize = 1_000_000;

/// Returns how long one of many took, its drop included. What is made stays where it was made: to move it
/// into a `black_box` would cost more than some of it.
fn each<T>(count: usize, mut work: impl FnMut() -> T) -> Option<Figures> {
    let mut work = || _ = black_box(&work());
    for _warming_up in 0..count / 10 {
        work();
    }
    let began = Instant::now();
    for _ in 0..count {
        work();
    }
    Some(vec![nanoseconds(began.elapsed()) / count as f64])
}

/// Returns how long one of many took, without what had to be made ready before each.
fn each_timed<P, T>(
    count: usize,
    mut prepare: impl FnMut() -> P,
    mut work: impl FnMut(P) -> T,
) -> Option<Figures> {
    let mut took = Duration::ZERO;
    for run in 0..count + count / 10 {
        let prepared = prepare();
        let began = Instant::now();
        let done = work(prepared);
        black_box(&done);
        // The first tenth warms up.
        if run >= count / 10 {
            took += began.elapsed();
        }
        drop(done);
    }
    Some(vec![nanoseconds(took) / count as f64])
}

/// One run of a contender.
type Run = fn(Effort) -> Option<Figures>;

fn heat(
    (topic, name): (&'static str, &'static str),
    ours: Run,
    peers: Vec<(&'static str, Run, Must)>,
) -> Heat {
    let peer = |(name, run, must)| (Contender { name, run }, vec![must]);
    Heat {
        topic,
        name,
        measures: vec![Measure {
            name: "each",
            unit: "ns",
        }],
        ours: Contender {
            name: "perennial",
            run: ours,
        },
        peers: peers.into_iter().map(peer).collect(),
    }
}

const SETTINGS: &str = "make settings: defaults, four values set, validated";

/// Everything that is measured here.
pub(crate) fn heats() -> Vec<Heat> {
    let mut heats = config::heats();
    heats.extend(files::heats());
    heats.extend(logs::heats());
    #[cfg(feature = "peers")]
    heats.extend(beside_proc_daemon());
    #[cfg(not(feature = "peers"))]
    heats.extend(alone());
    heats
}

#[cfg(feature = "peers")]
fn beside_proc_daemon() -> Vec<Heat> {
    use Must::AtMost;
    const PEER: &str = "proc-daemon";
    vec![
        heat(
            ("daemon", "make a daemon"),
            ours::daemon,
            vec![(PEER, proc_daemon::daemon, AtMost(0.1))],
        ),
        heat(
            ("daemon", "make a daemon with three tasks"),
            ours::three_tasks,
            vec![(PEER, proc_daemon::three_tasks, AtMost(0.1))],
        ),
        heat(
            ("daemon", "count, held against looked up"),
            ours::counter,
            vec![(PEER, proc_daemon::counter, AtMost(0.3))],
        ),
        heat(
            ("daemon", "record in a histogram, held against looked up"),
            ours::histogram,
            vec![(PEER, proc_daemon::histogram, AtMost(0.5))],
        ),
        heat(
            ("config", SETTINGS),
            ours::settings,
            vec![(PEER, proc_daemon::settings, AtMost(0.5))],
        ),
        heat(
            ("errors", "make an error"),
            ours::error,
            vec![(PEER, proc_daemon::error, AtMost(0.2))],
        ),
        heat(
            ("errors", "make an error with a source"),
            ours::error_chain,
            vec![(PEER, proc_daemon::error_chain, AtMost(0.85))],
        ),
    ]
}

/// Without the peers the work is at least done.
#[cfg(not(feature = "peers"))]
fn alone() -> Vec<Heat> {
    vec![
        heat(("daemon", "make a daemon"), ours::daemon, Vec::new()),
        heat(
            ("daemon", "make a daemon with three tasks"),
            ours::three_tasks,
            Vec::new(),
        ),
        heat(("daemon", "count"), ours::counter, Vec::new()),
        heat(
            ("daemon", "record in a histogram"),
            ours::histogram,
            Vec::new(),
        ),
        heat(("config", SETTINGS), ours::settings, Vec::new()),
        heat(("errors", "make an error"), ours::error, Vec::new()),
        heat(
            ("errors", "make an error with a source"),
            ours::error_chain,
            Vec::new(),
        ),
    ]
}
