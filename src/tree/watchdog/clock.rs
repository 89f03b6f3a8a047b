//! Moves the coarse clock on, by no more than the watchdog has slept.
//!
//! A process that is suspended, by a signal or with its machine, finds all of that time gone at once, and
//! everybody who awaits anything would look stuck.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::set_coarse;

/// By how many times what it wanted to sleep the watchdog may have slept: a thread that is woken late on a
/// busy machine still counts all of it.
const MOST_TICKS: u32 = 2;

/// The coarse clock, as the one thread has it that moves it on.
#[derive(Debug)]
pub(super) struct Clock {
    now: Duration,
    /// When it was last moved on.
    moved: Instant,
}

impl Clock {
    /// Begins at 1 ms: nothing is marked by 0.
    pub(super) fn new() -> Self {
        Self {
            now: Duration::from_millis(1),
            moved: Instant::now(),
        }
    }

    /// Goes on after a time that does not count.
    pub(super) fn resume(&mut self) {
        self.moved = Instant::now();
    }

    /// Moves on after a sleep that was to take so long.
    pub(super) fn advance(&mut self, slept: Duration) {
        let now = Instant::now();
        self.now += counted(now - std::mem::replace(&mut self.moved, now), slept);
        set_coarse(u64::try_from(self.now.as_millis()).unwrap_or(u64::MAX));
    }
}

/// Returns how much of a time counts in which the watchdog wanted to sleep so long.
fn counted(elapsed: Duration, slept: Duration) -> Duration {
    elapsed.min(slept.saturating_mul(MOST_TICKS))
}

#[cfg(test)]
mod tests {
    use super::counted;
    use std::time::Duration;

    #[test]
    fn a_time_in_which_the_process_did_not_run_does_not_count() {
        let millis = Duration::from_millis;
        for (elapsed, slept, expected) in [
            (250, 250, 250),
            (260, 250, 260),
            (500, 250, 500),
            (60_000, 250, 500),
            (60_000, 5, 10),
        ] {
            assert_eq!(counted(millis(elapsed), millis(slept)), millis(expected));
        }
    }
}
