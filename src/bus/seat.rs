//! A subscriber's place to wait.

use std::sync::Arc;
use std::task::Waker;

use tokio::runtime;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

/// Where a subscriber waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a task of this runtime.
    Runtime(runtime::Id),
    /// In a call that blocks its thread.
    Thread,
    /// Somewhere else.
    Elsewhere,
    /// In a group of its own kind, whose relay the test runs.
    #[cfg(all(test, shuttle))]
    Test,
}

/// Looks at values for a subscriber that sleeps.
pub(super) trait Sift: Send + Sync {
    /// Passes what is published and the subscriber does not want.
    fn sift(&self) -> Sifted;

    /// Leaves word that somebody waits for `wanted`; false when that is there or nothing follows.
    fn expect(&self, wanted: u64) -> bool;
}

/// What comes after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sifted {
    /// Something that the subscriber has to wake up for.
    News,
    /// Nothing yet: it waits for this number.
    Until(u64),
}

/// A subscriber's place to wait.
pub(super) struct Seat {
    /// The number it waits for; 0 while it does not. On one cache line with the waker: whoever wakes
    /// finds both cold.
    pub(super) wanted: AtomicU64,
    waker: Mutex<Option<Waker>>,
    pub(super) sieve: Option<Arc<dyn Sift>>,
}

impl Seat {
    pub(super) fn new(sieve: Option<Arc<dyn Sift>>) -> Self {
        Self {
            wanted: AtomicU64::new(0),
            waker: Mutex::new(None),
            sieve,
        }
    }

    /// Waits for the value `wanted`.
    pub(super) fn sit(&self, waker: &Waker, wanted: u64) {
        let waker = waker.clone();
        let before = lock(&self.waker).replace(waker);
        self.wanted.store(wanted, Ordering::Release);
        drop(before);
    }

    /// Says that the subscriber does not wait; a wake-up that is under way still comes.
    pub(super) fn rise(&self) {
        self.wanted.store(0, Ordering::Release);
    }

    /// The same, and tells whether the subscriber had been called, or did not wait.
    pub(super) fn rise_if_called(&self) -> bool {
        self.wanted.swap(0, Ordering::AcqRel) == 0
    }

    /// Whether the subscriber waits for `seq` or less.
    pub(super) fn waits_for(&self, seq: u64) -> bool {
        let wanted = self.wanted.load(Ordering::Acquire);
        wanted != 0 && wanted <= seq
    }

    /// Takes the waker when the subscriber waits for `seq` or less.
    pub(super) fn claim(&self, seq: u64) -> Option<Waker> {
        let wanted = self.wanted.load(Ordering::Acquire);
        if wanted == 0 || wanted > seq {
            return None;
        }
        let claimed = self
            .wanted
            .compare_exchange(wanted, 0, Ordering::AcqRel, Ordering::Relaxed);
        claimed.ok()?;
        lock(&self.waker).take()
    }
}
