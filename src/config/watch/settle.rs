//! When to look at files of which something was seen.
//!
//! What is complete is looked at now. What is not gets time to become so, and no more than
//! [`LONGEST_WAIT`] from the first sign: a stream of changes must not put the look off for ever.

use std::time::Duration;

use tokio::time::Instant;

use super::Hint;

/// How long to wait after something was made, removed or renamed: another step may follow.
const SETTLE_TIME: Duration = Duration::from_millis(50);

/// How long to wait after something was written and not closed. The system tells of the end of a write
/// where it can, so this is for those whose end can't be seen, and for those who stop half way.
const WRITE_PATIENCE: Duration = Duration::from_secs(1);

/// How long all of that may take: a program that writes without an end is read as it is.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Decides when to look.
#[derive(Debug, Default)]
pub(in crate::config) struct Settle {
    /// Whether something is complete: what begins after it does not put that off.
    is_due: bool,
    /// When the first sign of what is not was seen, and when to look.
    pending: Option<(Instant, Instant)>,
}

impl Settle {
    /// Looks at once.
    pub(in crate::config) fn now() -> Self {
        Self {
            is_due: true,
            pending: None,
        }
    }

    /// Takes a hint into account.
    pub(in crate::config) fn heed(&mut self, hint: Hint, now: Instant) {
        let time = match hint {
            Hint::Complete => {
                (self.is_due, self.pending) = (true, None);
                return;
            }
            Hint::Begun => SETTLE_TIME,
            Hint::Writing => WRITE_PATIENCE,
        };
        let (begun, known) = self.pending.unwrap_or((now, now));
        let at = known.max(now + time).min(begun + LONGEST_WAIT);
        self.pending = Some((begun, at));
    }

    /// Returns how long to wait for the next look; `None` when there is no reason for one.
    pub(in crate::config) fn left(&self, now: Instant) -> Option<Duration> {
        match self.is_due {
            true => Some(Duration::ZERO),
            false => self
                .pending
                .map(|(_, at)| at.saturating_duration_since(now)),
        }
    }

    /// Tells whether it is time, and waits for the next reason if it is.
    pub(in crate::config) fn is_due(&mut self, now: Instant) -> bool {
        let is_settled = self.pending.is_some_and(|(_, at)| at <= now);
        if is_settled {
            self.pending = None;
        }
        std::mem::take(&mut self.is_due) || is_settled
    }
}

#[cfg(test)]
mod tests {
    use super::{Hint, Instant, LONGEST_WAIT, SETTLE_TIME, Settle, WRITE_PATIENCE};
    use std::time::Duration;

    #[test]
    fn what_is_complete_is_looked_at_now_and_what_is_not_later() {
        let now = Instant::now();
        for (hints, expected) in [
            (&[][..], None),
            (&[Hint::Complete], Some(Duration::ZERO)),
            (&[Hint::Begun], Some(SETTLE_TIME)),
            (&[Hint::Writing], Some(WRITE_PATIENCE)),
            // A file is made and then written to.
            (&[Hint::Begun, Hint::Writing], Some(WRITE_PATIENCE)),
            // What goes on beside it does not cut its time short.
            (&[Hint::Writing, Hint::Begun], Some(WRITE_PATIENCE)),
            (&[Hint::Writing, Hint::Complete], Some(Duration::ZERO)),
            // A link is swapped, and then the folder removed that it led to.
            (&[Hint::Complete, Hint::Begun], Some(Duration::ZERO)),
        ] {
            let mut settle = Settle::default();
            for hint in hints {
                settle.heed(*hint, now);
            }
            assert_eq!(settle.left(now), expected, "{hints:?}");
        }
    }

    #[test]
    fn a_stream_of_changes_does_not_put_the_look_off_for_ever() {
        for hint in [Hint::Begun, Hint::Writing] {
            let began = Instant::now();
            let (mut settle, mut now) = (Settle::default(), began);
            while !settle.is_due(now) {
                settle.heed(hint, now);
                now += Duration::from_millis(10);
                assert!(now <= began + LONGEST_WAIT + SETTLE_TIME, "{hint:?}");
            }
            assert_eq!(settle.left(now), None, "it begins anew");
        }
    }
}
