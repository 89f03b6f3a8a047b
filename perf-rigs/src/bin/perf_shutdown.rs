//! Starts a tree and stops it, again and again: how long a stop takes, and whether a budget holds when children are slow
//! or do not hear.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use perennial::policy::backoff::Backoff;
use perennial::shutdown::report::{Outcome, StopReport};
use perennial::{Child, Context, Supervisor};
use perf_rigs::arguments::{Arguments, Opt, Preset, Rig};
use perf_rigs::durations::Durations;
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::rig;
use tokio::time::{Instant, sleep};

const RIG: Rig = Rig {
    name: "perf_shutdown",
    about: "a tree that is started and stopped, with children that obey, take their time, or don't hear",
    seconds: "30",
    rate: "0",
    options: &[
        Opt::count("depth", "2", "levels of supervisors"),
        Opt::count("width", "10", "children of each"),
        Opt::share("slow", "0", "share of the leaves that take their time"),
        Opt::count("slow-ms", "20", "how long they take"),
        Opt::share("deaf", "0", "share of the leaves that must be killed"),
        Opt::count("stop-timeout-ms", "200", "what each leaf may take"),
        Opt::count("budget-ms", "10000", "what the whole may take"),
        Opt::count("seed", "1", "of who is what"),
    ],
    presets: &[
        Preset {
            name: "100",
            sets: &[("depth", "1"), ("width", "100")],
        },
        Preset {
            name: "deep",
            sets: &[("depth", "10"), ("width", "2")],
        },
        Preset {
            name: "rude",
            sets: &[
                ("slow", "0.2"),
                ("deaf", "0.05"),
                ("budget-ms", "1000"),
                ("stop-timeout-ms", "100"),
            ],
        },
    ],
};

#[derive(Clone, Copy)]
enum Manner {
    Obeys,
    Slow(Duration),
    Deaf,
}

async fn live(cx: Context, manner: Manner) {
    match manner {
        Manner::Obeys => drop(cx.shutdown().await),
        Manner::Slow(time) => {
            cx.shutdown().await;
            sleep(time).await;
        }
        Manner::Deaf => std::future::pending().await,
    }
}

/// Declares trees of one shape.
struct Forest<'a> {
    arguments: &'a Arguments,
    random: fastrand::Rng,
    leaves: u64,
}

impl Forest<'_> {
    fn manner(&mut self) -> Manner {
        let luck = self.random.f64();
        let deaf: f64 = self.arguments.number("deaf");
        let slow: f64 = self.arguments.number("slow");
        match luck {
            luck if luck < deaf => Manner::Deaf,
            luck if luck < deaf + slow => Manner::Slow(self.arguments.milliseconds("slow-ms")),
            _ => Manner::Obeys,
        }
    }

    fn supervisor(&mut self, name: String, depth: u32) -> Supervisor {
        let mut supervisor = Supervisor::one_for_one(name).backoff(Backoff::none());
        for number in 0..self.arguments.number::<u32>("width") {
            supervisor = match depth {
                0 | 1 => {
                    self.leaves += 1;
                    let leaf = Child::task_with(
                        format!("leaf-{number}"),
                        self.manner(),
                        |cx, manner| async move {
                            live(cx, manner).await;
                            Ok(())
                        },
                    );
                    // A floor for each would be more than a budget that is meant to be missed.
                    let leaf = leaf.stop_reserve(Duration::ZERO);
                    supervisor
                        .child(leaf.stop_timeout(self.arguments.milliseconds("stop-timeout-ms")))
                }
                depth => supervisor.child(self.supervisor(format!("branch-{number}"), depth - 1)),
            };
        }
        supervisor
    }
}

/// What all stops came to.
#[derive(Default)]
struct Seen {
    stops: u64,
    leaves: u64,
    killed: u64,
    hung: u64,
    over: Duration,
    spent: Duration,
    whole: Durations,
    starts: Durations,
    last: Duration,
}

impl Seen {
    fn take(&mut self, report: &StopReport, spent: Duration, budget: Duration) {
        self.stops += 1;
        self.spent += spent;
        self.last = spent;
        self.over = self.over.max(spent.saturating_sub(budget));
        self.whole.record(spent);
        for (_, line) in report.lines() {
            self.killed += u64::from(line.outcome == Outcome::Killed);
            self.hung += u64::from(line.outcome == Outcome::Hung);
        }
    }
}

async fn rounds(arguments: &Arguments, seen: Rc<RefCell<Seen>>) {
    let budget = arguments.milliseconds("budget-ms");
    let mut seed: u64 = arguments.number("seed");
    let (began, mut due) = (Instant::now(), Instant::now());
    // Each round is whole: the last begins before the time is over.
    while began.elapsed() < arguments.duration() {
        let mut forest = Forest {
            arguments,
            random: fastrand::Rng::with_seed(seed),
            leaves: 0,
        };
        seed += 1;
        let tree = forest.supervisor("app".to_owned(), arguments.number("depth"));
        let starting = Instant::now();
        let running = tree.start().await.expect("it starts");
        let started = starting.elapsed();
        let stopping = Instant::now();
        let report = running.stop(budget).await;
        let spent = stopping.elapsed();
        {
            let mut seen = seen.borrow_mut();
            seen.leaves += forest.leaves;
            seen.starts.record(started);
            seen.take(&report, spent, budget);
        }
        if arguments.rate() > 0.0 {
            due += Duration::from_secs_f64(1.0 / arguments.rate());
            tokio::time::sleep_until(due).await;
        }
    }
}

async fn load(arguments: &Arguments) -> Measured {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let series = Series::new("seconds", "ms", &["last stop"], &["stops"]);
    let looked = Rc::clone(&seen);
    let watched = rig::watch(&RIG, arguments.duration(), series, move || {
        let seen = looked.borrow();
        vec![seen.last.as_secs_f64() * 1e3, seen.stops as f64]
    });
    let (series, ()) = tokio::join!(watched, rounds(arguments, Rc::clone(&seen)));
    let seen = seen.borrow();
    let leaves = seen.leaves.max(1) as f64;
    let milliseconds = |durations: &Durations, share| durations.micros(share) / 1e3;
    let figures = vec![
        Figure::plain("stops", seen.stops as f64, ""),
        Figure::plain("leaves of a tree", leaves / seen.stops.max(1) as f64, ""),
        Figure::lower("start p50", milliseconds(&seen.starts, 0.5), "ms"),
        Figure::lower("stop p50", milliseconds(&seen.whole, 0.5), "ms"),
        Figure::lower("stop p99", milliseconds(&seen.whole, 0.99), "ms"),
        Figure::lower(
            "stop of a child",
            seen.spent.as_secs_f64() * 1e6 / leaves,
            "µs",
        ),
        Figure::plain("killed", seen.killed as f64, "children"),
        Figure::lower("hung", seen.hung as f64, "children").objective(0.0),
        Figure::lower(
            "most beyond the budget",
            seen.over.as_secs_f64() * 1e3,
            "ms",
        ),
    ];
    Measured { figures, series }
}

fn main() -> ExitCode {
    rig::run(&RIG, load)
}
