//! What the collector counts of itself while it runs; it outlives every restart of its parts.
//!
//! Plain lines are counted where they come in and where they are kept, and what was lost is the
//! difference: no way of losing one (a full mailbox, a crash with messages in it, a thread that is
//! blocked to the end) has to be found and counted by itself. What never left the system's buffers is
//! in no count. A numbered line is in none of the two: lost, it is sent again.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the process began.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    received: AtomicU64,
    stored: AtomicU64,
    malformed: AtomicU64,
}

impl Stats {
    /// Notes a plain line that came in.
    pub(crate) fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a plain line that is in the store.
    pub(crate) fn stored(&self) {
        self.stored.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a line, plain or numbered, that did not parse and is in the store.
    pub(crate) fn malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the counts to the log, if there is anything to count. Exact once the tree has ended.
    pub(crate) fn log(&self) {
        let [received, stored, malformed] = [&self.received, &self.stored, &self.malformed]
            .map(|count| count.load(Ordering::Relaxed));
        let lost = received.saturating_sub(stored);
        if lost > 0 {
            tracing::warn!(received, stored, lost, malformed, "plain lines were lost");
        } else if received > 0 || malformed > 0 {
            tracing::info!(
                received,
                stored,
                lost,
                malformed,
                "every plain line was kept"
            );
        }
    }
}
