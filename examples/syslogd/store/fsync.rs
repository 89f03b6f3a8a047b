//! Decides when the store has to be synced; it reads no clock and touches no disk.
//!
//! A sync costs milliseconds on a disk, so the choice is between lines at risk and lines per second.
//! Whatever the policy, a line that was stored is synced after a bounded time: an acknowledged client that
//! pauses must still get its `ACK`.

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::time::Instant;

/// How long [`FsyncPolicy::Every`] leaves a batch that does not fill: what a person notices.
const EVERY_MAX_DELAY: Duration = Duration::from_secs(1);

/// How many lines, or for how long, may be lost when the power fails. Nothing is lost when only the
/// process ends, since the system has the lines then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FsyncPolicy {
    /// After each line: no line is at risk.
    Always,
    /// After so many lines, and one second after the first of fewer.
    Every(NonZeroUsize),
    /// So long after the first line that is not synced.
    Interval(Duration),
}

/// Keeps what the policy needs to know: how many lines are not synced, and since when.
#[derive(Debug)]
pub(crate) struct SyncSchedule {
    policy: FsyncPolicy,
    unsynced_lines: usize,
    oldest: Option<Instant>,
}

impl SyncSchedule {
    /// Starts with everything synced, as an opened store is.
    pub(crate) fn new(policy: FsyncPolicy) -> Self {
        Self {
            policy,
            unsynced_lines: 0,
            oldest: None,
        }
    }

    /// Notes a stored line.
    pub(crate) fn appended(&mut self, now: Instant) {
        self.unsynced_lines = self.unsynced_lines.saturating_add(1);
        self.oldest.get_or_insert(now);
    }

    /// Notes that the store was synced.
    pub(crate) fn synced(&mut self) {
        *self = Self::new(self.policy);
    }

    /// When the store has to be synced if nothing more arrives; `None` when nothing waits.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let oldest = self.oldest?;
        Some(match self.policy {
            FsyncPolicy::Always => oldest,
            FsyncPolicy::Every(lines) if self.unsynced_lines >= lines.get() => oldest,
            FsyncPolicy::Every(_) => oldest + EVERY_MAX_DELAY,
            FsyncPolicy::Interval(interval) => oldest + interval,
        })
    }

    /// Says whether the store has to be synced now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due_at().is_some_and(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{EVERY_MAX_DELAY, FsyncPolicy, SyncSchedule};

    /// After how many lines at once, and after what time, each policy asks for a sync.
    #[test]
    fn each_policy_is_due_when_it_says() {
        let now = Instant::now();
        let three = NonZeroUsize::new(3).unwrap();
        let second = Duration::from_millis(200);
        let table = [
            (FsyncPolicy::Always, 1, Duration::ZERO),
            (FsyncPolicy::Every(three), 2, EVERY_MAX_DELAY),
            (FsyncPolicy::Every(three), 3, Duration::ZERO),
            (FsyncPolicy::Interval(second), 1000, second),
        ];
        for (policy, lines, wait) in table {
            let mut schedule = SyncSchedule::new(policy);
            assert_eq!(schedule.due_at(), None);
            for _ in 0..lines {
                schedule.appended(now);
            }
            assert_eq!(schedule.due_at(), Some(now + wait), "{policy:?}");
            assert!(schedule.is_due(now + wait));
            schedule.synced();
            assert!(!schedule.is_due(now + Duration::from_secs(3600)));
        }
    }

    #[test]
    fn later_lines_do_not_put_a_sync_off() {
        let now = Instant::now();
        let mut schedule = SyncSchedule::new(FsyncPolicy::Interval(Duration::from_millis(200)));
        schedule.appended(now);
        schedule.appended(now + Duration::from_millis(199));
        assert!(schedule.is_due(now + Duration::from_millis(200)));
    }
}
