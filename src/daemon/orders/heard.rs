//! Which signal to end one is: the first, the second, or one that was followed already.

use crate::signals::Signal;

/// How many signals that end the daemon it takes to end the process at once.
pub(super) const AT_ONCE: u32 = 3;

/// The signals to end that were heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    count: u32,
    /// The tree was asked to stop for this one, which is not counted yet.
    uncounted: Option<Signal>,
}

impl Heard {
    /// Returns which one a signal is, and the one before it where nobody was told of that. 0 for one that was
    /// followed already: another has been heard on top of it, or the daemon has ended for it.
    ///
    /// Signals that wait are handed out in the order of their numbers, not in that in which they were sent.
    pub(super) fn count(&mut self, signal: Signal) -> (u32, Option<Signal>) {
        let first = self.uncounted;
        if first == Some(signal) {
            self.uncounted = None;
            if self.count > 0 {
                return (0, None);
            }
        }
        let untold = first.filter(|first| self.count == 0 && *first != signal);
        let more = if untold.is_some() { 2 } else { 1 };
        self.count = self.count.saturating_add(more);
        (self.count, untold)
    }

    /// Takes in that the tree was asked to stop for a signal, always of the same kind. It counts as the first, also
    /// where another was sent a moment before that nobody had heard of yet.
    pub(super) fn note_uncounted(&mut self, signal: Signal) {
        if self.count == 0 {
            self.uncounted = Some(signal);
        }
    }

    /// Takes in that the daemon has ended: whatever comes from now on ends the process at once.
    pub(super) fn end(&mut self) {
        self.count = AT_ONCE;
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, Heard};
    use crate::signals::Signal;

    #[test]
    fn a_signal_for_which_the_daemon_has_ended_already_is_none_that_comes_on_top() {
        let mut heard = Heard::default();
        heard.note_uncounted(Signal::TERMINATE);
        heard.end();
        assert_eq!(heard.count(Signal::TERMINATE), (0, None));
        assert!(heard.count(Signal::TERMINATE).0 > AT_ONCE, "another one");
        let mut heard = Heard::default();
        heard.note_uncounted(Signal::TERMINATE);
        assert_eq!(heard.count(Signal::TERMINATE), (1, None));
        // Too late: that one is counted.
        heard.note_uncounted(Signal::TERMINATE);
        heard.end();
        assert!(heard.count(Signal::TERMINATE).0 > AT_ONCE);
    }

    #[test]
    fn the_second_signal_is_the_second_although_the_thread_that_counts_hears_it_first() {
        let mut heard = Heard::default();
        heard.note_uncounted(Signal::TERMINATE);
        assert_eq!(heard.count(Signal::INTERRUPT), (2, Some(Signal::TERMINATE)));
        assert_eq!(heard.count(Signal::TERMINATE), (0, None), "it was followed");
        assert_eq!(heard.count(Signal::TERMINATE), (AT_ONCE, None));
    }
}
