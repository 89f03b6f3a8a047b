//! How many restarts a supervisor accepts before it gives up.
//!
//! The window is exact: "more than `n` within `period`" holds for every stretch of that length, not
//! for buckets of it. It keeps the instants of the last `period`, at most `n` of them, in a ring, so
//! that asking and counting take constant time however many restarts there were.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::time::later;

/// How many restarts a supervisor of children without backoff accepts when nothing was set.
pub const DEFAULT_INTENSITY_RESTARTS: u32 = 5;
/// Within which time they are counted.
pub const DEFAULT_INTENSITY_PERIOD: Duration = Duration::from_secs(60);

/// Allows at most `restarts` within any stretch of `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// How many restarts are allowed.
    pub restarts: u32,
    /// Within which time.
    pub period: Duration,
}

impl Default for Intensity {
    fn default() -> Self {
        Self {
            restarts: DEFAULT_INTENSITY_RESTARTS,
            period: DEFAULT_INTENSITY_PERIOD,
        }
    }
}

/// Remembers the restarts that still count.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    limit: Intensity,
    recent: VecDeque<Instant>,
    /// How many restarts it has ever admitted.
    admitted: u64,
}

impl Window {
    /// Makes an empty window.
    pub(crate) fn new(limit: Intensity) -> Self {
        Self {
            limit,
            recent: VecDeque::new(),
            admitted: 0,
        }
    }

    /// Returns how many restarts it has ever admitted, and the instant of the last.
    pub(crate) fn admitted(&self) -> (u64, Option<Instant>) {
        (self.admitted, self.recent.back().copied())
    }

    /// Counts one restart decision; `false` says that it is one too many.
    ///
    /// A restart exactly `period` ago still counts, as in OTP's `in_period`.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        self.forget_old(now);
        let has_room = self.recent.len() < self.limit.restarts as usize;
        if has_room {
            self.recent.push_back(now);
            self.admitted += 1;
        }
        has_room
    }

    /// Counts one restart decision at the first instant from `now` on that admits it, and returns
    /// that instant.
    ///
    /// A window that admits nothing at all is refused when the tree is validated.
    pub(crate) fn admit_later(&mut self, now: Instant) -> Instant {
        let limit = self.limit.restarts as usize;
        // A decision made earlier may have been put off to a later instant than this one.
        let mut at = self.recent.back().map_or(now, |last| now.max(*last));
        if self.recent.len() >= limit
            && let Some(oldest) = self.recent.pop_front()
        {
            at = at.max(later(oldest, self.limit.period) + JUST_AFTER);
        }
        self.forget_old(at);
        self.recent.push_back(at);
        self.admitted += 1;
        at
    }

    /// Forgets restarts that count no more: a limit that is never reached must not keep them all.
    /// Each is forgotten once, so that counting one still takes constant time.
    fn forget_old(&mut self, now: Instant) {
        let period = self.limit.period;
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > period;
        while self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
    }

    /// Forgets all restarts.
    pub(crate) fn clear(&mut self) {
        self.recent.clear();
    }
}

/// The least by which an instant is later than another: one exactly a period ago still counts.
const JUST_AFTER: Duration = Duration::from_nanos(1);

#[cfg(test)]
mod tests {
    use super::{Intensity, Window};
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
    use std::time::Duration;
    use tokio::time::Instant;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn admitted(restarts: u32, period: u64, at: &[u64]) -> Vec<bool> {
        let start = Instant::now();
        let mut window = Window::new(Intensity {
            restarts,
            period: seconds(period),
        });
        at.iter()
            .map(|second| window.admit(start + seconds(*second)))
            .collect()
    }

    #[test]
    fn the_restart_after_the_last_allowed_one_is_too_many() {
        assert_eq!(admitted(2, 5, &[0, 1, 2]), [true, true, false]);
    }

    #[test]
    fn a_restart_exactly_a_period_ago_still_counts() {
        assert_eq!(admitted(1, 5, &[0, 5]), [true, false]);
        assert_eq!(admitted(1, 5, &[0, 6]), [true, true]);
    }

    #[test]
    fn zero_restarts_admits_none() {
        assert_eq!(admitted(0, 5, &[0, 100]), [false, false]);
    }

    #[test]
    fn a_limit_that_is_never_reached_keeps_only_what_still_counts() {
        let limit = Intensity {
            restarts: u32::MAX,
            period: seconds(1),
        };
        let (mut strict, mut patient) = (Window::new(limit), Window::new(limit));
        let mut now = Instant::now();
        for _ in 0..1_000 {
            now += seconds(2);
            assert!(strict.admit(now));
            assert_eq!(patient.admit_later(now), now);
        }
        assert_eq!((strict.recent.len(), patient.recent.len()), (1, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_window_that_puts_off_never_exceeds_its_limit(
            restarts in 1u32..6, period in 1u64..20, gaps in proptest::collection::vec(0u64..12, 0..60),
        ) {
            let mut now = Instant::now();
            let mut window = Window::new(Intensity { restarts, period: seconds(period) });
            let mut admitted = Vec::new();
            for gap in gaps {
                now += seconds(gap);
                let at = window.admit_later(now);
                prop_assert!(at >= now);
                admitted.push(at);
            }
            for (index, first) in admitted.iter().enumerate() {
                let within = admitted[index..].iter().filter(|at| **at - *first <= seconds(period));
                prop_assert!(within.count() <= restarts as usize);
            }
        }

        #[test]
        fn the_window_agrees_with_a_plain_list(
            restarts in 0u32..6, period in 1u64..20, gaps in proptest::collection::vec(0u64..12, 0..60),
        ) {
            let start = Instant::now();
            let mut window = Window::new(Intensity { restarts, period: seconds(period) });
            let (mut now, mut list) = (start, Vec::new());
            for gap in gaps {
                now += seconds(gap);
                list.retain(|then| now - *then <= seconds(period));
                let admit = list.len() < restarts as usize;
                prop_assert_eq!(window.admit(now), admit);
                if !admit { break; }
                list.push(now);
            }
        }
    }
}
