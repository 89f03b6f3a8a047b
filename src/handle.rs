//! Sending to a child by address instead of by incarnation.
//!
//! A [`Handle`] is made with the declaration, stays valid for the life of the tree, and delivers to
//! whichever run of the child is alive now. It bounds what goes through it: ractor's own mailbox has
//! no limit and can't be read from outside, so the count is kept here. One file for each part: the
//! address and its route, the queue and inbox of a worker, the meter of an actor, the ledger of what
//! was lost or turned away.
//!
//! # Invariants
//!
//! 1. A message is delivered to a run, held for the next, or comes back in the error. What was
//!    delivered or held is handled or counted as lost. Never two of these, never none.
//! 2. The route is up from the moment a run can receive, which is before it is ready when it says so
//!    itself, to the end of that run.

mod address;
pub mod durations;
pub mod inbox;
mod ledger;
mod meter;
mod queue;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::coop;

pub(crate) use self::address::{
    Address, AnyAddress, Claim, Deliver, MailboxReading, Refused, Routed,
};
pub(crate) use self::ledger::Ledger;
pub(crate) use self::meter::Meter;
pub(crate) use self::queue::{Messages, Queue};

/// How many messages may wait for one child when nothing was set.
///
/// A child that is that far behind at 10 000 messages a second answers after 1.6 s: late, not lost.
pub const DEFAULT_MAILBOX_CAPACITY: usize = 16_384;

/// Sends messages to a child, whichever run of it is alive now.
///
/// Messages of one sender are received in the order in which they were accepted. A message that was
/// accepted and not handled when its run ends is dropped and counted as lost, in
/// [`NodeStatus`](crate::supervisor::status::NodeStatus); one that comes back is counted as rejected.
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
        f.debug_struct("Handle")
            .field("route", &self.address.route_code())
            .finish()
    }
}

impl<M: Send + 'static> Handle<M> {
    /// Makes a handle that belongs to no child yet.
    ///
    /// Give it to a child with `Child::address`, so that two children can hold each other.
    #[must_use]
    pub fn unbound() -> Self {
        Self {
            address: Address::unbound(),
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
    /// While the child is down it does what was declared: the message comes back, or is held for
    /// the next run ([`WhileDown`](crate::policy::while_down::WhileDown)).
    ///
    /// # Errors
    ///
    /// The message comes back in the error: see [`CastError`].
    pub fn cast(&self, message: M) -> Result<(), CastError<M>> {
        self.address
            .offer(message)
            .map_err(|refused| self.address.reject(refused))
    }

    /// Sends a message, and waits for room and, while the child is down, for its next run.
    ///
    /// A child that was declared to hold messages takes it at once while there is room for it. Those
    /// who wait are woken in turn, but a `cast` may get ahead of them.
    ///
    /// # Errors
    ///
    /// [`CastError::Gone`] when no run can follow, [`CastError::Unbound`] when the handle belongs to
    /// no child; with the message.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has not delivered the message and drops it. To
    /// keep it, use [`send_timeout`](Self::send_timeout).
    pub async fn send(&self, message: M) -> Result<(), CastError<M>> {
        self.send_unless(message, std::future::pending()).await
    }

    /// As [`send`](Self::send), but waits at most `timeout`.
    ///
    /// # Errors
    ///
    /// As `send`; and what still stood in the way when the time was up, [`CastError::Full`] or
    /// [`CastError::Down`]. The message comes back each time, and was not delivered.
    ///
    /// # Cancel safety
    ///
    /// As `send`.
    pub async fn send_timeout(&self, message: M, timeout: Duration) -> Result<(), CastError<M>> {
        self.send_unless(message, tokio::time::sleep(timeout)).await
    }

    async fn send_unless(
        &self,
        message: M,
        give_up: impl Future<Output = ()>,
    ) -> Result<(), CastError<M>> {
        let mut give_up = pin!(give_up);
        // A sender that never has to wait still yields to its siblings.
        coop::consume_budget().await;
        let mut message = match self.address.offer(message) {
            Err(CastError::Full(message) | CastError::Down(message)) => message,
            answered => return answered.map_err(|refused| self.address.reject(refused)),
        };
        loop {
            // Registered before the attempt: what changes after it is not missed.
            let changed = self.address.changed.notified();
            let sender = self.address.ledger().wait();
            let mut room = pin!(sender.room().notified());
            room.as_mut().enable();
            let refused = match self.address.offer(message) {
                Ok(()) => return Ok(()),
                Err(refused @ (CastError::Gone(_) | CastError::Unbound(_))) => {
                    return Err(self.address.reject(refused));
                }
                Err(refused) => refused,
            };
            tokio::select! {
                biased;
                () = room => {}
                () = changed => {}
                () = &mut give_up => return Err(self.address.reject(refused)),
            }
            message = refused.into_message();
        }
    }

    /// Sends a message that carries a [`Reply`] and waits for the answer.
    ///
    /// Does not wait for room. A call that is held while the child is down waits for the next run.
    ///
    /// # Errors
    ///
    /// What [`cast`](Self::cast) says, or [`CallError::Lost`] when the child ends, or drops the
    /// reply, without an answer.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped after its first poll leaves the message with the child, whose answer
    /// then goes nowhere.
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

    /// Waits until a run of the child is up: until its start was acknowledged.
    ///
    /// # Errors
    ///
    /// [`ChildGone`] when none can follow.
    pub async fn ready(&self) -> Result<(), ChildGone> {
        loop {
            let changed = self.address.changed.notified();
            match self.address.is_up() {
                Some(true) => return Ok(()),
                Some(false) => changed.await,
                None => return Err(ChildGone),
            }
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
    /// No run of the child is up at this moment, or it only finishes what it has; another one may
    /// follow.
    #[error("the child is down")]
    Down(M),
    /// As many messages wait as the child's mailbox holds, or as are held while it is down.
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
    /// Returns the message that was not accepted, for a look at it.
    #[must_use]
    pub fn message(&self) -> &M {
        match self {
            Self::Down(message)
            | Self::Full(message)
            | Self::Gone(message)
            | Self::Unbound(message) => message,
        }
    }

    /// Gives back the message that was not accepted.
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

#[cfg(test)]
mod tests;
