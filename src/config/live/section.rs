//! A reader that waits for the next change of its own section.

use std::sync::Arc;

use tokio::sync::watch;

use super::Live;
use crate::config::document;
use crate::config::snapshot::{Config, Snapshot};

/// Watches one section of the configuration.
#[derive(Debug)]
pub struct Section<C> {
    pub(super) live: Live<C>,
    pub(super) key: String,
    pub(super) versions: watch::Receiver<u64>,
    pub(super) seen: Arc<Snapshot<C>>,
}

impl<C: Config> Section<C> {
    /// Returns the configuration that was returned last.
    #[must_use]
    pub fn seen(&self) -> &Arc<Snapshot<C>> {
        &self.seen
    }

    /// Waits until what is below the key differs from what was seen last, and returns the newest
    /// configuration. Changes that come faster than they are asked for are told as one.
    ///
    /// Waits for ever once nobody can change it any more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn changed(&mut self) -> Arc<Snapshot<C>> {
        loop {
            self.versions.mark_unchanged();
            let newest = self.live.snapshot();
            let has_changed = newest.version() != self.seen.version() && self.differs(&newest);
            if has_changed {
                self.seen = Arc::clone(&newest);
                return newest;
            }
            if self.versions.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn differs(&self, newest: &Snapshot<C>) -> bool {
        match self.key.as_str() {
            "" => newest.given != self.seen.given,
            key => document::find(&newest.given, key) != document::find(&self.seen.given, key),
        }
    }
}
