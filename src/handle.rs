//! Sending to a child by address instead of by incarnation.
//!
//! A [`Handle`] is made with the declaration, stays valid for the life of the tree, and delivers to
//! whichever run of the child is alive now. It bounds what goes through it: ractor's own mailbox has
//! no limit and can't be read from outside, so the count is kept here.
//!
//! # Invariants
//!
//! 1. A message is delivered to a run, or comes back in the error. Never both, never neither.
//! 2. The route is up only between the acknowledgement of a start and the end of that run.

pub mod inbox;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, oneshot};

use crate::sync::{RwLock, read, write};

/// How many messages may wait for one child when nothing was set.
///
/// A child that is that far behind at 10 000 messages a second answers after 1.6 s: late, not lost.
pub const DEFAULT_MAILBOX_CAPACITY: usize = 16_384;

/// Sends messages to a child, whichever run of it is alive now.
pub struct Handle<M> {
    address: Arc<Address<M>>,
}

impl<M> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self {
            address: Arc::clone(&self.address),
        }
    }
}

impl<M> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let route = match &*read(&self.address.route) {
            Route::Unbound => "unbound",
            Route::Down => "down",
            Route::Up(_) => "up",
            Route::Gone => "gone",
        };
        f.debug_struct("Handle").field("route", &route).finish()
    }
}

impl<M: Send + 'static> Handle<M> {
    /// Makes a handle that belongs to no child yet.
    ///
    /// Give it to a child with `Child::address`, so that two children can hold each other.
    #[must_use]
    pub fn unbound() -> Self {
        Self {
            address: Arc::new(Address::new(Route::Unbound)),
        }
    }

    pub(crate) fn of(address: &Arc<Address<M>>) -> Self {
        Self {
            address: Arc::clone(address),
        }
    }

    pub(crate) fn address(&self) -> &Arc<Address<M>> {
        &self.address
    }

    /// Sends a message without waiting.
    ///
    /// # Errors
    ///
    /// The message comes back in the error: see [`CastError`].
    pub fn cast(&self, message: M) -> Result<(), CastError<M>> {
        match &*read(&self.address.route) {
            Route::Up(mailbox) => mailbox.deliver(message),
            Route::Down => Err(CastError::Down(message)),
            Route::Unbound => Err(CastError::Unbound(message)),
            Route::Gone => Err(CastError::Gone(message)),
        }
    }

    /// Sends a message that carries a [`Reply`] and waits for the answer.
    ///
    /// # Errors
    ///
    /// What [`cast`](Self::cast) says, or [`CallError::Lost`] when the child ends, or drops the
    /// reply, without an answer.
    pub async fn call<T>(&self, make: impl FnOnce(Reply<T>) -> M) -> Result<T, CallError> {
        let (sender, answer) = oneshot::channel();
        self.cast(make(Reply(sender)))
            .map_err(|error| CallError::from(&error))?;
        answer.await.map_err(|_lost| CallError::Lost)
    }

    /// As [`call`](Self::call), but waits at most `timeout`.
    ///
    /// # Errors
    ///
    /// As `call`, and [`CallError::TimedOut`]; the child may still handle the message.
    pub async fn call_timeout<T>(
        &self,
        timeout: Duration,
        make: impl FnOnce(Reply<T>) -> M,
    ) -> Result<T, CallError> {
        tokio::time::timeout(timeout, self.call(make))
            .await
            .unwrap_or(Err(CallError::TimedOut))
    }

    /// Waits until a run of the child is up.
    ///
    /// # Errors
    ///
    /// [`ChildGone`] when none can follow.
    pub async fn ready(&self) -> Result<(), ChildGone> {
        loop {
            let changed = self.address.changed.notified();
            match &*read(&self.address.route) {
                Route::Up(_) => return Ok(()),
                Route::Gone => return Err(ChildGone),
                Route::Unbound | Route::Down => {}
            }
            changed.await;
        }
    }
}

/// Carries one answer back to a caller. Dropping it fails the call with [`CallError::Lost`].
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<T>);

impl<T> Reply<T> {
    /// Answers; the value comes back if the caller has stopped waiting.
    ///
    /// # Errors
    ///
    /// The value, when nobody waits for it any more.
    pub fn send(self, value: T) -> Result<(), T> {
        self.0.send(value)
    }

    pub(crate) fn into_sender(self) -> oneshot::Sender<T> {
        self.0
    }
}

/// Says why a message was not accepted, and gives it back.
#[derive(Error)]
#[non_exhaustive]
pub enum CastError<M> {
    /// No run of the child is up at this moment; another one may follow.
    #[error("the child is down")]
    Down(M),
    /// As many messages wait as the child's mailbox holds.
    #[error("the child's mailbox is full")]
    Full(M),
    /// The child has ended and none can follow.
    #[error("the child is gone")]
    Gone(M),
    /// The handle was never given to a child with `Child::address`.
    #[error("the handle belongs to no child")]
    Unbound(M),
}

impl<M> CastError<M> {
    /// Returns the message that was not accepted.
    pub fn into_message(self) -> M {
        match self {
            Self::Down(message)
            | Self::Full(message)
            | Self::Gone(message)
            | Self::Unbound(message) => message,
        }
    }

    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        CallError::from(self).code()
    }
}

// Not derived: a message need not be `Debug` for its error to be.
impl<M> fmt::Debug for CastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CastError({})", self.code())
    }
}

/// Says why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError {
    /// No run of the child is up at this moment.
    #[error("the child is down")]
    Down,
    /// As many messages wait as the child's mailbox holds.
    #[error("the child's mailbox is full")]
    Full,
    /// The child has ended and none can follow.
    #[error("the child is gone")]
    Gone,
    /// The handle was never given to a child.
    #[error("the handle belongs to no child")]
    Unbound,
    /// The child ended, or dropped the reply, before it answered.
    #[error("the call was lost: the child ended or dropped the reply")]
    Lost,
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
}

impl CallError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Full => "full",
            Self::Gone => "gone",
            Self::Unbound => "unbound",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
        }
    }
}

impl<M> From<&CastError<M>> for CallError {
    fn from(error: &CastError<M>) -> Self {
        match error {
            CastError::Down(_) => Self::Down,
            CastError::Full(_) => Self::Full,
            CastError::Gone(_) => Self::Gone,
            CastError::Unbound(_) => Self::Unbound,
        }
    }
}

/// Says that a child has ended and that no run of it can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the child is gone")]
pub struct ChildGone;

/// Accepts messages for one run of a child.
pub(crate) trait Deliver<M>: Send + Sync {
    /// Queues a message, or gives it back.
    fn deliver(&self, message: M) -> Result<(), CastError<M>>;
}

/// Where messages for a child go.
pub(crate) struct Address<M> {
    route: RwLock<Route<M>>,
    changed: Notify,
    /// How many children claim this address; more than one is a mistake in the declaration.
    claims: AtomicUsize,
}

enum Route<M> {
    Unbound,
    Down,
    Up(Arc<dyn Deliver<M>>),
    Gone,
}

impl<M> Address<M> {
    fn new(route: Route<M>) -> Self {
        Self {
            route: RwLock::new(route),
            changed: Notify::new(),
            claims: AtomicUsize::new(0),
        }
    }

    /// Makes the address of a child that is not up yet.
    pub(crate) fn claimed() -> Arc<Self> {
        let address = Arc::new(Self::new(Route::Down));
        address.claim();
        address
    }

    /// Takes the address for one more child.
    pub(crate) fn claim(&self) {
        self.claims.fetch_add(1, Ordering::Relaxed);
        let mut route = write(&self.route);
        if matches!(*route, Route::Unbound) {
            *route = Route::Down;
        }
    }

    /// Tells whether two children were declared with this address.
    pub(crate) fn is_shared(&self) -> bool {
        self.claims.load(Ordering::Relaxed) > 1
    }

    /// Says that no run can follow.
    pub(crate) fn retire(&self) {
        self.set(Route::Gone);
    }

    /// Routes to a run for as long as the returned guard lives.
    pub(crate) fn route_to(self: &Arc<Self>, mailbox: Arc<dyn Deliver<M>>) -> Routed<M> {
        self.set(Route::Up(mailbox));
        Routed(Arc::clone(self))
    }

    fn set(&self, next: Route<M>) {
        let previous = std::mem::replace(&mut *write(&self.route), next);
        // Dropped outside the lock: the last mailbox may hold messages of the user's.
        drop(previous);
        self.changed.notify_waiters();
    }
}

/// Keeps a route up; dropping it takes the route down, however the run ends.
pub(crate) struct Routed<M>(Arc<Address<M>>);

impl<M> Drop for Routed<M> {
    fn drop(&mut self) {
        let is_up = matches!(*read(&self.0.route), Route::Up(_));
        // A hung run that ends after its child was retired must not bring the address back.
        if is_up {
            self.0.set(Route::Down);
        }
    }
}

/// Counts the messages that wait for one run.
#[derive(Debug)]
pub(crate) struct Meter {
    waiting: AtomicUsize,
    capacity: usize,
}

impl Meter {
    /// Makes a meter that admits `capacity` messages at a time.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            capacity,
        }
    }

    /// Counts a message that is about to be queued; `false` says that there is no room.
    pub(crate) fn enter(&self) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.capacity {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// Counts a message that was taken out. Floored at zero: a message sent past the handle was
    /// never counted in.
    pub(crate) fn leave(&self) {
        let floored = |waiting: usize| waiting.checked_sub(1);
        let _was_zero = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, floored)
            .is_err();
    }

    /// Returns how many messages wait.
    pub(crate) fn depth(&self) -> usize {
        self.waiting.load(Ordering::Relaxed).min(self.capacity)
    }
}

#[cfg(test)]
mod tests;
