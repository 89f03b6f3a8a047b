//! The receiving end of a bus, and the position by which its lag is counted.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::broadcast;

use super::SubscriberStatistics;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Receives every value published on a bus after it subscribed.
pub struct Subscriber<T> {
    receiver: broadcast::Receiver<T>,
    position: Arc<Position>,
}

/// Where a subscriber stands; shared with the bus, which reads it without the subscriber's help.
#[derive(Debug)]
pub(super) struct Position {
    name: Arc<str>,
    /// The sequence number of the last value that was received or reported as lost.
    seen: AtomicU64,
    received: AtomicU64,
    lagged: AtomicU64,
    closed: AtomicBool,
}

impl Position {
    pub(super) fn new(name: Arc<str>, seen: u64) -> Self {
        Self {
            name,
            seen: AtomicU64::new(seen),
            received: AtomicU64::new(0),
            lagged: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn statistics(&self, published: u64, capacity: u64) -> SubscriberStatistics {
        let behind = published.saturating_sub(self.seen.load(Ordering::Relaxed));
        let overrun = behind.saturating_sub(capacity);
        SubscriberStatistics {
            name: Arc::clone(&self.name),
            received: self.received.load(Ordering::Relaxed),
            lagged: self.lagged.load(Ordering::Relaxed) + overrun,
            depth: behind - overrun,
        }
    }

    fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.seen.fetch_add(1, Ordering::Relaxed);
    }

    fn lagged(&self, lost: u64) {
        self.lagged.fetch_add(lost, Ordering::Relaxed);
        self.seen.fetch_add(lost, Ordering::Relaxed);
    }
}

/// Says why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// So many values were lost because this subscriber was too slow; the next call returns the
    /// oldest that is kept.
    #[error("{0} events were lost because this subscriber was too slow")]
    Lagged(u64),
    /// The last publisher is gone and everything was received.
    #[error("the bus is closed")]
    Closed,
}

impl ReceiveError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Lagged(_) => "lagged",
            Self::Closed => "closed",
        }
    }
}

impl<T: Clone> Subscriber<T> {
    /// Waits for the next value.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::Lagged`] once for each gap, [`ReceiveError::Closed`] at the end.
    ///
    /// # Cancel safety
    ///
    /// No value is lost when the future is dropped.
    pub async fn recv(&mut self) -> Result<T, ReceiveError> {
        match self.receiver.recv().await {
            Ok(value) => {
                self.position.received();
                Ok(value)
            }
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                self.position.lagged(lost);
                Err(ReceiveError::Lagged(lost))
            }
            Err(broadcast::error::RecvError::Closed) => Err(ReceiveError::Closed),
        }
    }

    /// Takes the next value if there is one; `Ok(None)` says that none waits.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<T>, ReceiveError> {
        match self.receiver.try_recv() {
            Ok(value) => {
                self.position.received();
                Ok(Some(value))
            }
            Err(broadcast::error::TryRecvError::Empty) => Ok(None),
            Err(broadcast::error::TryRecvError::Lagged(lost)) => {
                self.position.lagged(lost);
                Err(ReceiveError::Lagged(lost))
            }
            Err(broadcast::error::TryRecvError::Closed) => Err(ReceiveError::Closed),
        }
    }
}

impl<T> Subscriber<T> {
    pub(super) fn new(receiver: broadcast::Receiver<T>, position: Arc<Position>) -> Self {
        Self { receiver, position }
    }
}

impl<T> Drop for Subscriber<T> {
    fn drop(&mut self) {
        self.position.closed.store(true, Ordering::Relaxed);
    }
}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("name", &self.position.name)
            .finish_non_exhaustive()
    }
}
