//! Something that takes long to write: written on another thread, one at a time, and kept.
//!
//! # Invariants
//!
//! 1. Who asks and goes away leaves at most the one that is being written: it holds the place itself, and
//!    nothing waits for a place but a request that somebody waits for.
//! 2. What was written for one who has gone is kept for the next.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The last that was written, and when that began.
#[derive(Debug)]
pub(super) struct Kept<T> {
    last: Arc<Mutex<Option<(Instant, T)>>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            last: Arc::default(),
        }
    }
}

impl<T: Clone + Send + 'static> Kept<T> {
    /// Returns what was begun at this instant or later, which is written now unless it was meanwhile;
    /// `None` when that panics.
    pub(super) async fn since(
        &self,
        instant: Instant,
        write: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((began, kept)) = &*last
            && *began >= instant
        {
            return Some(kept.clone());
        }
        let written = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let written = write();
            *last = Some((began, written.clone()));
            written
        });
        written.await.ok()
    }
}
