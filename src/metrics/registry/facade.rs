//! What a program, and the libraries that it uses, count through the crate `metrics`.

use std::sync::Arc;

use metrics::{
    CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::formatting;
use tracing::warn;

use super::{InvalidMetric, Registry, borrowed, with_good_names};
use crate::metrics::instrument::{Counter, DEFAULT_BUCKETS, Gauge, Histogram};
use crate::metrics::text::Labels;
use crate::sync::{lock, write};

/// How many refused names are remembered: enough to find out who counts under them.
const MOST_REFUSED: usize = 100;

/// A registry takes in what is counted by the macros of the crate `metrics`, version 0.24, by libraries too. A
/// program says so once, as early as it can: what was counted before is lost.
///
/// What Prometheus would not take in a name becomes `_`, so that `http.requests` is `http_requests`, here as in
/// [`remove`](Registry::remove). Nothing is added to a name, and units are left out. A histogram has the
/// buckets of those of its name, so that a program that wants others than
/// [`DEFAULT_BUCKETS`](crate::metrics::DEFAULT_BUCKETS) makes one of the name first.
///
/// A metric that is refused ([`InvalidMetric`]) counts nothing: one that begins with `perennial_` or `process_`,
/// and one too many: libraries share [`MOST_SERIES`](crate::metrics::MOST_SERIES) with the program. The next scrape logs its name, once, and so of the first
/// hundred.
/// Each use of a macro looks its metric up; what counts millions of times a second holds what the macro returns.
///
/// ```
/// # use perennial::metrics::Registry;
/// let registry = Registry::new();
/// # metrics::with_local_recorder(&registry, || {
/// # let registry = registry.clone();
/// // In a program: metrics::set_global_recorder(registry.clone())?;
/// metrics::counter!("cache.hits", "kind" => "user").increment(1);
/// assert!(registry.render().contains("cache_hits{kind=\"user\"} 1\n"));
/// # });
/// ```
impl Recorder for Registry {
    fn describe_counter(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_gauge(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_histogram(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> metrics::Counter {
        let made = self.make(key, |name, labels| self.counter_with(name, "", labels));
        made.map_or_else(metrics::Counter::noop, |counter| {
            metrics::Counter::from_arc(Arc::new(counter))
        })
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> metrics::Gauge {
        let made = self.make(key, |name, labels| self.gauge_with(name, "", labels));
        made.map_or_else(metrics::Gauge::noop, |gauge| {
            metrics::Gauge::from_arc(Arc::new(gauge))
        })
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> metrics::Histogram {
        let made = self.make(key, |name, labels| {
            self.histogram_with(name, "", labels, &DEFAULT_BUCKETS)
        });
        made.map_or_else(metrics::Histogram::noop, |histogram| {
            metrics::Histogram::from_arc(Arc::new(histogram))
        })
    }
}

impl Registry {
    /// Remembers what a metric is that was made without a help text, or will be.
    fn describe(&self, key: &KeyName, description: &str) {
        let name = formatting::sanitize_metric_name(key.as_str());
        write(&self.shared.families).describe(name, description);
    }

    fn make<T>(
        &self,
        key: &Key,
        make: impl FnOnce(&str, Labels<'_>) -> Result<T, InvalidMetric>,
    ) -> Option<T> {
        let name = formatting::sanitize_metric_name(key.name());
        let labels = with_good_names(key.labels().map(|label| (label.key(), label.value())));
        make(&name, &borrowed(&labels))
            .inspect_err(|refused| self.remember_refused(name, refused))
            .ok()
    }

    /// Keeps why a metric is refused: the macros ask at each use, and perhaps in the middle of writing a log.
    fn remember_refused(&self, name: String, why: &InvalidMetric) {
        let mut refused = lock(&self.shared.refused);
        if refused.len() < MOST_REFUSED {
            refused.entry(name).or_insert_with(|| Some(why.clone()));
        }
    }

    /// Logs which metrics were refused since the last time.
    pub(super) fn tell_refused(&self) {
        let untold: Vec<_> = lock(&self.shared.refused)
            .iter_mut()
            .filter_map(|(name, why)| Some((name.clone(), why.take()?)))
            .collect();
        for (name, why) in untold {
            warn!(
                metric = name,
                code = why.code(),
                "something of this name counts nothing: {why}"
            );
        }
    }
}

impl CounterFn for Counter {
    fn increment(&self, by: u64) {
        Counter::increment(self, by);
    }

    fn absolute(&self, count: u64) {
        self.raise(count);
    }
}

impl GaugeFn for Gauge {
    fn increment(&self, by: f64) {
        self.add(by);
    }

    fn decrement(&self, by: f64) {
        self.add(-by);
    }

    fn set(&self, value: f64) {
        Gauge::set(self, value);
    }
}

impl HistogramFn for Histogram {
    fn record(&self, value: f64) {
        Histogram::record(self, value);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.record_times(value, (count as u64, value * count as f64));
    }
}
