//! Messages to one child: told, asked, from many threads.

#[cfg(feature = "peers")]
mod actix;
mod by_hand;
#[cfg(feature = "peers")]
mod kameo;
mod ours;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::heat::{Contender, Effort, Figures, Heat, Measure, Must, nanoseconds, percentile};
use crate::otp;

const TELLS: usize = 1_000_000;
const ASKS: usize = 100_000;
const IN_FLIGHT: usize = 100_000;
const THREADS: usize = 8;

/// Something that is told numbers, and says when it has had so many.
struct Counter {
    left: AtomicUsize,
    is_over: Notify,
}

impl Counter {
    fn of(count: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(count),
            is_over: Notify::new(),
        })
    }

    fn got_one(&self) {
        // Only one child counts.
        let left = self.left.load(Ordering::Relaxed) - 1;
        self.left.store(left, Ordering::Relaxed);
        if left == 0 {
            self.is_over.notify_one();
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Tells `count` times from one task, and waits until all were handled.
fn tell<S, T>(count: usize, start: impl FnOnce(Arc<Counter>) -> S) -> Figures
where
    S: Future<Output = T>,
    T: Fn() + Send + 'static,
{
    let runtime = runtime();
    let counter = Counter::of(count);
    let took = runtime.block_on(async {
        let tell = start(Arc::clone(&counter)).await;
        let began = Instant::now();
        let telling = tokio::spawn(async move {
            for number in 0..count {
                tell();
                if number % 1_024 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        counter.is_over.notified().await;
        let took = began.elapsed();
        telling.await.expect("it told");
        took
    });
    runtime.shutdown_timeout(Duration::ZERO);
    vec![count as f64 / took.as_secs_f64()]
}

/// Tells `count` times from several threads that know no runtime.
fn tell_from_threads<S, T>(count: usize, start: impl FnOnce(Arc<Counter>) -> S) -> Figures
where
    S: Future<Output = T>,
    T: Fn() + Send + Sync + 'static,
{
    let runtime = runtime();
    let each = count / THREADS;
    let counter = Counter::of(each * THREADS);
    let tell = Arc::new(runtime.block_on(start(Arc::clone(&counter))));
    let began = Instant::now();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let tell = Arc::clone(&tell);
            std::thread::spawn(move || (0..each).for_each(|_| tell()))
        })
        .collect();
    runtime.block_on(counter.is_over.notified());
    let took = began.elapsed();
    for thread in threads {
        thread.join().expect("it told");
    }
    runtime.shutdown_timeout(Duration::ZERO);
    vec![(each * THREADS) as f64 / took.as_secs_f64()]
}

/// Asks `count` times, one question after the other.
fn ask<S, A, F>(count: usize, start: impl FnOnce() -> S) -> Figures
where
    S: Future<Output = A> + Send,
    A: Fn() -> F + Send + 'static,
    F: Future<Output = u64> + Send,
{
    let runtime = runtime();
    let mut latencies = runtime.block_on(async {
        let ask = start().await;
        let asking = tokio::spawn(async move {
            let mut latencies = Vec::with_capacity(count);
            for _ in 0..count {
                let began = Instant::now();
                ask().await;
                latencies.push(began.elapsed());
            }
            latencies
        });
        asking.await.expect("it asked")
    });
    runtime.shutdown_timeout(Duration::ZERO);
    vec![
        percentile(&mut latencies, 0.5),
        percentile(&mut latencies, 0.99),
    ]
}

/// Asks `count` times at once, and waits for all answers.
fn ask_at_once<S, A, F>(count: usize, start: impl FnOnce() -> S) -> Figures
where
    S: Future<Output = A> + Send,
    A: Fn() -> F + Send + 'static,
    F: Future<Output = u64> + Send + 'static,
{
    let runtime = runtime();
    let took = runtime.block_on(async {
        let ask = start().await;
        let began = Instant::now();
        let asking: Vec<_> = (0..count).map(|_| tokio::spawn(ask())).collect();
        for asked in asking {
            asked.await.expect("it was answered");
        }
        began.elapsed()
    });
    runtime.shutdown_timeout(Duration::ZERO);
    vec![nanoseconds(took) / count as f64]
}

macro_rules! contender {
    ($name:literal, $measure:ident, $count:expr, $start:path) => {
        Contender {
            name: $name,
            run: |effort: Effort| Some($measure(effort.of($count), $start)),
        }
    };
}

fn rate() -> Vec<Measure> {
    vec![Measure {
        name: "rate",
        unit: "/s",
    }]
}

fn latency() -> Vec<Measure> {
    let measure = |name| Measure { name, unit: "ns" };
    vec![measure("p50"), measure("p99")]
}

fn heat(
    name: &'static str,
    measures: Vec<Measure>,
    ours: Contender,
    peers: Vec<(Contender, Vec<Must>)>,
) -> Heat {
    Heat {
        topic: "messages",
        name,
        measures,
        ours,
        peers,
    }
}

/// Everything that is measured here.
pub(crate) fn heats() -> Vec<Heat> {
    let mut heats = tells();
    heats.extend(asks());
    heats
}

fn tells() -> Vec<Heat> {
    let ractor = contender!("ractor by hand", tell, TELLS, by_hand::tell);
    let to_a_worker = vec![
        (ractor, vec![Must::AtLeast(3.0)]),
        #[cfg(feature = "peers")]
        (
            contender!("kameo", tell, TELLS, kameo::tell),
            vec![Must::Any],
        ),
        #[cfg(feature = "peers")]
        (
            contender!("actix", tell, TELLS, actix::tell),
            vec![Must::Any],
        ),
        (
            Contender {
                name: "OTP gen_server",
                run: |effort| otp::tell(effort.of(TELLS)),
            },
            vec![Must::Any],
        ),
    ];
    let threads = contender!("ractor by hand", tell_from_threads, TELLS, by_hand::tell);
    vec![
        heat(
            "tell an actor by its ActorRef",
            rate(),
            contender!("perennial actor", tell, TELLS, ours::tell_by_reference),
            vec![(ractor, vec![Must::AtLeast(0.92)])],
        ),
        heat(
            "tell an actor by its Handle",
            rate(),
            contender!("perennial actor", tell, TELLS, ours::tell_by_handle),
            vec![(ractor, vec![Must::AtLeast(0.85)])],
        ),
        heat(
            "tell a worker",
            rate(),
            contender!("perennial worker", tell, TELLS, ours::tell_a_worker),
            to_a_worker,
        ),
        heat(
            "8 threads tell one worker",
            rate(),
            contender!(
                "perennial worker",
                tell_from_threads,
                TELLS,
                ours::tell_a_worker
            ),
            vec![(threads, vec![Must::AtLeast(1.0)])],
        ),
    ]
}

fn asks() -> Vec<Heat> {
    let peers = vec![
        (
            contender!("ractor by hand", ask, ASKS, by_hand::ask),
            vec![Must::AtMost(0.7), Must::Any],
        ),
        #[cfg(feature = "peers")]
        (
            contender!("kameo", ask, ASKS, kameo::ask),
            vec![Must::Any; 2],
        ),
        #[cfg(feature = "peers")]
        (
            contender!("actix", ask, ASKS, actix::ask),
            vec![Must::Any; 2],
        ),
        (
            Contender {
                name: "OTP gen_server",
                run: |effort| otp::ask(effort.of(ASKS)),
            },
            vec![Must::Any; 2],
        ),
    ];
    let each = Measure {
        name: "each",
        unit: "ns",
    };
    vec![
        heat(
            "ask a worker",
            latency(),
            contender!("perennial worker", ask, ASKS, ours::ask_a_worker),
            peers,
        ),
        heat(
            "100 000 asks in flight",
            vec![each],
            Contender {
                name: "perennial worker",
                run: |_| Some(ask_at_once(IN_FLIGHT, ours::ask_a_worker)),
            },
            vec![(
                Contender {
                    name: "ractor by hand",
                    run: |_| Some(ask_at_once(IN_FLIGHT, by_hand::ask)),
                },
                vec![Must::AtMost(1.0)],
            )],
        ),
    ]
}
