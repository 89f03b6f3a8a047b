//! What a program counts with: a few atomic numbers each, without a lock.

use std::sync::Arc;
use std::time::Duration;

use super::registry::{Kind, Value};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Stopwatch;

/// The upper bounds of a histogram's buckets when none were given: Prometheus' own, in seconds.
pub const DEFAULT_BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Counts up. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter {
    value: Arc<AtomicU64>,
}

impl Counter {
    /// Counts `by` more.
    #[inline]
    pub fn increment(&self, by: u64) {
        self.value.fetch_add(by, Ordering::Relaxed);
    }

    /// Returns the count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Takes over a count that is kept elsewhere, unless it is an older one.
    pub(super) fn raise(&self, count: u64) {
        self.value.fetch_max(count, Ordering::Relaxed);
    }

    /// Takes over a count that is kept elsewhere.
    #[cfg(feature = "daemon")]
    pub(crate) fn set(&self, count: u64) {
        self.value.store(count, Ordering::Relaxed);
    }
}

/// Goes up and down. Clones speak of the same value.
#[derive(Debug, Clone, Default)]
pub struct Gauge {
    bits: Arc<AtomicU64>,
}

impl Gauge {
    /// Sets the value.
    #[inline]
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds to the value; a negative number takes away.
    pub fn add(&self, by: f64) {
        add(&self.bits, by);
    }

    /// Returns the value.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.bits.load(Ordering::Relaxed))
    }
}

/// Adds to a number that is kept as its bits.
fn add(bits: &AtomicU64, by: f64) {
    let mut known = bits.load(Ordering::Relaxed);
    loop {
        let sum = (f64::from_bits(known) + by).to_bits();
        match bits.compare_exchange_weak(known, sum, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(newer) => known = newer,
        }
    }
}

/// Counts values by size. Clones count together.
#[derive(Debug, Clone)]
pub struct Histogram {
    shared: Arc<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    bounds: Box<[f64]>,
    /// One more than there are bounds: the last is for what is above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &[f64]) -> Self {
        let buckets = Buckets {
            bounds: bounds.into(),
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(buckets),
        }
    }

    /// Records a value. What is not a number is not recorded.
    #[inline]
    pub fn record(&self, value: f64) {
        self.record_times(value, (1, value));
    }

    /// Records a value so many times, which come to so much.
    #[inline]
    pub(super) fn record_times(&self, value: f64, (times, sum): (u64, f64)) {
        if value.is_nan() || times == 0 {
            return;
        }
        let bucket = self.shared.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.shared.counts.get(bucket) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        add(&self.shared.sum, sum);
    }

    pub(super) fn bounds(&self) -> &[f64] {
        &self.shared.bounds
    }

    /// Records a duration in seconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(duration.as_secs_f64());
    }

    /// Starts a timer that records once: when it is stopped, or dropped.
    #[must_use = "dropped at once it records next to nothing"]
    pub fn timer(&self) -> Timer {
        Timer {
            histogram: Some(self.clone()),
            began: Stopwatch::start(),
        }
    }

    /// Reads the buckets.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        let counts: Vec<u64> = self
            .shared
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        Distribution {
            count: counts.iter().sum(),
            sum: f64::from_bits(self.shared.sum.load(Ordering::Relaxed)),
            buckets: self.shared.bounds.iter().copied().zip(counts).collect(),
        }
    }
}

/// What a histogram has counted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Distribution {
    /// How many values.
    pub count: u64,
    /// What they come to.
    pub sum: f64,
    /// For each bound how many values are no larger than it and larger than the one before.
    pub buckets: Vec<(f64, u64)>,
}

/// Measures a time and records it once.
#[derive(Debug)]
#[must_use = "dropped at once it records next to nothing"]
pub struct Timer {
    histogram: Option<Histogram>,
    began: Stopwatch,
}

impl Timer {
    /// Records the time, and returns it.
    pub fn stop(mut self) -> Duration {
        self.record()
    }

    /// Records nothing.
    pub fn discard(mut self) {
        self.histogram = None;
    }

    fn record(&mut self) -> Duration {
        let elapsed = self.began.elapsed();
        if let Some(histogram) = self.histogram.take() {
            histogram.record_duration(elapsed);
        }
        elapsed
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.record();
    }
}

/// The numbers of one series.
#[derive(Debug, Clone)]
pub(super) enum Cells {
    Counter(Counter),
    Gauge(Gauge),
    /// A counter of seconds, which are no whole number.
    #[cfg_attr(not(feature = "daemon"), allow(dead_code, reason = "the daemon's"))]
    Seconds(Gauge),
    Histogram(Histogram),
}

impl Cells {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) | Self::Seconds(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
        }
    }

    pub(super) fn read(&self) -> Value {
        match self {
            Self::Counter(counter) => Value::Counter(counter.get()),
            Self::Gauge(gauge) => Value::Gauge(gauge.get()),
            Self::Seconds(seconds) => Value::Seconds(seconds.get()),
            Self::Histogram(histogram) => Value::Histogram(histogram.distribution()),
        }
    }
}
