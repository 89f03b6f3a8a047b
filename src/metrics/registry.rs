//! A program's own metrics, beside those of its tree: counters, gauges, histograms, timers.
//!
//! A metric is a few atomic numbers that whoever counts holds directly; the registry is asked once, when
//! it is made, and when somebody scrapes.
//!
//! # Invariants
//!
//! 1. A name has one kind and one help text.
//! 2. There are at most [`MOST_SERIES`] series: labels made of user input must not fill the memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::formatting;
use thiserror::Error;
use tokio::time::Instant;

use super::instrument::{Cells, Counter, DEFAULT_BUCKETS, Distribution, Gauge, Histogram};
#[cfg(feature = "daemon")]
use super::names::Name;
use super::text;
use crate::sync::{Mutex, lock};

/// How many series a registry holds at most: what a scraper still takes in a second.
pub const MOST_SERIES: usize = 10_000;

/// What the names of the library's own metrics begin with, and of those of its process.
const RESERVED: [&str; 2] = ["perennial_", "process_"];

/// A program's own metrics. Clones speak of the same ones.
///
/// ```
/// # use perennial::metrics::{InvalidMetric, Registry};
/// # fn main() -> Result<(), InvalidMetric> {
/// let registry = Registry::new();
/// let lines = registry.counter("lines_total", "How many lines were stored.")?;
/// lines.increment(2);
/// assert!(registry.render().contains("\nlines_total 2\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    began: Instant,
    families: Mutex<Families>,
}

#[derive(Default)]
struct Families {
    by_name: BTreeMap<String, Family>,
    series: usize,
}

/// All series of one name.
struct Family {
    kind: Kind,
    help: String,
    /// By the labels, as they are written.
    series: BTreeMap<String, Cells>,
}

/// What a metric is, in Prometheus' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

impl Kind {
    /// Returns the word of the text format.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Says why there can be no such metric.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidMetric {
    /// Prometheus would not take the name.
    #[error(
        "`{0}` is no name of a metric or a label; write letters, digits and `_`, a letter first"
    )]
    Name(String),
    /// The name is one of the library's.
    #[error("`{0}` begins as the metrics of the library do; choose another name")]
    Reserved(String),
    /// The name is taken by a metric of another kind.
    #[error("`{name}` is a {} already", kind.code())]
    Kind {
        /// The name.
        name: String,
        /// What it is.
        kind: Kind,
    },
    /// There are too many.
    #[error("there are {MOST_SERIES} series already")]
    TooMany,
    /// Two labels of one series have the same name.
    #[error("the label `{0}` is given twice")]
    LabelTwice(String),
    /// The bounds of a histogram do not rise, or are no numbers.
    #[error("the bounds of the buckets of `{0}` do not rise")]
    Buckets(String),
}

impl InvalidMetric {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "metric_name",
            Self::Reserved(_) => "metric_reserved",
            Self::Kind { .. } => "metric_kind",
            Self::TooMany => "metric_too_many",
            Self::LabelTwice(_) => "metric_label_twice",
            Self::Buckets(_) => "metric_buckets",
        }
    }
}

type Labels<'a> = &'a [(&'a str, &'a str)];

impl Registry {
    /// Makes one without metrics; its uptime begins now.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared {
            began: Instant::now(),
            families: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Makes a counter, or returns the one that is there.
    ///
    /// # Errors
    ///
    /// [`InvalidMetric`].
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, InvalidMetric> {
        self.counter_with(name, help, &[])
    }

    /// Makes a counter with labels, or returns the one that is there.
    ///
    /// # Errors
    ///
    /// [`InvalidMetric`].
    pub fn counter_with(
        &self,
        name: &str,
        help: &str,
        labels: Labels<'_>,
    ) -> Result<Counter, InvalidMetric> {
        refuse_reserved(name)?;
        self.own_counter(name, help, labels)
    }

    /// Makes a gauge, or returns the one that is there.
    ///
    /// # Errors
    ///
    /// [`InvalidMetric`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, InvalidMetric> {
        self.gauge_with(name, help, &[])
    }

    /// Makes a gauge with labels, or returns the one that is there.
    ///
    /// # Errors
    ///
    /// [`InvalidMetric`].
    pub fn gauge_with(
        &self,
        name: &str,
        help: &str,
        labels: Labels<'_>,
    ) -> Result<Gauge, InvalidMetric> {
        refuse_reserved(name)?;
        self.own_gauge(name, help, labels)
    }

    /// Makes a histogram with [`DEFAULT_BUCKETS`], or returns the one that is there.
    ///
    /// # Errors
    ///
    /// [`InvalidMetric`].
    pub fn histogram(&self, name: &str, help: &str) -> Result<Histogram, InvalidMetric> {
        self.histogram_with(name, help, &[], &DEFAULT_BUCKETS)
    }

    /// Makes a histogram with labels and the upper bounds of its buckets, in rising order, or returns the
    /// one that is there, with the bounds that it has.
    ///
    /// # Errors
    ///
    /// [`InvalidMetric`].
    #[allow(
        clippy::too_many_arguments,
        reason = "none of them can be left out, and two are lists"
    )]
    pub fn histogram_with(
        &self,
        name: &str,
        help: &str,
        labels: Labels<'_>,
        bounds: &[f64],
    ) -> Result<Histogram, InvalidMetric> {
        refuse_reserved(name)?;
        let rises = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if !rises || bounds.iter().any(|bound| !bound.is_finite()) {
            return Err(InvalidMetric::Buckets(name.to_owned()));
        }
        let make = || Cells::Histogram(Histogram::new(bounds));
        match self.series((name, help), labels, &make)? {
            Cells::Histogram(histogram) => Ok(histogram),
            other => Err(is_another(name, &other)),
        }
    }

    fn own_counter(
        &self,
        name: &str,
        help: &str,
        labels: Labels<'_>,
    ) -> Result<Counter, InvalidMetric> {
        match self.series((name, help), labels, &|| Cells::Counter(Counter::default()))? {
            Cells::Counter(counter) => Ok(counter),
            other => Err(is_another(name, &other)),
        }
    }

    fn own_gauge(
        &self,
        name: &str,
        help: &str,
        labels: Labels<'_>,
    ) -> Result<Gauge, InvalidMetric> {
        match self.series((name, help), labels, &|| Cells::Gauge(Gauge::default()))? {
            Cells::Gauge(gauge) => Ok(gauge),
            other => Err(is_another(name, &other)),
        }
    }

    /// Sets a counter of the library's; a registry that is full does not have it.
    #[cfg(feature = "daemon")]
    pub(crate) fn count(&self, name: Name, labels: Labels<'_>, count: u64) {
        if let Ok(counter) = self.own_counter(name.name, name.help, labels) {
            counter.set(count);
        }
    }

    /// Records a value in a histogram of the library's.
    #[cfg(feature = "daemon")]
    pub(crate) fn record(&self, name: Name, labels: Labels<'_>, (bounds, value): (&[f64], f64)) {
        let make = || Cells::Histogram(Histogram::new(bounds));
        if let Ok(Cells::Histogram(histogram)) = self.series((name.name, name.help), labels, &make)
        {
            histogram.record(value);
        }
    }

    /// Counts one more.
    #[cfg(feature = "daemon")]
    pub(crate) fn count_one(&self, name: Name, labels: Labels<'_>) {
        if let Ok(counter) = self.own_counter(name.name, name.help, labels) {
            counter.increment(1);
        }
    }

    /// Sets a gauge of the library's.
    #[cfg(feature = "daemon")]
    pub(crate) fn measure(&self, name: Name, value: f64) {
        if let Ok(gauge) = self.own_gauge(name.name, name.help, &[]) {
            gauge.set(value);
        }
    }

    /// Sets a counter of seconds.
    #[cfg(feature = "daemon")]
    pub(crate) fn count_seconds(&self, name: Name, seconds: f64) {
        let make = || Cells::Seconds(Gauge::default());
        if let Ok(Cells::Seconds(counter)) = self.series((name.name, name.help), &[], &make) {
            counter.set(seconds);
        }
    }

    fn series(
        &self,
        (name, help): (&str, &str),
        labels: Labels<'_>,
        make: &dyn Fn() -> Cells,
    ) -> Result<Cells, InvalidMetric> {
        let labels = written(name, labels)?;
        let mut families = lock(&self.shared.families);
        let found = families
            .by_name
            .get(name)
            .and_then(|family| family.series.get(&labels));
        if let Some(found) = found {
            return Ok(found.clone());
        }
        if families.series >= MOST_SERIES {
            return Err(InvalidMetric::TooMany);
        }
        let made = make();
        let family = families
            .by_name
            .entry(name.to_owned())
            .or_insert_with(|| Family {
                kind: made.kind(),
                help: help.to_owned(),
                series: BTreeMap::new(),
            });
        if family.kind != made.kind() {
            return Err(InvalidMetric::Kind {
                name: name.to_owned(),
                kind: family.kind,
            });
        }
        family.series.insert(labels, made.clone());
        families.series += 1;
        Ok(made)
    }

    /// Reads everything at once.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let families = lock(&self.shared.families);
        let mut values = Vec::with_capacity(families.series);
        for (name, family) in &families.by_name {
            for (labels, cells) in &family.series {
                values.push(SeriesReading {
                    name: name.clone(),
                    labels: labels.clone(),
                    value: cells.read(),
                });
            }
        }
        MetricsSnapshot {
            uptime: self.shared.began.elapsed(),
            values,
        }
    }

    /// Renders everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut shown = String::new();
        let families = lock(&self.shared.families);
        for (name, family) in &families.by_name {
            formatting::write_help_line(&mut shown, name, None, None, &family.help);
            formatting::write_type_line(&mut shown, name, None, None, family.kind.code());
            for (labels, cells) in &family.series {
                match cells.read() {
                    Value::Counter(value) => text::line(&mut shown, name, labels, value),
                    Value::Gauge(value) => text::line(&mut shown, name, labels, value),
                    Value::Histogram(distribution) => {
                        text::histogram(&mut shown, name, labels, &distribution)
                    }
                }
            }
            shown.push('\n');
        }
        shown
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("series", &lock(&self.shared.families).series)
            .finish_non_exhaustive()
    }
}

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
    /// A gauge's.
    Gauge(f64),
    /// A histogram's.
    Histogram(Distribution),
}

fn refuse_reserved(name: &str) -> Result<(), InvalidMetric> {
    match RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
        true => Err(InvalidMetric::Reserved(name.to_owned())),
        false => Ok(()),
    }
}

fn is_another(name: &str, found: &Cells) -> InvalidMetric {
    InvalidMetric::Kind {
        name: name.to_owned(),
        kind: found.kind(),
    }
}

/// Writes labels in the text format, sorted, after a look at all names.
fn written(name: &str, labels: Labels<'_>) -> Result<String, InvalidMetric> {
    let invalid = |name: &str| InvalidMetric::Name(name.to_owned());
    if name.is_empty() || formatting::sanitize_metric_name(name) != name {
        return Err(invalid(name));
    }
    let mut labels = labels.to_vec();
    labels.sort_unstable();
    let mut pairs = labels.windows(2);
    if let Some(twice) = pairs.find(|pair| pair[0].0 == pair[1].0) {
        return Err(InvalidMetric::LabelTwice(twice[0].0.to_owned()));
    }
    let mut text = String::new();
    for (label, value) in labels {
        // What begins with two underscores is Prometheus' own, and `le` the histogram's.
        let is_taken = label.starts_with("__") || label == "le";
        if label.is_empty() || is_taken || formatting::sanitize_label_key(label) != label {
            return Err(invalid(label));
        }
        let comma = if text.is_empty() { "" } else { "," };
        text.push_str(&format!(
            "{comma}{label}=\"{}\"",
            formatting::sanitize_label_value(value)
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
