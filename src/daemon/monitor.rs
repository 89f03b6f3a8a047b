//! Watches what the process uses: a supervised child of a tree of the daemon's own.
//!
//! It is no child of the program's tree, whose shape is the program's.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::runtime::Handle;

use super::configuration::Configuration;
use crate::child::Child;
use crate::config::Limits;
use crate::context::Context;
use crate::event::EventKind;
use crate::exit::BoxError;
use crate::metrics::{Registry, names};
use crate::resources::{self, Excess, History, Limit, ResourceLimits, Sample};
use crate::shutdown::ShutdownReason;
use crate::supervisor::Supervisor;
use crate::sync::{Mutex, lock};
use crate::tree::Running;

/// What the process has used lately: the last samples, kept while it runs. Clones speak of the same.
#[derive(Debug, Clone, Default)]
pub struct ResourceMonitor {
    history: Arc<Mutex<History>>,
}

impl ResourceMonitor {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Returns the samples that are kept, at most [`HISTORY_KEPT`](resources::HISTORY_KEPT).
    #[must_use]
    pub fn history(&self) -> History {
        lock(&self.history).clone()
    }
}

/// What is called when a limit is reached.
pub(super) type OnLimit = dyn Fn(&Excess) + Send + Sync;

/// Everything that the child needs.
#[derive(Clone)]
pub(super) struct Watcher {
    pub(super) configuration: Arc<dyn Configuration>,
    pub(super) running: Arc<Running>,
    pub(super) registry: Registry,
    pub(super) monitor: ResourceMonitor,
    pub(super) on_limit: Option<Arc<OnLimit>>,
    pub(super) workers: Handle,
}

/// Declares the daemon's own tree.
pub(super) fn tree(watcher: Watcher) -> Supervisor {
    let resources = Child::task_with("resources", watcher, |cx, watcher| watcher.watch(cx));
    Supervisor::one_for_one("perennial").child(resources)
}

impl Watcher {
    async fn watch(self, cx: Context) -> Result<(), BoxError> {
        if let Ok(began) = resources::start_time() {
            let began = began.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.registry
                .measure(names::PROCESS_START_TIME, began.as_secs_f64());
        }
        let mut versions = self.configuration.versions();
        let mut told: Vec<Excess> = Vec::new();
        loop {
            let monitoring = self.configuration.settings().monitoring;
            if !monitoring.sample_interval.is_zero() {
                match resources::sample() {
                    Ok(sample) => told = self.take(sample, &monitoring.limits, &told),
                    Err(error) => tracing::debug!(%error, "what the process uses can't be read"),
                }
            }
            tokio::select! {
                () = pause(monitoring.sample_interval) => {}
                Ok(()) = versions.changed() => {}
                _by = cx.shutdown() => return Ok(()),
            }
        }
    }

    /// Keeps a sample and tells of the limits that were not reached before; returns those that are now.
    fn take(&self, sample: Sample, limits: &Limits, told: &[Excess]) -> Vec<Excess> {
        let before = {
            let mut history = lock(&self.monitor.history);
            let before = history.last().copied();
            history.push(sample);
            before
        };
        self.measure(&sample);
        let found = resources::judge(&limits_of(limits), before.as_ref(), &sample);
        for excess in &found {
            let is_known = |known: &Excess| {
                (known.resource, known.is_hard) == (excess.resource, excess.is_hard)
            };
            if !told.iter().any(is_known) {
                self.tell(*excess);
            }
        }
        found
    }

    fn measure(&self, sample: &Sample) {
        let registry = &self.registry;
        registry.count_seconds(names::PROCESS_CPU, sample.cpu.as_secs_f64());
        registry.measure(names::PROCESS_RESIDENT, sample.resident_bytes as f64);
        registry.measure(names::PROCESS_VIRTUAL, sample.virtual_bytes as f64);
        registry.measure(names::PROCESS_THREADS, sample.threads as f64);
        registry.measure(names::PROCESS_OPEN_FDS, sample.descriptors as f64);
        if let Some(most) = sample.max_descriptors {
            registry.measure(names::PROCESS_MAX_FDS, most as f64);
        }
    }

    fn tell(&self, excess: Excess) {
        let kind = if excess.is_hard { "hard" } else { "soft" };
        let labels = [("resource", excess.resource.code()), ("limit", kind)];
        self.registry.count_one(names::LIMITS_REACHED, &labels);
        self.running.announce(EventKind::LimitReached {
            excess: excess.to_string().into(),
            is_hard: excess.is_hard,
        });
        if let Some(told) = self.on_limit.clone() {
            // Where it may block, and where a panic of it is nobody's end.
            drop(self.workers.spawn_blocking(move || told(&excess)));
        }
        if excess.is_hard {
            tracing::error!(%excess, "shutting down");
            let graceful = self.configuration.settings().shutdown.graceful;
            self.running
                .shutdown(ShutdownReason::ResourceExhausted, graceful);
        } else {
            tracing::warn!(%excess, "the process uses more than it should");
        }
    }
}

async fn pause(interval: Duration) {
    match interval.is_zero() {
        true => std::future::pending().await,
        false => tokio::time::sleep(interval).await,
    }
}

fn limits_of(limits: &Limits) -> ResourceLimits {
    let limit = |soft: Option<u64>, hard: Option<u64>| Limit {
        soft: soft.map(|soft| soft as f64),
        hard: hard.map(|hard| hard as f64),
    };
    ResourceLimits {
        memory: limit(limits.soft_memory_bytes, limits.hard_memory_bytes),
        cpu: Limit {
            soft: limits.soft_cpu_percent,
            hard: limits.hard_cpu_percent,
        },
        threads: limit(limits.soft_threads, limits.hard_threads),
        descriptors: limit(limits.soft_descriptors, limits.hard_descriptors),
    }
}
