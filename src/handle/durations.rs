//! How long a child takes for its messages, from a sample of them.
//!
//! One message in [`SAMPLE`] is timed: two readings of the clock for each would cost more than a small
//! message does. What is recorded is kept with the child, across its incarnations.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// One message of so many is timed. A power of two, so that choosing it is one instruction.
pub const SAMPLE: u64 = 64;

/// The upper bounds in seconds: from a microsecond, less than which no handler of any use takes, to
/// ten seconds, after which nobody waits any longer.
pub const HANDLER_DURATION_BUCKETS: [f64; 12] = [
    0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.1, 1.0, 10.0,
];

/// One for each bound, and one above them.
const SLOTS: usize = HANDLER_DURATION_BUCKETS.len() + 1;

/// How long a sample of a child's messages took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HandlerDurations {
    /// How many took no longer than each of [`HANDLER_DURATION_BUCKETS`] and longer than the bound
    /// before; at last those above all of them.
    pub counts: [u64; SLOTS],
    /// What they took together.
    pub sum: Duration,
}

impl HandlerDurations {
    /// Adds what another child took.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

/// Records durations; made for a child when its first one is known.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    counts: [AtomicU64; SLOTS],
    sum_nanos: AtomicU64,
}

impl Recorded {
    pub(super) fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let slot = HANDLER_DURATION_BUCKETS.partition_point(|bound| *bound < seconds);
        self.counts[slot].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> HandlerDurations {
        let mut read = HandlerDurations::default();
        for (count, recorded) in read.counts.iter_mut().zip(&self.counts) {
            *count = recorded.load(Ordering::Relaxed);
        }
        read.sum = Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::{HANDLER_DURATION_BUCKETS, Recorded};
    use std::time::Duration;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_it_fits_in() {
        let recorded = Recorded::default();
        for nanos in [0, 1_000, 1_001, 20_000_000_000] {
            recorded.record(Duration::from_nanos(nanos));
        }
        let mut read = recorded.read();
        assert_eq!((read.counts[0], read.counts[1]), (2, 1));
        assert_eq!(read.counts[HANDLER_DURATION_BUCKETS.len()], 1);
        assert_eq!(read.sum, Duration::from_nanos(20_000_002_001));
        read.add(&recorded.read());
        assert_eq!((read.counts[0], read.sum.as_secs()), (4, 40));
    }
}
