//! A reader for a hot path.

use std::sync::Arc;

use super::Live;
use crate::config::snapshot::{Config, Snapshot};
use crate::sync::atomic::{AtomicU64, Ordering};

/// A reader for a hot path: it looks at one number, and at the snapshot only when that has changed.
#[derive(Debug)]
pub struct Cached<C> {
    pub(super) version: Arc<AtomicU64>,
    pub(super) seen: u64,
    pub(super) live: Live<C>,
    pub(super) snapshot: Arc<Snapshot<C>>,
}

impl<C: Config> Cached<C> {
    /// Returns the configuration as it is now.
    #[inline]
    pub fn get(&mut self) -> &Snapshot<C> {
        if self.version.load(Ordering::Acquire) != self.seen {
            self.refresh();
        }
        &self.snapshot
    }

    #[cold]
    fn refresh(&mut self) {
        self.snapshot = self.live.snapshot();
        self.seen = self.snapshot.version();
    }
}
