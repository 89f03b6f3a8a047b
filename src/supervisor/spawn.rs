//! What a whole tree shares, and how its root begins.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Supervisor;
use super::cell::{Cell, Role};
use super::checks::Interval;
use super::run_loop::RunLoop;
use crate::bus::{Bus, Pushed};
use crate::child::Kind;
use crate::context::{Above, Identity, Run};
use crate::event::{EventKind, Events};
use crate::exit::{Exit, catch_blocking};
use crate::path::Path;
use crate::policy::backoff::{Jitter, random_seed};
use crate::policy::restart::Restart;
use crate::shutdown::{EarlyNotice, Shutdown, ShutdownReason};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};
use crate::time::{WallClock, later};

/// How many restart latencies are kept for a reader.
///
/// The exporter's upkeep reads them every few seconds; this holds several seconds of a storm.
const LATENCIES_KEPT: usize = 16_384;

/// What a whole tree shares.
#[derive(Debug)]
pub(crate) struct Tree {
    events: Events,
    early_notice: EarlyNotice,
    clock: WallClock,
    seed: u64,
    /// How long a shutdown may take that nobody said a budget for.
    budget: Duration,
    root: OnceLock<(Arc<Cell>, Arc<Run>)>,
    pulse: OnceLock<Thread>,
    latencies: Mutex<Latencies>,
    /// How many runs have begun.
    begun: AtomicU64,
    /// How many runs were killed.
    killed: AtomicU64,
    ending: Mutex<Option<ShutdownProgress>>,
    leaving: watch::Sender<Option<Leaving>>,
    health_interval: Arc<Interval>,
}

/// The end that a root has come to by itself: it restarted too often, a child did not start, or its work
/// is done. Nobody announces that as a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaving {
    /// How it will have ended.
    pub(crate) exit: Exit,
    /// By when its children have stopped.
    pub(crate) deadline: Instant,
}

/// How far the shutdown of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownProgress {
    /// When it began.
    pub began: Instant,
    /// How long it may take.
    pub budget: Duration,
    /// When it was over; `None` while it goes on.
    pub ended: Option<Instant>,
    /// Whether something was left behind that neither stopped nor died.
    pub has_hung: bool,
}

impl ShutdownProgress {
    /// Returns how long it has taken so far.
    #[must_use]
    pub fn taken(&self) -> Duration {
        let until = self.ended.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.began)
    }
}

#[derive(Debug, Default)]
struct Latencies {
    kept: VecDeque<(Path, Duration)>,
    lost: u64,
}

impl Tree {
    pub(crate) fn new(declared: &Supervisor, early_notice: EarlyNotice) -> Arc<Self> {
        let health_interval = Arc::<Interval>::default();
        health_interval.set(declared.health_interval);
        Arc::new(Self {
            events: Bus::new(declared.bus_capacity),
            early_notice,
            clock: WallClock::anchored(),
            seed: declared.seed.unwrap_or_else(random_seed),
            budget: declared.shutdown_budget,
            root: OnceLock::new(),
            pulse: OnceLock::new(),
            latencies: Mutex::default(),
            begun: AtomicU64::new(0),
            killed: AtomicU64::new(0),
            ending: Mutex::default(),
            leaving: watch::Sender::new(None),
            health_interval,
        })
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    pub(crate) fn early_notice(&self) -> &EarlyNotice {
        &self.early_notice
    }

    pub(crate) fn wall_clock(&self) -> WallClock {
        self.clock
    }

    /// Returns how long a shutdown may take that nobody said a budget for.
    pub(crate) fn budget(&self) -> Duration {
        self.budget
    }

    /// Returns how long ago the tree began.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.anchor().elapsed()
    }

    /// Remembers the thread that beats for the tree.
    pub(crate) fn set_pulse(&self, thread: Thread) {
        self.pulse.get_or_init(|| thread);
    }

    /// Begins the shutdown of the whole tree, or brings its deadline forward.
    pub(crate) fn shut_down(&self, reason: ShutdownReason, budget: Duration) {
        self.ask_to_stop(reason, budget);
        self.quicken();
    }

    /// Lets the pulse beat faster, as it does in a shutdown.
    pub(crate) fn quicken(&self) {
        if let Some(pulse) = self.pulse.get() {
            pulse.unpark();
        }
    }

    /// The part of a shutdown's beginning that the tree waits for. [`quicken`](Self::quicken) is to follow.
    pub(crate) fn ask_to_stop(&self, reason: ShutdownReason, budget: Duration) {
        let Some((cell, run)) = self.root.get() else {
            return;
        };
        if cell.has_ended() {
            return;
        }
        let deadline = later(Instant::now(), budget);
        let began = {
            let mut ending = lock(&self.ending);
            let is_first = ending.is_none() && self.early_notice.get().is_none();
            note_shutdown(&mut ending, budget);
            // Under the lock and before anybody hears of it: what it makes children do comes after it,
            // also when a second caller is faster from here on.
            let kind = EventKind::ShutdownBegan { reason, deadline };
            is_first.then(|| cell.push(&self.events, kind)).flatten()
        };
        let is_first = self.early_notice.announce(Shutdown { reason, deadline });
        run.stop().request(deadline, deadline);
        began.into_iter().for_each(Pushed::tell);
        if is_first {
            let say = || tracing::info!(path = %cell.path(), %reason, ?budget, "shutdown began");
            // Last, and caught: nothing depends on the host's subscriber.
            drop(catch_blocking(say));
        }
    }

    /// Notes that a supervisor ends by itself, if it is the root.
    pub(super) fn note_leaving(&self, of: &Arc<Run>, exit: &Exit, deadline: Instant) {
        let is_root = self.root.get().is_some_and(|(_, run)| Arc::ptr_eq(run, of));
        if is_root {
            let exit = exit.clone();
            self.leaving.send_replace(Some(Leaving { exit, deadline }));
        }
    }

    /// Waits until the root begins to end by itself.
    #[cfg(feature = "daemon")]
    pub(crate) async fn leaves(&self) -> Leaving {
        let mut leaving = self.leaving.subscribe();
        match leaving.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(leaving)) => leaving.clone(),
            // The sender is part of this.
            _ => std::future::pending().await,
        }
    }

    /// Returns the root's cell, once the tree has begun.
    pub(crate) fn root_cell(&self) -> Option<Arc<Cell>> {
        self.root.get().map(|(cell, _)| Arc::clone(cell))
    }

    /// Shuts the whole tree down because a child hangs, or is stuck, that must not.
    pub(crate) fn end_process(&self, path: &Path, why: &str) {
        self.shut_down(ShutdownReason::Error, self.budget);
        let say =
            || tracing::error!(%path, "{why}, and declared to end the process: shutting down");
        drop(catch_blocking(say));
    }

    /// Derives the jitter of one supervisor: its own sequence, the same whenever the tree's seed is,
    /// whatever the other supervisors do.
    pub(super) fn jitter(&self, path: &Path, incarnation: u64) -> Jitter {
        // FNV-1a, 64 bits: stable between releases of the standard library, unlike its hasher.
        let fold =
            |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = path
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ self.seed, fold);
        Jitter::seeded(hash.wrapping_add(incarnation))
    }

    /// Keeps when the shutdown was over.
    pub(crate) fn note_shutdown_over(&self, has_hung: bool) {
        if let Some(progress) = &mut *lock(&self.ending) {
            progress.ended.get_or_insert_with(Instant::now);
            progress.has_hung |= has_hung;
        }
    }

    pub(crate) fn shutdown_progress(&self) -> Option<ShutdownProgress> {
        *lock(&self.ending)
    }

    /// Returns how often health checks are asked that do not say it themselves.
    pub(crate) fn health_interval(&self) -> &Arc<Interval> {
        &self.health_interval
    }

    pub(super) fn count_begun(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a run, if it was killed.
    pub(super) fn count_killed(&self, is_killed: bool) {
        self.killed
            .fetch_add(u64::from(is_killed), Ordering::Relaxed);
    }

    /// Returns how many runs have begun, and how many were killed.
    pub(crate) fn run_counts(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.begun), read(&self.killed))
    }

    pub(super) fn add_latency(&self, path: &Path, latency: Duration) {
        let mut latencies = lock(&self.latencies);
        if latencies.kept.len() == LATENCIES_KEPT {
            latencies.kept.pop_front();
            latencies.lost += 1;
        }
        latencies.kept.push_back((path.clone(), latency));
    }

    /// Returns the latencies since the last call, and how many more there were.
    pub(crate) fn take_latencies(&self) -> (Vec<(Path, Duration)>, u64) {
        let taken = std::mem::take(&mut *lock(&self.latencies));
        (taken.kept.into(), taken.lost)
    }
}

/// Keeps when the shutdown began and how long it may take; a later call can only shorten that.
fn note_shutdown(ending: &mut Option<ShutdownProgress>, budget: Duration) {
    let now = Instant::now();
    let progress = ending.get_or_insert(ShutdownProgress {
        began: now,
        budget,
        ended: None,
        has_hung: false,
    });
    let until_then = now.saturating_duration_since(progress.began);
    progress.budget = progress.budget.min(until_then.saturating_add(budget));
}

/// The root of a tree whose start has begun.
pub(crate) struct Root {
    pub(crate) cell: Arc<Cell>,
    pub(crate) run: Arc<Run>,
    /// What the root has to say, as a child of nobody.
    pub(crate) above: Arc<Above>,
    pub(crate) task: JoinHandle<()>,
}

/// Begins a tree at its root.
pub(crate) fn root(tree: &Arc<Tree>, declared: &Arc<Supervisor>) -> Root {
    let path = Path::root(&declared.name);
    let role = Role {
        kind: Kind::Supervisor,
        restart: declared.restart.unwrap_or(Restart::Temporary),
        // The root is always needed.
        duty: None,
    };
    let cell = Cell::new(path.clone(), role, None);
    cell.begin(1);
    cell.note(tree.events(), EventKind::Starting);
    let identity = Identity {
        path,
        key: 0,
        incarnation: 1,
    };
    let above = Above::new(tree.early_notice(), None);
    let run = Run::new(identity, &above);
    cell.set_run(&run, None);
    // The only place that sets it, once for each tree.
    drop(tree.root.set((Arc::clone(&cell), Arc::clone(&run))));
    let task = supervisor(tree, declared, &cell, &run);
    Root {
        cell,
        run,
        above,
        task,
    }
}

/// Begins one incarnation of a supervisor in a task of its own.
pub(super) fn supervisor(
    tree: &Arc<Tree>,
    declared: &Arc<Supervisor>,
    cell: &Arc<Cell>,
    run: &Arc<Run>,
) -> JoinHandle<()> {
    let run_loop = RunLoop::new(tree, declared, cell, run);
    tokio::spawn(run_loop.run())
}

/// Returns by when a supervisor's children must have ended so that it can end by `deadline`.
pub(crate) fn deadline_of_children(now: Instant, deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(now);
    deadline - crate::shutdown::plan::tick(left)
}
