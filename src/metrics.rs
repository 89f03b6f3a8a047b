//! The tree and its bus in Prometheus' text format.
//!
//! Everything is read from the tree when somebody scrapes; nothing is counted twice and no child
//! pays for it. Nothing is made the process's here: two trees do not collide, and a program's own metrics
//! stay its own.
//!
//! # Invariants
//!
//! 1. What is read from the tree is written for one scrape: the series of a removed child are gone
//!    at the next.
//! 2. A child added while its supervisor ran has no series of its own; a leak of such children must
//!    not become a leak of series.
//! 3. Counters never fall: what a removed child counted stays at its supervisor.
//! 4. There is an end to series, whatever the tree and its subscribers are called: [`MOST_CHILDREN`],
//!    [`MOST_SUBSCRIBERS`].

mod instrument;
pub mod names;
mod registry;
mod remembered;
mod scrape;
mod series;
mod text;

use std::time::Duration;

pub use self::instrument::{Counter, DEFAULT_BUCKETS, Distribution, Gauge, Histogram, Timer};
pub use self::registry::{
    InvalidMetric, Kind, MOST_SERIES, MetricsSnapshot, Registry, SeriesReading, Value,
};
use self::remembered::Remembered;
use self::scrape::Scrape;
use self::series::Series;
pub use self::series::{MOST_CHILDREN, MOST_SUBSCRIBERS};
use crate::bus::BusStatistics;
use crate::handle::durations::{HANDLER_DURATION_BUCKETS, HandlerDurations};
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
#[derive(Default)]
pub struct Exposition {
    remembered: Mutex<Remembered>,
}

impl Exposition {
    /// Makes one with nothing recorded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

    fn render_reading(&self, read: &Reading) -> String {
        let mut scrape = Scrape::default();
        let mut remembered = lock(&self.remembered);
        remembered.dropped_durations += read.latencies.1;
        let shown =
            Series::new(&mut scrape, &mut remembered, read.snapshot.at).tree(&read.snapshot);
        series::bus(&mut scrape, &read.bus, &mut remembered.other_lagged);
        let paths = shown.iter().map(|(path, _)| path.as_str()).collect();
        remembered.add_durations(&read.snapshot.root.path, &paths, &read.latencies.0);
        for (path, durations) in &shown {
            if let Some(durations) = durations {
                let path = [("path", path.as_str())];
                scrape.histogram(names::HANDLER_DURATION, &path, &distribution(durations));
            }
        }
        for (path, durations) in remembered.durations() {
            scrape.histogram(names::RESTART_DURATION, &[("path", path)], &durations);
        }
        scrape.render()
    }
}

/// Turns what a child took for its messages into what a histogram is written from.
fn distribution(durations: &HandlerDurations) -> Distribution {
    Distribution {
        count: durations.counts.iter().sum(),
        sum: durations.sum.as_secs_f64(),
        buckets: HANDLER_DURATION_BUCKETS
            .into_iter()
            .zip(durations.counts)
            .collect(),
    }
}

/// What one scrape reads.
struct Reading {
    snapshot: Snapshot,
    bus: BusStatistics,
    latencies: (Vec<(Path, Duration)>, u64),
}

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposition").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
