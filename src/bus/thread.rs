//! Receiving in a thread: by blocking it, or by a bell that it selects on.
//!
//! Neither uses a runtime: the publisher wakes the thread itself, so that a thread which watches over
//! a runtime hears of events even while that is stuck.

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::time::Instant;

use super::seat::Place;
use super::subscriber::{ReceiveError, Subscriber};
use crate::sync::thread::{self, Thread};

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<T: Clone> Subscriber<T> {
    /// Blocks the thread until there is a value.
    ///
    /// Not for a task: it would block a worker thread of the runtime.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_blocking(&mut self) -> Result<T, ReceiveError> {
        self.recv_ref_blocking().cloned()
    }
}

impl<T> Subscriber<T> {
    /// Blocks the thread until there is a value, and returns it where it stands, without cloning it.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_ref_blocking(&mut self) -> Result<&T, ReceiveError> {
        self.block_until_ready()?;
        self.take_ready()
    }

    fn block_until_ready(&mut self) -> Result<(), ReceiveError> {
        // The usual case of a busy bus, before anything is made for waiting.
        if self.check()? {
            return Ok(());
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(ready) = self.poll_place(&waker, || (Place::Thread, None)) {
                return ready;
            }
            thread::park();
            self.rise();
        }
    }

    /// Makes a bridge to a thread that selects on crossbeam channels.
    #[must_use]
    pub fn into_bridge(self) -> Bridge<T> {
        let (rope, bell) = bounded(1);
        // Looks at once: what was published before rings no bell.
        rope.try_send(()).ok();
        Bridge {
            subscriber: self,
            waker: Waker::from(Arc::new(Rope(rope))),
            bell,
        }
    }
}

/// Rings the bell; one that rings already is enough.
struct Rope(Sender<()>);

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.0.try_send(()).ok();
    }
}

/// A subscriber for a thread that must not touch the runtime, with a crossbeam channel as its bell.
///
/// The values stay on the bus until the thread takes them, so there is one bound and one count of what
/// was lost. To select among several channels, wait for [`bell`](Self::bell) and then call
/// [`try_recv`](Self::try_recv) until it returns `None` or an error that is
/// [`Closed`](ReceiveError::Closed): that is what arms the bell anew.
pub struct Bridge<T> {
    subscriber: Subscriber<T>,
    waker: Waker,
    bell: Receiver<()>,
}

impl<T> Bridge<T> {
    /// Returns the channel that has a message when there is something to receive. It may ring once for
    /// nothing.
    #[must_use]
    pub fn bell(&self) -> &Receiver<()> {
        &self.bell
    }

    /// Returns the next value where it stands, if there is one; arms the bell otherwise.
    ///
    /// # Errors
    ///
    /// As [`Subscriber::recv`].
    pub fn try_recv_ref(&mut self) -> Result<Option<&T>, ReceiveError> {
        let polled = self
            .subscriber
            .poll_place(&self.waker, || (Place::Elsewhere, None));
        match polled {
            Poll::Ready(Ok(())) => self.subscriber.take_ready().map(Some),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(None),
        }
    }

    /// Returns the subscriber, to go on with it elsewhere.
    #[must_use]
    pub fn into_subscriber(self) -> Subscriber<T> {
        self.subscriber
    }
}

impl<T: Clone> Bridge<T> {
    /// Takes the next value if there is one; arms the bell otherwise.
    ///
    /// # Errors
    ///
    /// As [`Subscriber::recv`].
    pub fn try_recv(&mut self) -> Result<Option<T>, ReceiveError> {
        Ok(self.try_recv_ref()?.cloned())
    }

    /// Blocks the thread until there is a value.
    ///
    /// # Errors
    ///
    /// As [`Subscriber::recv`].
    pub fn recv(&mut self) -> Result<T, ReceiveError> {
        loop {
            if let Some(value) = self.try_recv()? {
                return Ok(value);
            }
            // The rope is in `waker`, so that the channel is never disconnected.
            self.bell.recv().ok();
        }
    }

    /// Blocks the thread until there is a value, for at most `timeout`; `Ok(None)` says that there was
    /// none.
    ///
    /// # Errors
    ///
    /// As [`Subscriber::recv`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<T>, ReceiveError> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(value) = self.try_recv()? {
                return Ok(Some(value));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.bell.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                return self.try_recv();
            }
        }
    }
}

impl<T> fmt::Debug for Bridge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("subscriber", &self.subscriber)
            .finish_non_exhaustive()
    }
}
