//! What a program reads of its own metrics: values at one moment, without the text format.

use std::time::Duration;

use crate::metrics::instrument::Distribution;

/// All metrics of a registry at one moment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// How long the registry has existed.
    pub uptime: Duration,
    /// The values, by name and labels.
    pub values: Vec<SeriesReading>,
}

impl MetricsSnapshot {
    /// Finds a value by its name and its labels as the text format writes them, such as
    /// `kind="udp"`; empty for none.
    #[must_use]
    pub fn get(&self, name: &str, labels: &str) -> Option<&Value> {
        let found = self
            .values
            .iter()
            .find(|value| value.name == name && value.labels == labels);
        found.map(|reading| &reading.value)
    }
}

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SeriesReading {
    /// The metric.
    pub name: String,
    /// The labels, as the text format writes them.
    pub labels: String,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A counter's.
    Counter(u64),
    /// A counter's of seconds, which need be no whole number.
    Seconds(f64),
    /// A gauge's.
    Gauge(f64),
    /// A histogram's.
    Histogram(Distribution),
}
