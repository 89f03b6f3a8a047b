//! The mailbox of a worker: bounded, and closed by a stop.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use tokio::time::Instant;

use super::address::{Deliver, Refused};
use super::ledger::Ledger;
use super::queue::{Messages, Queue};

/// Receives a worker's messages, and ends when shutdown reaches the worker.
///
/// Dropping it, at the latest with the run, drops what still waits; that is counted as lost.
pub struct Inbox<M> {
    queue: Arc<Queue<M>>,
}

impl<M> Inbox<M> {
    /// Waits for the next message; `None` says that the worker has been asked to stop.
    ///
    /// A stop comes ahead of everything queued: what is left is lost with this run, unless
    /// [`try_recv`](Self::try_recv) takes it. In a drain nothing more comes in: what is queued is
    /// received first, then `None`.
    ///
    /// # Cancel safety
    ///
    /// No message is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<M> {
        poll_fn(|cx| self.queue.poll_one(cx)).await
    }

    /// Waits for messages, appends those that wait to `messages`, at most `limit` of them (at least
    /// one, even if `limit` is 0), and returns how many; 0 says that the worker has been asked to
    /// stop, as `None` does in [`recv`](Self::recv).
    ///
    /// One lock for the whole batch: the cheapest way to receive.
    ///
    /// # Cancel safety
    ///
    /// No message is lost when the future is dropped: it appends only when it returns.
    pub async fn recv_many(&mut self, messages: &mut Vec<M>, limit: usize) -> usize {
        poll_fn(|cx| self.queue.poll_many(cx, messages, limit.max(1))).await
    }

    /// Takes the next message if one waits, also after a stop was asked for.
    pub fn try_recv(&mut self) -> Option<M> {
        self.queue.try_one()
    }

    /// Returns how many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.waiting().0
    }

    /// Tells whether no message waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<M> Drop for Inbox<M> {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl<M> fmt::Debug for Inbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("waiting", &self.len())
            .finish_non_exhaustive()
    }
}

/// Makes an inbox, and the queue behind it, which can be sent to, drained and stopped.
pub(crate) fn inbox<M>(capacity: usize, ledger: &Arc<Ledger>) -> (Inbox<M>, Arc<Queue<M>>) {
    let queue = Arc::new(Queue::new(capacity, ledger));
    let inbox = Inbox {
        queue: Arc::clone(&queue),
    };
    (inbox, queue)
}

impl<M: Send> Deliver<M> for Queue<M> {
    fn deliver(&self, message: M) -> Result<(), Refused<M>> {
        self.push(message)
    }

    fn take_over(&self, held: &mut Messages<M>) {
        Self::take_over(self, held);
    }

    fn rouse(&self) {
        Self::rouse(self);
    }

    fn leave(&self) {
        self.close_for_good();
    }

    fn waiting(&self) -> (usize, Option<Instant>) {
        Self::waiting(self)
    }

    fn busy_since(&self) -> Option<u64> {
        Self::busy_since(self)
    }
}
