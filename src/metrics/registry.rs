//! A program's own metrics, beside those of its tree: counters, gauges, histograms, timers.
//!
//! A metric is a few atomic numbers that whoever counts holds directly; the registry is asked when it is made,
//! and when somebody scrapes. What counts through the crate `metrics` asks at each use of a macro.
//!
//! # Invariants
//!
//! 1. A name has one kind and one help text.
//! 2. There are at most [`MOST_SERIES`] series: labels made of user input must not fill the memory. The
//!    library's own, which are few, do not count.
//! 3. No two series write a line of the same name: a scraper would refuse everything.
//! 4. All histograms of a name have the same bounds: their buckets are summed up.

mod facade;
mod families;
mod refused;
mod snapshot;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use metrics_exporter_prometheus::formatting;
use tokio::time::Instant;

use self::families::Families;
pub use self::refused::InvalidMetric;
pub use self::snapshot::{MetricsSnapshot, SeriesReading, Value};
use super::instrument::{Cells, Counter, DEFAULT_BUCKETS, Gauge, Histogram};
#[cfg(feature = "daemon")]
use super::names::Name;
use super::text::{self, Labels};
use crate::sync::{Mutex, RwLock, read, write};

/// How many series a registry holds at most: what a scraper still takes in a second.
pub const MOST_SERIES: usize = 10_000;

/// What the names of the library's own metrics begin with, and of those of its process.
const RESERVED: [&str; 2] = ["perennial_", "process_"];

/// How the lines of a histogram are called after its name.
const HISTOGRAM_LINES: [&str; 3] = ["_bucket", "_sum", "_count"];

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
    families: RwLock<Families>,
    /// Names that were refused to the crate `metrics`, until somebody was told why.
    refused: Mutex<BTreeMap<String, Option<InvalidMetric>>>,
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

impl Registry {
    /// Makes one without metrics; its uptime begins now.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared {
            began: Instant::now(),
            families: RwLock::default(),
            refused: Mutex::default(),
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
    /// one that is there. The bounds are those of the first histogram of the name.
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
        let make = |known: Option<&Cells>| histogram(known, bounds);
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
        match self.series(
            (name, help),
            labels,
            &|_| Cells::Counter(Counter::default()),
        )? {
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
        match self.series((name, help), labels, &|_| Cells::Gauge(Gauge::default()))? {
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
        let make = |known: Option<&Cells>| histogram(known, bounds);
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
        let make = |_: Option<&Cells>| Cells::Seconds(Gauge::default());
        if let Ok(Cells::Seconds(counter)) = self.series((name.name, name.help), &[], &make) {
            counter.set(seconds);
        }
    }

    fn series(
        &self,
        (name, help): (&str, &str),
        labels: Labels<'_>,
        make: &dyn Fn(Option<&Cells>) -> Cells,
    ) -> Result<Cells, InvalidMetric> {
        let labels = written(name, labels)?;
        let found = read(&self.shared.families).find((name, help), &labels);
        match found {
            Some(found) => Ok(found),
            None => write(&self.shared.families).find_or_make((name, help), &labels, make),
        }
    }

    /// Removes the series of this name and these labels, so that there is room for another; `false` where
    /// there is none, or it is the library's. What still counts it counts on, and nobody is told.
    ///
    /// What Prometheus would not take in a name is `_` here as well.
    /// For what comes and goes, such as one series for each client. A series that is made anew after that
    /// begins at nought.
    pub fn remove(&self, name: &str, labels: Labels<'_>) -> bool {
        let name = formatting::sanitize_metric_name(name);
        let labels = with_good_names(labels.iter().copied());
        let labels = written(&name, &borrowed(&labels));
        labels.is_ok_and(|labels| write(&self.shared.families).remove(&name, &labels))
    }

    /// Reads everything at once.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let families = read(&self.shared.families).all();
        let mut values = Vec::new();
        for (name, family) in &families {
            for (labels, cells) in &family.series {
                values.push(SeriesReading {
                    name: name.to_string(),
                    labels: labels.to_string(),
                    value: cells.read(),
                });
            }
        }
        MetricsSnapshot {
            uptime: self.shared.began.elapsed(),
            values,
        }
    }

    /// Renders everything in Prometheus' text format. Logs what was refused to the crate `metrics` meanwhile.
    #[must_use]
    pub fn render(&self) -> String {
        self.tell_refused();
        let mut shown = String::new();
        // Written when the lock is free again, for which whoever counts through the crate `metrics` waits.
        let families = read(&self.shared.families).all();
        for (name, family) in &families {
            text::head(&mut shown, name, &family.help, family.kind.code());
            for (labels, cells) in &family.series {
                match cells.read() {
                    Value::Counter(value) => text::line(&mut shown, name, labels, value),
                    Value::Gauge(value) | Value::Seconds(value) => {
                        text::line(&mut shown, name, labels, value)
                    }
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
        let series = read(&self.shared.families).series();
        f.debug_struct("Registry")
            .field("series", &series)
            .finish_non_exhaustive()
    }
}

/// Turns what Prometheus would not take in the names of labels into `_`.
fn with_good_names<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, &'a str)> {
    labels
        .map(|(label, value)| (formatting::sanitize_label_key(label), value))
        .collect()
}

fn borrowed<'a>(labels: &'a [(String, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let labels = labels.iter();
    labels
        .map(|(label, value)| (label.as_str(), *value))
        .collect()
}

/// Makes a histogram with the bounds of one of the same name, or else with those that are wanted.
fn histogram(known: Option<&Cells>, bounds: &[f64]) -> Cells {
    let bounds = match known {
        Some(Cells::Histogram(known)) => known.bounds(),
        _ => bounds,
    };
    Cells::Histogram(Histogram::new(bounds))
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| name.starts_with(reserved))
}

fn refuse_reserved(name: &str) -> Result<(), InvalidMetric> {
    match is_reserved(name) {
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
    for (label, _value) in &labels {
        // What begins with two underscores is Prometheus' own, and `le` the histogram's.
        let is_taken = label.starts_with("__") || *label == "le";
        if label.is_empty() || is_taken || formatting::sanitize_label_key(label) != *label {
            return Err(invalid(label));
        }
    }
    Ok(text::labels(&labels))
}

#[cfg(test)]
mod tests;
