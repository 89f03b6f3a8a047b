//! What a program, and the libraries that it uses, count through the crate `metrics`.

use std::sync::Arc;

use metrics::{
    CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::formatting;
use tracing::warn;

use super::{InvalidMetric, MOST_SERIES, Registry};
use crate::metrics::instrument::{Counter, Gauge, Histogram};
use crate::metrics::text::Labels;
use crate::sync::lock;

/// A registry takes in what is counted by the macros of the crate `metrics`, by libraries too. A program
/// says so once, as early as it can: what was counted before is lost.
///
/// What Prometheus would not take in a name becomes `_`, so that `http.requests` is `http_requests`.
/// Histograms have the buckets [`DEFAULT_BUCKETS`](crate::metrics::DEFAULT_BUCKETS), units are left out. A
/// metric that is refused ([`InvalidMetric`]) counts nothing; the log says so, once for each reason.
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
        let bounds = &crate::metrics::DEFAULT_BUCKETS;
        let made = self.make(key, |name, labels| {
            self.histogram_with(name, "", labels, bounds)
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
        let mut families = lock(&self.shared.families);
        if let Some(family) = families.by_name.get_mut(&name)
            && family.help.is_empty()
        {
            description.clone_into(&mut family.help);
        }
        if families.described.len() < MOST_SERIES {
            families.described.insert(name, description.to_owned());
        }
    }

    fn make<T>(
        &self,
        key: &Key,
        make: impl FnOnce(&str, Labels<'_>) -> Result<T, InvalidMetric>,
    ) -> Option<T> {
        let name = formatting::sanitize_metric_name(key.name());
        let labels: Vec<_> = key
            .labels()
            .map(|label| (formatting::sanitize_label_key(label.key()), label.value()))
            .collect();
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, value)| (label.as_str(), *value))
            .collect();
        make(&name, &labels)
            .inspect_err(|refused| self.tell_once(refused))
            .ok()
    }

    /// Logs why a metric is refused, the first time for this reason: the macros ask at each use.
    fn tell_once(&self, refused: &InvalidMetric) {
        let is_new = lock(&self.shared.families).told.insert(refused.code());
        if is_new {
            warn!(code = refused.code(), "a metric counts nothing: {refused}");
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
}
