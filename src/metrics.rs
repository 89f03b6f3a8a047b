//! The tree and its bus in Prometheus' text format.
//!
//! Everything is read from the tree when somebody scrapes; nothing is counted twice and no child
//! pays for it. The recorders are this value's own and never the process's: two trees do not
//! collide, and a program's own metrics stay its own.
//!
//! # Invariants
//!
//! 1. What is read from the tree goes through a recorder made for one scrape: the series of a
//!    removed child are gone at the next.
//! 2. A child added while its supervisor ran has no series of its own; a leak of such children must
//!    not become a leak of series.
//! 3. Counters never fall: what a removed child counted stays at its supervisor.

mod instrument;
pub mod names;
mod registry;
mod series;

use std::time::Duration;

use metrics::{KeyName, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

pub use self::instrument::{Counter, DEFAULT_BUCKETS, Distribution, Gauge, Histogram, Timer};
use self::names::Name;
pub use self::registry::{
    InvalidMetric, Kind, MOST_SERIES, MetricsSnapshot, Registry, SeriesReading, Value,
};
use self::series::{Added, Series};
use crate::bus::BusStatistics;
use crate::path::Path;
use crate::sync::{Mutex, lock};
use crate::tree::{Running, Snapshot};

/// The content type of what [`Exposition::render`] returns, as Prometheus' format 0.0.4 defines it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of the restart histogram, in seconds.
///
/// From 10 µs, an idle restart, by 1, 2.5, 5 to 60 s, twice the longest backoff by default.
pub const RESTART_DURATION_BUCKETS: [f64; 21] = [
    0.000_010, 0.000_025, 0.000_050, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
    0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Renders one tree's metrics. One for each tree: it takes the tree's restart latencies.
pub struct Exposition {
    /// Keeps the histograms; everything else is made anew for each scrape (invariant 1).
    durations: PrometheusRecorder,
    added: Mutex<Added>,
}

impl Exposition {
    /// Makes one with nothing recorded.
    #[must_use]
    pub fn new() -> Self {
        let durations = recorder();
        for Name { name, help } in names::HISTOGRAMS {
            durations.describe_histogram(KeyName::from_const_str(name), None, help.into());
        }
        Self {
            durations,
            added: Mutex::default(),
        }
    }

    /// Reads the tree and its bus and returns the text to scrape, of type [`CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self, running: &Running) -> String {
        let read = Reading {
            snapshot: running.snapshot(),
            bus: running.bus_statistics(),
            latencies: running.take_restart_latencies(),
        };
        self.render_reading(&read)
    }

    /// Moves what was recorded into the histograms, as the exporter wants it from time to time.
    pub fn upkeep(&self) {
        self.durations.handle().run_upkeep();
    }

    fn render_reading(&self, read: &Reading) -> String {
        let mut added = lock(&self.added);
        let scrape = recorder();
        for Name { name, help } in names::COUNTERS {
            scrape.describe_counter(KeyName::from_const_str(name), None, help.into());
        }
        for Name { name, help } in names::GAUGES {
            scrape.describe_gauge(KeyName::from_const_str(name), None, help.into());
        }
        added.dropped_durations += read.latencies.1;
        let mut series = Series::new(&scrape, &mut added);
        series.tree(&read.snapshot.root);
        series.bus(&read.bus);
        series::restart_durations(&self.durations, &read.snapshot.root, &read.latencies.0);
        drop(added);
        self.upkeep();
        let mut text = scrape.handle().render();
        text.push_str(&self.durations.handle().render());
        text
    }
}

/// What one scrape reads.
struct Reading {
    snapshot: Snapshot,
    bus: BusStatistics,
    latencies: (Vec<(Path, Duration)>, u64),
}

impl Default for Exposition {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposition").finish_non_exhaustive()
    }
}

fn recorder() -> PrometheusRecorder {
    let matcher = Matcher::Full(names::RESTART_DURATION.name.to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(matcher, &RESTART_DURATION_BUCKETS)
        // Refused for an empty list alone; without buckets the exporter makes a summary.
        .unwrap_or_else(|_empty| PrometheusBuilder::new())
        .build_recorder()
}

#[cfg(test)]
mod tests;
