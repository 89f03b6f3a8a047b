//! A flat tree of many idle children: its start, its ordered stop, what it weighs.

mod by_hand;
#[cfg(feature = "peers")]
mod kameo;
mod ours;
#[cfg(feature = "peers")]
mod proc_daemon;
#[cfg(feature = "peers")]
mod ractor_supervisor;
#[cfg(feature = "peers")]
mod task_supervisor;
#[cfg(feature = "peers")]
mod tokio_graceful_shutdown;

use std::time::Duration;

use tokio::time::Instant;

use crate::heat::{Contender, Figures, Heat, Measure, Must, nanoseconds};
use crate::otp;

const CHILDREN: usize = 10_000;
const HUNDRED: usize = 100;
const FEW: usize = 1_000;
const MANY: usize = 100_000;

/// Measures start, stop and resident bytes per child of a tree that `start` starts and `stop` stops.
fn measure<T, S, E>(
    count: usize,
    start: impl FnOnce(usize) -> S,
    stop: impl FnOnce(T) -> E,
) -> Figures
where
    S: Future<Output = T>,
    E: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let figures = runtime.block_on(async {
        let empty = resident();
        let began = Instant::now();
        let tree = start(count).await;
        let started = began.elapsed();
        let full = resident();
        let began = Instant::now();
        stop(tree).await;
        let stopped = began.elapsed();
        let each = |total: f64| total / count as f64;
        vec![
            each(nanoseconds(started)),
            each(nanoseconds(stopped)),
            each(full.saturating_sub(empty) as f64),
        ]
    });
    runtime.shutdown_timeout(Duration::ZERO);
    figures
}

/// Returns how many bytes of this process are in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text.split(' ').nth(1).expect("the second number");
    pages.parse::<u64>().expect("a number") * 4_096
}

macro_rules! contender {
    ($name:literal, $count:expr, $module:ident) => {
        contender!($name, $count, $module, start)
    };
    ($name:literal, $count:expr, $module:ident, $start:ident) => {
        Contender {
            name: $name,
            run: |_| Some(measure($count, $module::$start, $module::stop)),
        }
    };
}

fn measures() -> Vec<Measure> {
    let measure = |name, unit| Measure { name, unit };
    vec![
        measure("start of a child", "ns"),
        measure("ordered stop of a child", "ns"),
        measure("resident per child", "bytes"),
    ]
}

/// Everything that is measured here.
pub(crate) fn heats() -> Vec<Heat> {
    let by_hand = contender!("ractor by hand", CHILDREN, by_hand);
    let any = vec![Must::Any; 3];
    let otp = Contender {
        name: "OTP gen_server",
        run: |_| otp::tree(CHILDREN),
    };
    let peers = vec![
        (
            by_hand,
            vec![Must::AtMost(0.3), Must::AtMost(0.4), Must::AtMost(0.2)],
        ),
        #[cfg(feature = "peers")]
        (
            contender!("ractor-supervisor", CHILDREN, ractor_supervisor),
            any.clone(),
        ),
        #[cfg(feature = "peers")]
        (contender!("kameo", CHILDREN, kameo), any.clone()),
        #[cfg(feature = "peers")]
        (
            contender!("task-supervisor", CHILDREN, task_supervisor),
            any.clone(),
        ),
        #[cfg(feature = "peers")]
        (
            contender!("tokio-graceful-shutdown", CHILDREN, tokio_graceful_shutdown),
            any.clone(),
        ),
        #[cfg(feature = "peers")]
        (
            contender!("proc-daemon", CHILDREN, proc_daemon),
            any.clone(),
        ),
        (otp, any.clone()),
    ];
    let heat = |name, ours, peers| Heat {
        topic: "tree",
        name,
        measures: measures(),
        ours,
        peers,
    };
    vec![
        heat(
            "10 000 actors",
            contender!("perennial actor", CHILDREN, ours, start_actors),
            vec![(by_hand, vec![Must::AtMost(1.1); 3])],
        ),
        heat(
            "10 000 workers",
            contender!("perennial worker", CHILDREN, ours, start_workers),
            peers,
        ),
        heat(
            "100 tasks",
            contender!("perennial task", HUNDRED, ours, start_tasks),
            vec![
                #[cfg(feature = "peers")]
                (contender!("proc-daemon", HUNDRED, proc_daemon), any),
            ],
        ),
        heat(
            "100 000 workers against 1 000",
            contender!("perennial, 100 000", MANY, ours, start_workers),
            vec![(
                contender!("perennial, 1 000", FEW, ours, start_workers),
                vec![Must::AtMost(1.5), Must::AtMost(1.5), Must::Any],
            )],
        ),
    ]
}
