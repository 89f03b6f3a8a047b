//! A reader for a hot path.

use std::sync::Arc;

use super::Live;
use crate::config::snapshot::{Config, Snapshot};

/// A reader for a hot path: it keeps a snapshot, and looks for another only when that one is marked as
/// replaced. The mark stands in the snapshot itself, beside what is read from it.
#[derive(Debug)]
pub struct Cached<C> {
    pub(super) live: Live<C>,
    pub(super) snapshot: Arc<Snapshot<C>>,
}

impl<C: Config> Cached<C> {
    /// Returns the configuration as it is now.
    #[inline]
    pub fn get(&mut self) -> &Snapshot<C> {
        if self.snapshot.seems_replaced() {
            self.refresh();
        }
        &self.snapshot
    }

    #[cold]
    fn refresh(&mut self) {
        if self.snapshot.is_replaced() {
            self.snapshot = self.live.snapshot();
        }
    }
}
