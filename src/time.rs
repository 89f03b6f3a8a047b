//! The clocks: which one a decision, an event and a histogram use.
//!
//! Decisions take [`tokio::time::Instant`] as an argument, so that a paused clock drives a whole
//! tree. People and files want the time of day: [`WallClock`] translates, from one reading at the
//! start of the tree, so that two events never seem to swap because the system clock was set.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Translates the tree's instants into the time of day.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    instant: Instant,
    time_of_day: SystemTime,
}

impl WallClock {
    /// Reads both clocks once.
    pub(crate) fn anchored() -> Self {
        Self {
            instant: Instant::now(),
            time_of_day: SystemTime::now(),
        }
    }

    /// Returns the instant at which the clocks were read: the start of the tree.
    #[must_use]
    pub fn anchor(&self) -> Instant {
        self.instant
    }

    /// Translates an instant of the tree.
    #[must_use]
    pub fn time_of_day(&self, instant: Instant) -> SystemTime {
        match instant.checked_duration_since(self.instant) {
            Some(later) => self.time_of_day + later,
            None => self.time_of_day - (self.instant - instant),
        }
    }
}

/// The coarse clock, in milliseconds since it began, moved on by the watchdog alone. Begins at 1, so that
/// 0 is no instant.
static COARSE: AtomicU64 = AtomicU64::new(1);

/// Reads the coarse clock: one load of what is in every core's cache. A quarter of a second late at most,
/// unless something is watched more closely. For no decision but the watchdog's.
#[inline]
pub(crate) fn coarse() -> u64 {
    COARSE.load(Ordering::Relaxed)
}

/// Moves the coarse clock on.
pub(crate) fn set_coarse(millis: u64) {
    COARSE.store(millis, Ordering::Relaxed);
}

/// The shortest time, in milliseconds, that anything in the process is watched for.
static CLOSEST_WATCH: AtomicU64 = AtomicU64::new(u64::MAX);

/// Says that something is watched for this time, so that the coarse clock is moved on often enough.
pub(crate) fn watch_closely(time: Duration) {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    CLOSEST_WATCH.fetch_min(millis, Ordering::Relaxed);
}

/// Returns the shortest time that anything is watched for.
pub(crate) fn closest_watch() -> Duration {
    Duration::from_millis(CLOSEST_WATCH.load(Ordering::Relaxed))
}

/// An instant that nobody lives to see: about thirty years away, as tokio's own far future.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Adds a duration that a user chose; one that no clock can hold means "never".
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    now + by.min(FAR_FUTURE)
}

/// Measures how long something took, on the clock that costs least to read: about half of what the system's costs.
///
/// For histograms and for measuring. Never for a decision: it does not know the paused clock of a test, and over hours
/// it may drift from the time that the system tells. [`metrics::Histogram`](crate::metrics::Histogram) is where it
/// mostly ends.
///
/// ```
/// use perennial::time::Stopwatch;
///
/// let stopwatch = Stopwatch::start();
/// let sum: u64 = (0..1_000).sum();
/// println!("{sum} after {:?}", stopwatch.elapsed());
/// ```
#[cfg(feature = "metrics")]
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(quanta::Instant);

#[cfg(feature = "metrics")]
impl Stopwatch {
    /// Begins to measure.
    #[must_use]
    pub fn start() -> Self {
        Self(quanta::Instant::now())
    }

    /// Returns how long ago it began.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use std::time::Duration;

    use super::Stopwatch;

    #[test]
    fn a_stopwatch_goes_forward_only() {
        let (stopwatch, mut last) = (Stopwatch::start(), Duration::ZERO);
        for _ in 0..10_000 {
            let now = stopwatch.elapsed();
            assert!(now >= last, "{now:?} after {last:?}");
            last = now;
        }
        // It stands still for nobody, however coarse it is.
        while stopwatch.elapsed() <= last {}
    }
}
