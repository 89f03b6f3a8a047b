//! The mailbox of a worker: bounded, and closed by a stop.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{CastError, Deliver, Meter};
use crate::shutdown::StopSignal;

/// Receives a worker's messages, and ends when shutdown reaches the worker.
pub struct Inbox<M> {
    receiver: mpsc::Receiver<M>,
    meter: Arc<Meter>,
    stop: Arc<StopSignal>,
}

impl<M> Inbox<M> {
    /// Waits for the next message; `None` says that the worker has been asked to stop.
    ///
    /// A stop comes ahead of everything queued: what is left is lost with this run.
    ///
    /// # Cancel safety
    ///
    /// No message is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<M> {
        let message = tokio::select! {
            biased;
            _deadline = self.stop.requested() => None,
            message = self.receiver.recv() => message,
        };
        if message.is_some() {
            self.meter.leave();
        }
        message
    }

    /// Takes the next message if one waits, also after a stop was asked for.
    pub fn try_recv(&mut self) -> Option<M> {
        let message = self.receiver.try_recv().ok();
        if message.is_some() {
            self.meter.leave();
        }
        message
    }
}

impl<M> fmt::Debug for Inbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("waiting", &self.meter.depth())
            .finish_non_exhaustive()
    }
}

/// The sending end of an inbox.
pub(crate) struct Slot<M> {
    sender: mpsc::Sender<M>,
    meter: Arc<Meter>,
}

/// Makes an inbox and its sending end.
pub(crate) fn inbox<M>(
    capacity: usize,
    meter: Arc<Meter>,
    stop: Arc<StopSignal>,
) -> (Slot<M>, Inbox<M>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (
        Slot {
            sender,
            meter: Arc::clone(&meter),
        },
        Inbox {
            receiver,
            meter,
            stop,
        },
    )
}

impl<M: Send> Deliver<M> for Slot<M> {
    fn deliver(&self, message: M) -> Result<(), CastError<M>> {
        // Counted in before it is queued, so that the reader never counts it out first.
        if !self.meter.enter() {
            return Err(CastError::Full(message));
        }
        self.sender.try_send(message).map_err(|refused| {
            self.meter.leave();
            match refused {
                mpsc::error::TrySendError::Full(message) => CastError::Full(message),
                mpsc::error::TrySendError::Closed(message) => CastError::Down(message),
            }
        })
    }
}
