//! From a child's panic to the first line of its next run.

mod by_hand;
#[cfg(feature = "peers")]
mod kameo;
mod ours;
mod probe;
#[cfg(feature = "peers")]
mod ractor_supervisor;
#[cfg(feature = "peers")]
mod rust_supervisor;
#[cfg(feature = "peers")]
mod task_supervisor;
#[cfg(feature = "peers")]
mod taskvisor;
#[cfg(feature = "peers")]
mod tokio_graceful_shutdown;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::probe::ON_PURPOSE;
use self::probe::{Pace, Probe};
use crate::heat::{Contender, Effort, Figures, Heat, Measure, Must};
use crate::otp;

/// How many restarts are measured in a storm, and while nothing else happens.
const HOT: usize = 20_000;
const IDLE: usize = 2_000;
/// Restarts of a short and of a long storm.
const SHORT: usize = 500;
const LONG: usize = 10_000;

/// Measures so many restarts, one after the other, of what `start` starts.
///
/// `None` when the child is not brought back so often: some libraries give up whatever they are told.
fn restarts<F>(pace: Pace, count: usize, start: impl FnOnce(Arc<Probe>) -> F) -> Option<Figures>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let probe = Arc::new(Probe::new(pace, count));
    let tree = start(Arc::clone(&probe));
    let figures = runtime.block_on(async {
        let tree = tokio::spawn(tree);
        let driver = tokio::spawn({
            let probe = Arc::clone(&probe);
            async move { probe.drive().await }
        });
        let is_finished = probe.is_finished().await;
        driver.abort();
        tree.abort();
        is_finished.then(|| probe.figures())
    });
    if figures.is_none() {
        eprintln!("the child did not come back {count} times");
    }
    // What waits for ever in there is ended with the process.
    runtime.shutdown_timeout(Duration::ZERO);
    figures
}

macro_rules! contender {
    ($name:literal, $pace:expr, $count:expr, $start:path) => {
        Contender {
            name: $name,
            run: |effort| restarts($pace, $count(effort), $start),
        }
    };
}

fn hot(effort: Effort) -> usize {
    effort.of(HOT)
}

fn idle(effort: Effort) -> usize {
    effort.of(IDLE)
}

fn measures(pace: Pace) -> Vec<Measure> {
    let mut measures = vec![
        Measure {
            name: "p50",
            unit: "ns",
        },
        Measure {
            name: "p99",
            unit: "ns",
        },
    ];
    if pace == Pace::Hot {
        measures.push(Measure {
            name: "rate",
            unit: "/s",
        });
    }
    measures
}

/// Ahead of a peer library in everything.
fn ahead(pace: Pace) -> Vec<Must> {
    let mut musts = vec![Must::AtMost(1.0), Must::AtMost(1.0)];
    if pace == Pace::Hot {
        musts.push(Must::Any);
    }
    musts
}

/// One peer at both paces.
type Peer = (Contender, Contender);

macro_rules! peer {
    ($name:literal, ($hot:expr, $idle:expr), $start:path) => {
        (
            contender!($name, Pace::Hot, $hot, $start),
            contender!($name, Pace::Idle, $idle, $start),
        )
    };
}

fn by_hand() -> Peer {
    peer!("ractor by hand", (hot, idle), by_hand::start)
}

/// Libraries that start a child again by themselves.
fn libraries() -> Vec<Peer> {
    vec![
        #[cfg(feature = "peers")]
        peer!("ractor-supervisor", (hot, idle), ractor_supervisor::start),
        #[cfg(feature = "peers")]
        peer!("kameo", (hot, idle), kameo::start),
        #[cfg(feature = "peers")]
        peer!(
            "tokio-graceful-shutdown",
            (hot, idle),
            tokio_graceful_shutdown::start
        ),
        #[cfg(feature = "peers")]
        peer!("taskvisor", (few, few), taskvisor::start),
        #[cfg(feature = "peers")]
        peer!("task-supervisor", (few, few), task_supervisor::start),
        #[cfg(feature = "peers")]
        peer!("rust-tokio-supervisor", (few, few), rust_supervisor::start),
        (
            Contender {
                name: "OTP gen_server",
                run: |effort| otp::restarts("hot", hot(effort).min(SHORT * 4)),
            },
            Contender {
                name: "OTP gen_server",
                run: |effort| otp::restarts("idle", idle(effort)),
            },
        ),
    ]
}

/// Thousands of panics that are meant would fill the terminal.
pub(crate) fn keep_quiet_about_crashes() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&ON_PURPOSE) {
            print(info);
        }
    }));
}

/// Everything that is measured here.
pub(crate) fn heats() -> Vec<Heat> {
    let hot_task = || vec![Must::AtMost(0.85), Must::Any, Must::Any];
    let hot = [(by_hand().0, hot_task())];
    let idle = [(by_hand().1, vec![Must::Any; 2])];
    let libraries = libraries();
    let hot_libraries = libraries.iter().map(|peer| (peer.0, ahead(Pace::Hot)));
    let idle_libraries = libraries.iter().map(|peer| (peer.1, ahead(Pace::Idle)));
    let (actor_hot, actor_idle) = peer!("perennial actor", (self::hot, self::idle), ours::actor);
    let (task_hot, task_idle) = peer!("perennial task", (self::hot, self::idle), ours::task);
    let heat = |name, pace, ours, peers| Heat {
        topic: "restart",
        name,
        measures: measures(pace),
        ours,
        peers,
    };
    vec![
        heat(
            "restart of an actor, hot",
            Pace::Hot,
            actor_hot,
            vec![(by_hand().0, vec![Must::AtMost(1.05), Must::Any, Must::Any])],
        ),
        heat(
            "restart of an actor, idle",
            Pace::Idle,
            actor_idle,
            vec![(by_hand().1, vec![Must::AtMost(1.35), Must::Any])],
        ),
        heat(
            "restart of a worker, hot",
            Pace::Hot,
            contender!("perennial worker", Pace::Hot, self::hot, ours::worker),
            hot.to_vec(),
        ),
        heat(
            "restart of a task, hot",
            Pace::Hot,
            task_hot,
            hot.into_iter().chain(hot_libraries).collect(),
        ),
        heat(
            "restart of a task, idle",
            Pace::Idle,
            task_idle,
            idle.into_iter().chain(idle_libraries).collect(),
        ),
        long_storm(),
    ]
}

fn long_storm() -> Heat {
    Heat {
        topic: "restart",
        name: "10 000 restarts in a row against 500",
        measures: vec![Measure {
            name: "rate",
            unit: "/s",
        }],
        ours: Contender {
            name: "perennial, 10 000",
            run: |_| Some(vec![rate(LONG)?]),
        },
        peers: vec![(
            Contender {
                name: "perennial, 500",
                run: |_| Some(vec![rate(SHORT)?]),
            },
            vec![Must::AtLeast(0.9)],
        )],
    }
}

/// Restarts a second in a storm of so many, after one of the same length to warm up.
fn rate(count: usize) -> Option<f64> {
    let _warm = restarts(Pace::Hot, count, ours::actor)?;
    restarts(Pace::Hot, count, ours::actor)?.last().copied()
}

#[cfg(feature = "peers")]
fn few(effort: Effort) -> usize {
    effort.of(200)
}
