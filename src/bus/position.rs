//! Where a subscriber stands, by which its lag is counted without its help.

use std::sync::Arc;

use super::SubscriberStatistics;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Written by the subscriber alone, or by whoever sifts for it while it sleeps; read by the bus.
///
/// On cache lines of its own, because it is written for every value.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Position {
    name: Arc<str>,
    /// The number of the last value before the subscription.
    start: u64,
    /// The number of the last value that was received, passed by the filter or reported as lost.
    seen: AtomicU64,
    /// How many of these were lost. Moves with `seen` under the publishers' lock.
    lagged: AtomicU64,
    /// How many of these the filter has passed.
    passed: AtomicU64,
}

impl Position {
    pub(super) fn new(name: Arc<str>, start: u64) -> Self {
        Self {
            name,
            start,
            seen: AtomicU64::new(start),
            lagged: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_seen(&self, seq: u64) {
        self.seen.store(seq, Ordering::Relaxed);
    }

    /// Notes that the filter has passed the value `seq`.
    pub(super) fn pass(&self, seq: u64) {
        let passed = self.passed.load(Ordering::Relaxed);
        self.passed.store(passed + 1, Ordering::Relaxed);
        self.set_seen(seq);
    }

    /// Notes the loss of everything up to `seq`; under the publishers' lock.
    pub(super) fn lose_until(&self, seq: u64) -> u64 {
        let lost = seq - self.seen();
        self.lagged.fetch_add(lost, Ordering::Relaxed);
        self.set_seen(seq);
        lost
    }

    /// Counts; under the publishers' lock.
    pub(super) fn statistics(&self, published: u64, capacity: u64) -> SubscriberStatistics {
        let (seen, lagged) = (self.seen(), self.lagged.load(Ordering::Relaxed));
        let behind = published.saturating_sub(seen);
        let overrun = behind.saturating_sub(capacity);
        let passed = self.passed.load(Ordering::Relaxed);
        SubscriberStatistics {
            name: Arc::clone(&self.name),
            received: (seen - self.start - lagged).saturating_sub(passed),
            lagged: lagged + overrun,
            depth: behind - overrun,
        }
    }
}
