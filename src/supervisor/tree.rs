//! What a whole tree shares.

mod ending;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::watch;

pub(crate) use self::ending::Leaving;
pub use self::ending::ShutdownProgress;
use super::Supervisor;
use super::cell::Cell;
use super::checks::Interval;
use crate::bus::Bus;
use crate::context::Run;
use crate::event::Events;
use crate::path::Path;
use crate::policy::backoff::{Jitter, random_seed};
use crate::shutdown::{EarlyNotice, ShutdownReason};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};
use crate::time::WallClock;

/// How many restart latencies are kept for a reader.
///
/// A scraper reads them every few seconds; this holds several seconds of a storm.
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
    /// The shutdown whose beginning is not in the log yet.
    unsaid: Mutex<Option<(ShutdownReason, Duration)>>,
    leaving: watch::Sender<Option<Leaving>>,
    health_interval: Arc<Interval>,
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
            unsaid: Mutex::default(),
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

    /// Remembers the root and its run, once for each tree.
    pub(super) fn set_root(&self, cell: &Arc<Cell>, run: &Arc<Run>) {
        self.root
            .get_or_init(|| (Arc::clone(cell), Arc::clone(run)));
    }

    /// Returns the root's cell, once the tree has begun.
    pub(crate) fn root_cell(&self) -> Option<Arc<Cell>> {
        self.root.get().map(|(cell, _)| Arc::clone(cell))
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
