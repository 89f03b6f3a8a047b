//! The end: of many idle children, of a daemon that is sent SIGTERM, of a daemon with one task.
//!
//! A contender's name says whether it stops its children in order: one after the other, the last one
//! first. The tests see to it that the names are true.

mod by_hand;
#[cfg(feature = "peers")]
mod kameo;
mod one_task;
mod ours;
#[cfg(feature = "peers")]
mod ractor_supervisor;
mod signal;
#[cfg(feature = "peers")]
mod task_supervisor;
#[cfg(feature = "peers")]
mod tokio_graceful_shutdown;
mod witness;

use std::time::Duration;

use tokio::time::Instant;

use self::witness::Witness;
use crate::heat::{Contender, Effort, Figures, Heat, Measure, Must, nanoseconds};
use crate::otp;

pub(crate) use self::signal::{DAEMON, be_a_daemon};

const CHILDREN: usize = 10_000;
const MANY: usize = 100_000;

/// A library that stops children, and how it is seen to do so.
struct Library {
    ten_thousand: Contender,
    hundred_thousand: Contender,
    must: Must,
    /// What the witness of a few children notes down; `None` where what it needs is not installed.
    #[cfg(test)]
    observe: fn() -> Option<Vec<witness::Moment>>,
}

/// Measures the stop of a tree that `start` starts and `stop` stops, for each child.
fn measure<T, S, E>(
    count: usize,
    start: impl FnOnce(usize, Witness) -> S,
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
    let took = runtime.block_on(async {
        let tree = start(count, Witness::default()).await;
        let began = Instant::now();
        stop(tree).await;
        began.elapsed()
    });
    runtime.shutdown_timeout(Duration::ZERO);
    vec![nanoseconds(took) / count as f64]
}

/// Says what is measured at full effort alone.
fn if_full(effort: Effort, measured: impl FnOnce() -> Figures) -> Option<Figures> {
    (effort == Effort::Full).then(measured)
}

macro_rules! library {
    ($name:literal, $must:expr, $module:ident :: $start:ident, $stop:ident) => {
        Library {
            ten_thousand: Contender {
                name: $name,
                run: |_| Some(measure(CHILDREN, $module::$start, $module::$stop)),
            },
            hundred_thousand: Contender {
                name: $name,
                run: |effort| if_full(effort, || measure(MANY, $module::$start, $module::$stop)),
            },
            must: $must,
            #[cfg(test)]
            observe: || Some(witness::watch($module::$start, $module::$stop)),
        }
    };
}

fn ours() -> Library {
    library!(
        "perennial worker, in order",
        Must::Any,
        ours::start_workers,
        stop
    )
}

fn ours_as_tasks() -> Library {
    library!(
        "perennial task, in order",
        Must::Any,
        ours::start_tasks,
        stop
    )
}

/// `supervisor` of OTP, at its ordered stop: the second of the figures of a tree.
fn of_otp(children: usize) -> Option<Figures> {
    Some(vec![*otp::tree(children)?.get(1)?])
}

/// All others. Ours has to be the fastest of those that stop in order.
fn peers() -> Vec<Library> {
    let fastest = Must::AtMost(1.0);
    vec![
        library!("ractor by hand, in order", fastest, by_hand::start, stop),
        library!(
            "ractor by hand, all at once",
            Must::Any,
            by_hand::start,
            stop_all
        ),
        #[cfg(feature = "peers")]
        library!(
            "ractor-supervisor, kills",
            Must::Any,
            ractor_supervisor::start,
            stop
        ),
        #[cfg(feature = "peers")]
        library!("kameo by hand, in order", fastest, kameo::start, stop),
        #[cfg(feature = "peers")]
        library!("kameo, all at once", Must::Any, kameo::start, stop_all),
        #[cfg(feature = "peers")]
        library!(
            "task-supervisor, all at once",
            Must::Any,
            task_supervisor::start,
            stop
        ),
        #[cfg(feature = "peers")]
        library!(
            "tokio-graceful-shutdown, all at once",
            Must::Any,
            tokio_graceful_shutdown::start,
            stop
        ),
        Library {
            ten_thousand: Contender {
                name: "OTP gen_server, in order",
                run: |_| of_otp(CHILDREN),
            },
            hundred_thousand: Contender {
                name: "OTP gen_server, in order",
                run: |effort| (effort == Effort::Full).then(|| of_otp(MANY)).flatten(),
            },
            must: fastest,
            #[cfg(test)]
            observe: || otp::stops().map(witness::moments),
        },
    ]
}

/// Everything that is measured here.
pub(crate) fn heats() -> Vec<Heat> {
    let heat = |name, ours: Contender, of: fn(&Library) -> Contender| Heat {
        topic: "shutdown",
        name,
        measures: vec![Measure {
            name: "each child",
            unit: "ns",
        }],
        ours,
        peers: peers()
            .iter()
            .map(|peer| (of(peer), vec![peer.must]))
            .collect(),
    };
    let small = |library: &Library| library.ten_thousand;
    let large = |library: &Library| library.hundred_thousand;
    let mut heats = vec![
        heat("stop of 10 000 workers", ours().ten_thousand, small),
        heat("stop of 10 000 tasks", ours_as_tasks().ten_thousand, small),
        heat("stop of 100 000 workers", ours().hundred_thousand, large),
    ];
    heats.extend(signal::heats());
    heats.extend(one_task::heats());
    heats
}

#[cfg(test)]
mod tests;
