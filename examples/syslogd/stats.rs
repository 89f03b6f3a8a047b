//! What the collector counts of itself while it runs; it outlives every restart below the root.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the process began.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    malformed: AtomicU64,
    dropped: AtomicU64,
}

impl Stats {
    /// Notes a line that did not parse; it is kept.
    pub(crate) fn malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes plain lines that nobody could take.
    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the counts to the log.
    pub(crate) fn log(&self) {
        let malformed = self.malformed.load(Ordering::Relaxed);
        let dropped = self.dropped.load(Ordering::Relaxed);
        tracing::info!(malformed, dropped, "lines that were not as they should be");
    }
}
