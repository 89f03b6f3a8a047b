//! Many durations, and the share of them that is no longer than so much.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest that is told apart: an hour.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Counts durations, each to three digits.
#[derive(Debug, Clone)]
pub struct Durations {
    counted: Histogram<u64>,
}

impl Default for Durations {
    fn default() -> Self {
        let counted = Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Self {
            counted: counted.expect("these bounds are valid"),
        }
    }
}

impl Durations {
    /// Counts one.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counted.saturating_record(nanos.max(1));
    }

    /// Takes in what another has counted.
    ///
    /// # Panics
    ///
    /// Never: all have the same bounds.
    pub fn add(&mut self, other: &Self) {
        self.counted
            .add(&other.counted)
            .expect("both have these bounds");
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counted.len()
    }

    /// Returns what a share of them does not exceed, in microseconds; 0 when there are none.
    #[must_use]
    pub fn micros(&self, share: f64) -> f64 {
        self.counted.value_at_quantile(share) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Durations;

    #[test]
    fn a_share_is_what_so_many_do_not_exceed() {
        let mut low = Durations::default();
        let mut high = Durations::default();
        (1..=50).for_each(|micros| low.record(Duration::from_micros(micros)));
        (51..=100).for_each(|micros| high.record(Duration::from_micros(micros)));
        low.add(&high);
        assert_eq!(low.count(), 100);
        for (share, micros) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            assert!(
                (low.micros(share) - micros).abs() < 0.1,
                "{share}: {}",
                low.micros(share)
            );
        }
    }

    #[test]
    fn none_and_too_long_are_no_failure() {
        let mut durations = Durations::default();
        assert_eq!(durations.micros(0.5), 0.0);
        durations.record(Duration::MAX);
        assert_eq!(durations.count(), 1);
    }
}
