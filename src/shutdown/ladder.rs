//! The three instants that bound the end of a process, and the delay before them.
//!
//! A value and its arithmetic; who does what at which instant stands where it is done.

use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::DEFAULT_SHUTDOWN_BUDGET;
use crate::time::later;

/// How long before `kill` the process begins to end, at most: enough to write a report down.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long each step of a shutdown may take: `graceful < force < kill`, all counted from its beginning.
///
/// Default: 5 s, 10 s, 15 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    graceful: Duration,
    force: Duration,
    kill: Duration,
}

/// Says why three durations are no [`Ladder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidLadder {
    /// Nothing can be done in no time.
    #[error("`graceful` must be more than nothing")]
    NoTime,
    /// The second step is not later than the first.
    #[error("`force` must be later than `graceful`")]
    ForceTooEarly,
    /// The third step is not later than the second.
    #[error("`kill` must be later than `force`")]
    KillTooEarly,
}

impl InvalidLadder {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        "config_invalid"
    }
}

impl Default for Ladder {
    fn default() -> Self {
        let graceful = DEFAULT_SHUTDOWN_BUDGET;
        Self {
            graceful,
            force: 2 * graceful,
            kill: 3 * graceful,
        }
    }
}

impl Ladder {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// [`InvalidLadder`] unless each step is later than the one before.
    pub fn try_new(
        graceful: Duration,
        force: Duration,
        kill: Duration,
    ) -> Result<Self, InvalidLadder> {
        if graceful.is_zero() {
            return Err(InvalidLadder::NoTime);
        }
        if force <= graceful {
            return Err(InvalidLadder::ForceTooEarly);
        }
        if kill <= force {
            return Err(InvalidLadder::KillTooEarly);
        }
        Ok(Self {
            graceful,
            force,
            kill,
        })
    }

    /// When whatever still runs is killed.
    #[must_use]
    pub fn graceful(&self) -> Duration {
        self.graceful
    }

    /// When nobody waits any longer for what can't be killed.
    #[must_use]
    pub fn force(&self) -> Duration {
        self.force
    }

    /// When the process ends whatever it is doing.
    #[must_use]
    pub fn kill(&self) -> Duration {
        self.kill
    }

    /// Returns how long the process may take to end once nobody waits any more: what is between `force` and
    /// `kill`.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.kill - self.force
    }

    /// Returns how long before `kill` the process begins to end, to say who still runs: 200 ms, but no more
    /// than a quarter of what is between `force` and `kill`.
    #[must_use]
    pub fn last_words(&self) -> Duration {
        LAST_WORDS.min(self.patience() / 4)
    }

    /// Returns the instants of a shutdown whose tree begins to stop at `begin`.
    #[must_use]
    pub fn from(&self, begin: Instant) -> Steps {
        Steps {
            graceful: later(begin, self.graceful),
            force: later(begin, self.force),
            kill: later(begin, self.kill),
        }
    }

    /// Returns the instants of a shutdown whose tree has to have stopped by `graceful`.
    #[must_use]
    pub fn ending(&self, graceful: Instant) -> Steps {
        Steps {
            graceful,
            force: later(graceful, self.force - self.graceful),
            kill: later(graceful, self.kill - self.graceful),
        }
    }
}

/// The instants of one shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// When whatever still runs is killed.
    pub graceful: Instant,
    /// When nobody waits any longer.
    pub force: Instant,
    /// When the process ends.
    pub kill: Instant,
}

impl Steps {
    /// Takes of each step the earlier instant.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self {
            graceful: self.graceful.min(other.graceful),
            force: self.force.min(other.force),
            kill: self.kill.min(other.kill),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidLadder, Ladder};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn each_step_is_later_than_the_one_before() {
        let made = |graceful, force, kill| {
            let [graceful, force, kill] = [graceful, force, kill].map(Duration::from_secs);
            Ladder::try_new(graceful, force, kill).map(drop)
        };
        for (steps, expected) in [
            ((5, 10, 15), Ok(())),
            ((1, 2, 3), Ok(())),
            ((0, 10, 15), Err(InvalidLadder::NoTime)),
            ((5, 5, 15), Err(InvalidLadder::ForceTooEarly)),
            ((5, 10, 10), Err(InvalidLadder::KillTooEarly)),
        ] {
            assert_eq!(made(steps.0, steps.1, steps.2), expected, "{steps:?}");
        }
    }

    #[test]
    fn the_instants_count_from_the_beginning_and_the_earlier_one_wins() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let ladder = Ladder::default();
        let steps = ladder.from(now);
        assert_eq!(steps, ladder.ending(now + 5 * second));
        assert_eq!(steps.kill, now + 15 * second);
        let other = ladder.ending(now + second);
        assert_eq!(steps.earlier(other), other);
        assert_eq!(other.force, now + 6 * second);
        // No clock can hold it, and nothing overflows.
        let long =
            Ladder::try_new(second, Duration::MAX - second, Duration::MAX).expect("it rises");
        assert!(long.from(now).kill >= long.from(now).force);
    }

    #[test]
    fn the_last_words_leave_most_of_the_time_between_force_and_kill() {
        let millis = |[graceful, force, kill]: [u64; 3]| {
            let [graceful, force, kill] = [graceful, force, kill].map(Duration::from_millis);
            Ladder::try_new(graceful, force, kill).expect("each is later")
        };
        for (ladder, patience, last_words) in [
            ([5_000, 10_000, 15_000], 5_000, 200),
            ([50, 100, 150], 50, 12),
            ([1_000, 29_900, 30_000], 100, 25),
        ] {
            let ladder = millis(ladder);
            assert_eq!(ladder.patience().as_millis(), patience);
            assert_eq!(ladder.last_words().as_millis(), last_words);
        }
    }
}
