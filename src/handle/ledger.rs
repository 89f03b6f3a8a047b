//! What is kept of a child's messages for as long as the child: what was lost, what was turned
//! away, and who waits for room.
//!
//! Shared by the child's address and by the mailboxes of all its runs; knows nothing of the
//! messages themselves.

use std::sync::OnceLock;
use std::time::Duration;

use super::durations::{HandlerDurations, Recorded, SAMPLE};
use crate::sync::Notify;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// One child's account, across its incarnations.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    lost: AtomicU64,
    rejected: AtomicU64,
    handled: AtomicU64,
    /// Absent until one was timed.
    durations: OnceLock<Box<Recorded>>,
    room: Notify,
    waiting_senders: AtomicUsize,
}

/// A sender that waits for room; it is told of every place that becomes free while this lives.
pub(super) struct WaitingSender<'a>(&'a Ledger);

impl Ledger {
    /// Counts messages that were accepted and never handled.
    pub(super) fn lose(&self, messages: usize) {
        self.lost.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Counts a message that came back to its sender.
    pub(super) fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts messages that were taken out to be handled, and tells whether to time them.
    ///
    /// Called by the one who receives, so that a plain store will do: an atomic addition costs what the
    /// rest of a receive does.
    #[inline]
    pub(super) fn take(&self, messages: usize) -> bool {
        let before = self.handled.load(Ordering::Relaxed);
        let after = before + messages as u64;
        self.handled.store(after, Ordering::Relaxed);
        (before ^ after) >= SAMPLE
    }

    /// Records how long a message took that was to be timed.
    #[cold]
    pub(crate) fn took(&self, duration: Duration) {
        self.durations.get_or_init(Box::default).record(duration);
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    pub(super) fn durations(&self) -> Option<Box<HandlerDurations>> {
        let recorded = self.durations.get()?;
        Some(Box::new(recorded.read()))
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Announces a sender that is about to look for room.
    pub(super) fn wait(&self) -> WaitingSender<'_> {
        self.waiting_senders.fetch_add(1, Ordering::SeqCst);
        WaitingSender(self)
    }

    /// Says that `places` became free. Call it when they are: outside the lock that guards them.
    ///
    /// No wake-up is lost. A sender announces itself, then finds the mailbox full; whoever frees a place
    /// does that, then looks for announcements. That lock, or sequentially consistent order of all four,
    /// lets one of the two see the other.
    pub(super) fn make_room(&self, places: usize) {
        let waiting = self.waiting_senders.load(Ordering::SeqCst);
        for _ in 0..places.min(waiting) {
            self.room.notify_one();
        }
    }
}

impl WaitingSender<'_> {
    /// Returns what to wait on; enable it before looking for room.
    pub(super) fn room(&self) -> &Notify {
        &self.0.room
    }
}

impl Drop for WaitingSender<'_> {
    fn drop(&mut self) {
        self.0.waiting_senders.fetch_sub(1, Ordering::Relaxed);
    }
}
