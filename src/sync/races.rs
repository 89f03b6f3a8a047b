//! Runs a scenario of a few threads in many orders, the same ones each time.
//!
//! Built only with `--cfg shuttle`, which `.ci/shuttle` gives to this workspace and to no dependency.
//! The locks and atomics of the library are shuttle's then, so its real code runs, one thread at a
//! time, and every access to one of them is a place where another thread may go on. A scenario in
//! which everybody sleeps is a deadlock and fails, so a lost wake-up shows as one.
//!
//! What this does not see: orders that only weak memory allows (an atomic is sequentially consistent
//! here), and the inside of tokio's `Notify` and `oneshot` and of ractor, each call of which is one
//! step. tokio checks its own with loom.
//!
//! A scenario that fails prints its schedule. `PERENNIAL_SCHEDULE=<schedule>` with the test's name
//! runs that one alone; `PERENNIAL_LONG=1` tries a hundred times as many.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId,
};
use shuttle::{Config, MaxSteps, Runner};

pub(crate) use shuttle::future::block_on;
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic,
};
pub(crate) use shuttle::thread::{self, spawn};

/// How many schedules of each kind a scenario is run in.
const SCHEDULES: usize = 300;

/// The same, when there is time.
const LONG_SCHEDULES: usize = 30_000;

/// How often a schedule of the second kind takes a thread off at a chosen place. Nearly every race
/// that was ever studied needs no more than two such places (Burckhardt et al., ASPLOS 2010).
const DEPTH: usize = 3;

/// Any number; the orders are drawn from it.
const SEED: u64 = 0x5eed;

/// What one scenario may hold on its stack: formatting a failed assertion takes more than the default.
const STACK_BYTES: usize = 0x2_0000;

/// A scenario takes some hundreds of steps; one that takes so many goes round in circles.
const MOST_STEPS: usize = 100_000;

/// Runs `scenario` in many orders; fails at the first in which it fails.
pub(crate) fn check(scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(scenario);
    if let Ok(schedule) = std::env::var("PERENNIAL_SCHEDULE") {
        return run(ReplayScheduler::new_from_encoded(&schedule), scenario);
    }
    let schedules = match std::env::var_os("PERENNIAL_LONG") {
        Some(_) => LONG_SCHEDULES,
        None => SCHEDULES,
    };
    run(
        RandomScheduler::new_from_seed(SEED, schedules),
        Arc::clone(&scenario),
    );
    run(
        PctScheduler::new_from_seed(SEED, DEPTH, schedules),
        Arc::clone(&scenario),
    );
    run(Streaks::new(schedules), scenario);
}

/// Lets a thread go on for a while before another has its turn, so that one is far ahead of the
/// others, which a draw at each step seldom gives and PCT only to threads that were begun early.
#[derive(Debug)]
struct Streaks {
    draws: RandomScheduler,
    random: u64,
}

impl Streaks {
    fn new(schedules: usize) -> Self {
        Self {
            draws: RandomScheduler::new_from_seed(SEED, schedules),
            random: SEED,
        }
    }

    /// Ends a streak one time in eight (xorshift64; Marsaglia 2003).
    fn ends(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.is_multiple_of(8)
    }
}

impl Scheduler for Streaks {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.draws.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let goes_on = current.filter(|id| runnable.iter().any(|task| task.id() == *id));
        if let Some(current) = goes_on
            && !is_yielding
            && !self.ends()
        {
            return Some(current);
        }
        self.draws.next_task(runnable, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.draws.next_u64()
    }
}

fn run(scheduler: impl Scheduler + 'static, scenario: Arc<impl Fn() + Send + Sync + 'static>) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    // It warns that all atomics are sequentially consistent here; the head says so.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || scenario());
}

/// tokio's own, with a place before each call where another thread may go on.
#[derive(Default)]
pub(crate) struct Notify {
    notify: tokio::sync::Notify,
    point: Point,
}

/// A place where another thread may go on.
#[derive(Debug, Default)]
struct Point(atomic::AtomicBool);

impl Point {
    fn pass(&self) {
        self.0.load(atomic::Ordering::SeqCst);
    }
}

/// The standard library's, with a place before each call where another thread may go on.
#[derive(Debug, Default)]
pub(crate) struct OnceLock<T> {
    once: std::sync::OnceLock<T>,
    point: Point,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self {
            once: std::sync::OnceLock::new(),
            point: Point::default(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.point.pass();
        self.once.get()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.point.pass();
        self.once.set(value)
    }
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        self.point.pass();
        self.notify.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        self.point.pass();
        self.notify.notify_waiters();
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        self.point.pass();
        Notified {
            notified: Box::pin(self.notify.notified()),
            point: &self.point,
        }
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notify.fmt(f)
    }
}

pub(crate) struct Notified<'a> {
    notified: Pin<Box<tokio::sync::futures::Notified<'a>>>,
    point: &'a Point,
}

impl Notified<'_> {
    pub(crate) fn enable(mut self: Pin<&mut Self>) -> bool {
        self.point.pass();
        self.notified.as_mut().enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.point.pass();
        self.notified.as_mut().poll(cx)
    }
}
