//! The clocks: which one a decision, an event and a histogram use.
//!
//! Decisions take [`tokio::time::Instant`] as an argument, so that a paused clock drives a whole
//! tree. People and files want the time of day: [`WallClock`] translates, from one reading at the
//! start of the tree, so that two events never seem to swap because the system clock was set.

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

/// An instant that nobody lives to see: about thirty years away, as tokio's own far future.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Adds a duration that a user chose; one that no clock can hold means "never".
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    now + by.min(FAR_FUTURE)
}

/// Measures how long something took, for a histogram. Never for a decision: it does not know the paused
/// clock.
#[cfg(feature = "metrics")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(quanta::Instant);

#[cfg(feature = "metrics")]
impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(quanta::Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
