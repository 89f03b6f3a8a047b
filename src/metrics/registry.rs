//! A program's own metrics, beside those of its tree: counters, gauges, histograms, timers.
//!
//! A metric is a few atomic numbers that whoever counts holds directly; the registry is asked once, when
//! it is made, and when somebody scrapes.
//!
//! # Invariants
//!
//! 1. A name has one kind and one help text.
//! 2. There are at most [`MOST_SERIES`] series: labels made of user input must not fill the memory. The
//!    library's own, which are few, do not count.
//! 3. No two series write a line of the same name: a scraper would refuse everything.

mod facade;
mod refused;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use metrics_exporter_prometheus::formatting;
use tokio::time::Instant;

pub use self::refused::InvalidMetric;
pub use self::snapshot::{MetricsSnapshot, SeriesReading, Value};
use super::instrument::{Cells, Counter, DEFAULT_BUCKETS, Gauge, Histogram};
#[cfg(feature = "daemon")]
use super::names::Name;
use super::text::{self, Labels};
use crate::sync::{Mutex, lock};

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
    families: Mutex<Families>,
}

#[derive(Default)]
struct Families {
    by_name: BTreeMap<String, Family>,
    /// How many series the program has.
    series: usize,
    /// Help texts of what is made without one.
    described: BTreeMap<String, String>,
    /// The reasons for which a metric was refused that nobody hears of but the log.
    told: BTreeSet<&'static str>,
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
        let is_own = is_reserved(name);
        if !is_own && families.series >= MOST_SERIES {
            return Err(InvalidMetric::TooMany);
        }
        let made = make();
        families.refuse_same_lines(name, made.kind())?;
        let Families {
            by_name, described, ..
        } = &mut *families;
        let family = by_name.entry(name.to_owned()).or_insert_with(|| Family {
            kind: made.kind(),
            help: match help {
                "" => described.get(name).cloned().unwrap_or_default(),
                help => help.to_owned(),
            },
            series: BTreeMap::new(),
        });
        if family.kind != made.kind() {
            return Err(InvalidMetric::Kind {
                name: name.to_owned(),
                kind: family.kind,
            });
        }
        family.series.insert(labels, made.clone());
        families.series += usize::from(!is_own);
        Ok(made)
    }

    /// Removes the series of this name and these labels, so that there is room for another; `false` where
    /// there is none, or it is the library's. What still counts it counts on, and nobody is told.
    ///
    /// For what comes and goes, such as one series for each client. A series that is made anew after that
    /// begins at nought.
    pub fn remove(&self, name: &str, labels: Labels<'_>) -> bool {
        let Ok(labels) = written(name, labels) else {
            return false;
        };
        let mut families = lock(&self.shared.families);
        let Some(family) = families.by_name.get_mut(name) else {
            return false;
        };
        if is_reserved(name) || family.series.remove(&labels).is_none() {
            return false;
        }
        if family.series.is_empty() {
            families.by_name.remove(name);
        }
        families.series -= 1;
        true
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
        f.debug_struct("Registry")
            .field("series", &lock(&self.shared.families).series)
            .finish_non_exhaustive()
    }
}

impl Families {
    /// Refuses a metric whose lines would be called as those of another: a histogram writes three kinds of
    /// them, beside those that it is called after.
    fn refuse_same_lines(&self, name: &str, kind: Kind) -> Result<(), InvalidMetric> {
        let lines = |name: &str, histogram: &str| InvalidMetric::Lines {
            name: name.to_owned(),
            histogram: histogram.to_owned(),
        };
        for suffix in HISTOGRAM_LINES {
            let histogram = name.strip_suffix(suffix);
            if let Some((histogram, Family { kind, .. })) =
                histogram.and_then(|histogram| self.by_name.get_key_value(histogram))
                && *kind == Kind::Histogram
            {
                return Err(lines(name, histogram));
            }
            let other = format!("{name}{suffix}");
            if kind == Kind::Histogram && self.by_name.contains_key(&other) {
                return Err(lines(&other, name));
            }
        }
        Ok(())
    }
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
