//! What a node has behind it: runs that ended, restarts by their reason, restarts that still count.
//!
//! Only for readers: decisions keep what they need themselves. All of it is bounded.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::status::PastRun;
use crate::exit::Exit;
use crate::health::Health;
use crate::policy::intensity::Intensity;

/// How many runs that ended are kept of one child, the last not counted: enough to see whether they
/// die alike, at about 100 bytes each.
const RUNS_KEPT: usize = 15;

/// In what a run is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StuckIn {
    pub(super) hook: &'static str,
    /// By the coarse clock.
    pub(super) since: u64,
    pub(super) is_blocking: bool,
}

/// What few nodes have, and 100 000 idle ones do not pay for.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// By the code of the exit before, in the order of [`Exit::CODES`].
    pub(super) restarts: [u64; Exit::CODES.len()],
    pub(super) meltdowns: u64,
    pub(super) escalations: u64,
    /// How the present run is.
    pub(super) health: Health,
    /// In what the present run is stuck.
    pub(super) stuck: Option<StuckIn>,
    /// When the next run begins, while it is waited for.
    pub(super) next_run: Option<Instant>,
    /// Those before the last, the newest at the back.
    pub(super) runs: VecDeque<Box<PastRun>>,
}

impl Past {
    pub(super) fn keep(&mut self, run: Box<PastRun>) {
        if self.runs.len() == RUNS_KEPT {
            self.runs.pop_front();
        }
        self.runs.push_back(run);
    }
}

/// The restarts that count against a supervisor's intensity, as a reader sees them.
///
/// A copy of what the decisions count: theirs is not shared with anybody.
#[derive(Debug)]
pub(super) struct Pressure {
    limit: Intensity,
    recent: VecDeque<Instant>,
}

impl Pressure {
    pub(super) fn new(limit: Intensity) -> Self {
        Self {
            limit,
            recent: VecDeque::new(),
        }
    }

    /// Counts a restart, and forgets those that count no more.
    pub(super) fn count(&mut self, at: Instant) {
        let period = self.limit.period;
        let is_old = |then: &Instant| at.saturating_duration_since(*then) > period;
        while self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
    }

    /// Returns how much of the limit is used up now; 0 where no restart is allowed at all.
    pub(super) fn used(&self) -> f64 {
        if self.limit.restarts == 0 {
            return 0.0;
        }
        let now = Instant::now();
        let counts = |at: &&Instant| now.saturating_duration_since(**at) <= self.limit.period;
        // The oldest are at the front, so those that count are at the back.
        let recent = self.recent.iter().rev().take_while(counts).count();
        (recent as f64 / f64::from(self.limit.restarts)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::Pressure;
    use crate::policy::intensity::Intensity;

    #[tokio::test(start_paused = true)]
    async fn what_is_older_than_the_period_presses_no_more() {
        let limit = Intensity {
            restarts: 4,
            period: Duration::from_secs(10),
        };
        let mut pressure = Pressure::new(limit);
        assert_eq!(pressure.used(), 0.0);
        pressure.count(Instant::now());
        sleep(Duration::from_secs(8)).await;
        pressure.count(Instant::now());
        assert_eq!(pressure.used(), 0.5);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(pressure.used(), 0.25);
        for _ in 0..9 {
            pressure.count(Instant::now());
        }
        assert_eq!(pressure.used(), 1.0);
    }
}
