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
fn restarts<F>(pace: Pace, count: usize, start: impl FnOnce(Arc<Probe>) -> F) -> Figures
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
        probe.finished().await;
        driver.abort();
        tree.abort();
        probe.figures()
    });
    // What waits for ever in there is ended with the process.
    runtime.shutdown_timeout(Duration::ZERO);
    figures
}

macro_rules! contender {
    ($name:literal, $pace:expr, $count:expr, $start:path) => {
        Contender {
            name: $name,
            run: |effort| Some(restarts($pace, $count(effort), $start)),
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

/// Everything that is measured here.
pub(crate) fn heats() -> Vec<Heat> {
    let by_hand_hot = contender!("ractor by hand", Pace::Hot, hot, by_hand::start);
    let by_hand_idle = contender!("ractor by hand", Pace::Idle, idle, by_hand::start);
    let actor_hot = vec![Must::AtMost(1.05), Must::Any, Must::Any];
    let task_hot = vec![Must::AtMost(0.85), Must::Any, Must::Any];
    let any = |pace| vec![Must::Any; measures(pace).len()];
    let mut peers_hot = vec![(by_hand_hot, task_hot.clone())];
    let mut peers_idle = vec![(by_hand_idle, any(Pace::Idle))];
    #[cfg(feature = "peers")]
    {
        macro_rules! peers {
            ($($name:literal => $start:path),* $(,)?) => {$(
                peers_hot.push((contender!($name, Pace::Hot, hot, $start), ahead(Pace::Hot)));
                peers_idle.push((contender!($name, Pace::Idle, idle, $start), ahead(Pace::Idle)));
            )*};
        }
        peers! {
            "ractor-supervisor" => ractor_supervisor::start,
            "kameo" => kameo::start,
            "tokio-graceful-shutdown" => tokio_graceful_shutdown::start,
        }
        // These put a delay into every restart: a few are enough.
        macro_rules! slow_peers {
            ($($name:literal => $start:path),* $(,)?) => {$(
                peers_hot.push((contender!($name, Pace::Hot, few, $start), ahead(Pace::Hot)));
                peers_idle.push((contender!($name, Pace::Idle, few, $start), ahead(Pace::Idle)));
            )*};
        }
        slow_peers! {
            "task-supervisor" => task_supervisor::start,
            "taskvisor" => taskvisor::start,
            "rust-tokio-supervisor" => rust_supervisor::start,
        }
    }
    let otp_hot = Contender {
        name: "OTP gen_server",
        run: |effort| otp::restarts("hot", hot(effort).min(SHORT * 4)),
    };
    let otp_idle = Contender {
        name: "OTP gen_server",
        run: |effort| otp::restarts("idle", idle(effort)),
    };
    peers_hot.push((otp_hot, ahead(Pace::Hot)));
    peers_idle.push((otp_idle, ahead(Pace::Idle)));
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
            contender!("perennial actor", Pace::Hot, hot, ours::actor),
            vec![(by_hand_hot, actor_hot)],
        ),
        heat(
            "restart of an actor, idle",
            Pace::Idle,
            contender!("perennial actor", Pace::Idle, idle, ours::actor),
            vec![(by_hand_idle, vec![Must::AtMost(1.35), Must::Any])],
        ),
        heat(
            "restart of a worker, hot",
            Pace::Hot,
            contender!("perennial worker", Pace::Hot, hot, ours::worker),
            vec![(by_hand_hot, task_hot)],
        ),
        heat(
            "restart of a task, hot",
            Pace::Hot,
            contender!("perennial task", Pace::Hot, hot, ours::task),
            peers_hot,
        ),
        heat(
            "restart of a task, idle",
            Pace::Idle,
            contender!("perennial task", Pace::Idle, idle, ours::task),
            peers_idle,
        ),
        Heat {
            topic: "restart",
            name: "10 000 restarts in a row against 500",
            measures: vec![Measure {
                name: "rate",
                unit: "/s",
            }],
            ours: Contender {
                name: "perennial, 10 000",
                run: |_| Some(vec![rate(LONG)]),
            },
            peers: vec![(
                Contender {
                    name: "perennial, 500",
                    run: |_| Some(vec![rate(SHORT)]),
                },
                vec![Must::AtLeast(0.9)],
            )],
        },
    ]
}

/// Restarts a second in a storm of so many, after one of the same length to warm up.
fn rate(count: usize) -> f64 {
    let _warm = restarts(Pace::Hot, count, ours::actor);
    let figures = restarts(Pace::Hot, count, ours::actor);
    figures.last().copied().unwrap_or(f64::NAN)
}

#[cfg(feature = "peers")]
fn few(effort: Effort) -> usize {
    effort.of(200)
}
