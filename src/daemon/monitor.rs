//! Watches what the process uses: a supervised child of a tree of the daemon's own.
//!
//! It is no child of the program's tree, whose shape is the program's.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::configuration::Configuration;
use crate::child::Child;
use crate::config::{Limits, MonitoringSettings};
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
        let mut last = None;
        loop {
            let interval = self.configuration.settings().monitoring.sample_interval;
            tokio::select! {
                () = pause(interval, last) => {
                    match resources::sample() {
                        Ok(sample) => self.keep(sample),
                        Err(error) => tracing::debug!(%error, "what the process uses can't be read"),
                    }
                    last = Some(Instant::now());
                }
                // No sample is taken: what is used is known, and another limit may be reached by it.
                Ok(()) = versions.changed() => {}
                _by = cx.shutdown() => return Ok(()),
            }
            let monitoring = self.configuration.settings().monitoring;
            if !monitoring.sample_interval.is_zero() {
                told = self.tell_of_new(&monitoring, &told);
            }
        }
    }

    fn keep(&self, sample: Sample) {
        lock(&self.monitor.history).push(sample);
        self.measure(&sample);
    }

    /// Tells of the limits that were not reached before; returns those that are now.
    fn tell_of_new(&self, monitoring: &MonitoringSettings, told: &[Excess]) -> Vec<Excess> {
        let history = self.monitor.history();
        let found = judge(&history, &monitoring.limits, monitoring.sample_interval);
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
            let graceful = self.configuration.shutdown().graceful;
            self.running
                .shutdown(ShutdownReason::ResourceExhausted, graceful);
        } else {
            tracing::warn!(%excess, "the process uses more than it should");
        }
    }
}

/// Waits for the next sample: the first is due at once, each other an interval after the last.
async fn pause(interval: Duration, last: Option<Instant>) {
    match last {
        _ if interval.is_zero() => std::future::pending().await,
        Some(last) => tokio::time::sleep(interval.saturating_sub(last.elapsed())).await,
        None => {}
    }
}

/// Judges the newest sample; CPU time since the last one that is an interval older, because over less
/// than that a short burst is any number of percent.
fn judge(history: &History, limits: &Limits, interval: Duration) -> Vec<Excess> {
    let Some(now) = history.last() else {
        return Vec::new();
    };
    let is_before = |sample: &&Sample| now.at.saturating_duration_since(sample.at) >= interval;
    let before = history.iter().filter(is_before).last();
    resources::judge(&limits_of(limits), before, now)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::judge;
    use crate::config::Limits;
    use crate::resources::{History, Resource, Sample};

    fn sample(at: Instant, cpu: Duration) -> Sample {
        Sample {
            at,
            cpu,
            resident_bytes: 0,
            virtual_bytes: 0,
            threads: 1,
            descriptors: 0,
            max_descriptors: None,
        }
    }

    #[test]
    fn cpu_time_is_judged_over_an_interval_and_not_over_a_moment() {
        let limits = Limits {
            hard_cpu_percent: Some(90.0),
            ..Limits::default()
        };
        let interval = Duration::from_secs(5);
        let began = Instant::now();
        let mut history = History::default();
        history.push(sample(began, Duration::ZERO));
        let moment = began + Duration::from_millis(1);
        // 1 000 % of a millisecond.
        history.push(sample(moment, Duration::from_millis(10)));
        assert_eq!(judge(&history, &limits, interval), []);
        history.push(sample(began + interval, Duration::from_secs(4)));
        assert_eq!(judge(&history, &limits, interval), [], "80 %");
        history.push(sample(began + 2 * interval, Duration::from_secs(9)));
        let found = judge(&history, &limits, interval);
        let found: Vec<_> = found
            .iter()
            .map(|excess| (excess.resource, excess.value, excess.is_hard))
            .collect();
        assert_eq!(found, [(Resource::Cpu, 100.0, true)]);
    }
}
