//! The receiving end of a bus.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use thiserror::Error;
use tokio::runtime;
use tokio::task::coop;

use super::reader::Reader;
use super::relay::Relay;
use super::seat::{Place, Seat};
use super::segment::Found;

/// How many values cost one unit of tokio's cooperative budget, which is made for operations on a
/// socket or a channel: with its 128 units a task that never runs out of values yields after 4 096,
/// some 100 µs.
const VALUES_PER_BUDGET_UNIT: u32 = 32;

/// Runs a relay where its subscribers wait.
pub(super) type SpawnRelay = Box<dyn FnOnce(Relay)>;

/// Receives every value published on a bus after it subscribed.
///
/// A value counts as received when it is returned. Dropped, a subscriber is forgotten by the bus. One
/// that sleeps costs the bus at most one segment beyond what is kept anyway: an eighth of the
/// capacity, and at most 128 values.
pub struct Subscriber<T> {
    reader: Reader<T>,
    seat: Arc<Seat>,
    /// Where the seat stands, once there was something to wait for.
    place: Option<Place>,
    /// Who waited last: the same waker waits at the same place.
    known: Option<Waker>,
    since_budget: u32,
    has_slept: bool,
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
        self.recv_ref().await.cloned()
    }

    /// Takes the next value if there is one; `Ok(None)` says that none waits.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<T>, ReceiveError> {
        Ok(self.try_recv_ref()?.cloned())
    }

    /// Waits until there is a value, and moves what is there to the end of `buffer`, at most `limit`
    /// values. Returns how many, 0 only for a limit of 0.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); `buffer` is unchanged then.
    ///
    /// # Cancel safety
    ///
    /// No value is lost when the future is dropped.
    pub async fn recv_many(
        &mut self,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Result<usize, ReceiveError> {
        self.recv_each(limit, |value| buffer.push(value.clone()))
            .await
    }
}

impl<T> Subscriber<T> {
    pub(super) fn new(reader: Reader<T>, seat: Seat) -> Self {
        Self {
            reader,
            seat: Arc::new(seat),
            place: None,
            known: None,
            since_budget: 0,
            has_slept: false,
        }
    }

    /// Waits for the next value and returns it where it stands, without cloning it.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// No value is lost when the future is dropped.
    pub async fn recv_ref(&mut self) -> Result<&T, ReceiveError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.reader.take()
    }

    /// Returns the next value where it stands, if there is one.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn try_recv_ref(&mut self) -> Result<Option<&T>, ReceiveError> {
        match self.check()? {
            true => self.reader.take().map(Some),
            false => Ok(None),
        }
    }

    /// Waits until there is a value, and hands what is there to `each`, where it stands, at most
    /// `limit` values. Returns how many, 0 only for a limit of 0.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); `each` was not called then.
    ///
    /// # Cancel safety
    ///
    /// `each` is called only when the call ends: nothing is lost when the future is dropped.
    pub async fn recv_each(
        &mut self,
        limit: usize,
        each: impl FnMut(&T),
    ) -> Result<usize, ReceiveError> {
        if limit == 0 {
            return Ok(0);
        }
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.try_recv_each(limit, each)
    }

    /// Hands what is there to `each`, where it stands, at most `limit` values. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), when nothing comes before it; `each` was not called then.
    pub fn try_recv_each(
        &mut self,
        limit: usize,
        mut each: impl FnMut(&T),
    ) -> Result<usize, ReceiveError> {
        if limit == 0 || !self.check()? {
            return Ok(0);
        }
        let mut taken = 0;
        loop {
            each(self.reader.take()?);
            taken += 1;
            // What else there is to say is said by the next call.
            if taken == limit || self.reader.look() != Found::Value {
                return Ok(taken);
            }
        }
    }

    /// Returns the number of the last value that was received or reported as lost; before the first,
    /// that of the last value before the subscription.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.reader.position.seen()
    }

    /// Returns the name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reader.position.name()
    }

    /// Passes the value that was found, and returns it.
    #[inline]
    pub(super) fn take_ready(&mut self) -> Result<&T, ReceiveError> {
        self.reader.take()
    }

    /// Looks at what comes next; true when it is a value.
    #[inline]
    pub(super) fn check(&mut self) -> Result<bool, ReceiveError> {
        if self.reader.sieve.is_some() {
            self.seat.rise();
        }
        self.reader.check()
    }

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReceiveError>> {
        // The usual case of a busy bus.
        if self.since_budget < VALUES_PER_BUDGET_UNIT && !self.has_slept && self.reader.is_certain()
        {
            self.since_budget += 1;
            return Poll::Ready(Ok(()));
        }
        self.poll_slowly(cx)
    }

    fn poll_slowly(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReceiveError>> {
        if self.since_budget >= VALUES_PER_BUDGET_UNIT {
            ready!(coop::poll_proceed(cx)).made_progress();
            self.since_budget = 0;
        }
        let polled = self.poll_place(cx.waker(), || match runtime::Handle::try_current() {
            Ok(runtime) => {
                let place = Place::Runtime(runtime.id());
                (place, Some(Box::new(move |relay| relay.spawn_on(&runtime))))
            }
            Err(_) => (Place::Elsewhere, None),
        });
        if polled.is_ready() {
            self.since_budget += 1;
        }
        polled
    }

    /// Looks, and waits where `place` says when there is nothing.
    pub(super) fn poll_place(
        &mut self,
        waker: &Waker,
        place: impl Fn() -> (Place, Option<SpawnRelay>),
    ) -> Poll<Result<(), ReceiveError>> {
        while !self.check()? {
            let known = self.known.as_ref();
            if !known.is_some_and(|known| known.will_wake(waker)) {
                self.sit_down(place());
                self.known = Some(waker.clone());
            }
            self.reader.leave_cursor();
            let wanted = self.reader.next_seq();
            self.seat.sit(waker, wanted);
            if self.reader.shared.expect(wanted) {
                self.has_slept = true;
                return Poll::Pending;
            }
            self.rise();
        }
        if std::mem::take(&mut self.has_slept)
            && let Some(place) = self.place
        {
            self.reader.shared.waiting.pass_on(place);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a seat among those who wait at `place`.
    fn sit_down(&mut self, (place, spawn): (Place, Option<SpawnRelay>)) {
        if self.place == Some(place) {
            return;
        }
        if self.place.is_some() {
            self.leave();
            // Whoever still has the old one in hand finds nobody in it.
            self.seat = Arc::new(Seat::new(self.seat.sieve.clone()));
        }
        self.place = Some(place);
        let waiting = &self.reader.shared.waiting;
        if waiting.join(&self.seat, place) {
            // Nobody to run it is as good as a runtime that goes down: the publisher wakes then.
            let relay = Relay::new(waiting, place);
            if let Some(spawn) = spawn {
                spawn(relay);
            }
        }
    }

    /// Says that the subscriber does not wait any more. A thread that was called meanwhile, asleep or not,
    /// wakes the other threads: nobody else does.
    pub(super) fn rise(&self) {
        if self.seat.rise_if_called() && self.place == Some(Place::Thread) {
            self.reader.shared.waiting.pass_on_to_threads();
        }
    }

    /// Leaves its place, if it has one.
    fn leave(&self) {
        if let Some(place) = self.place {
            self.reader.shared.waiting.leave(&self.seat, place);
            self.rise();
        }
    }
}

/// Ends when the bus is closed; a gap is an item of its own.
impl<T: Clone> Stream for Subscriber<T> {
    type Item = Result<T, ReceiveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ready = ready!(self.poll_ready(cx));
        Poll::Ready(match ready {
            Ok(()) => Some(self.take_ready().cloned()),
            Err(ReceiveError::Closed) => None,
            Err(lagged) => Some(Err(lagged)),
        })
    }
}

impl<T> Drop for Subscriber<T> {
    fn drop(&mut self) {
        self.leave();
        let shared = &self.reader.shared;
        shared
            .writer()
            .forget(&self.reader.position, shared.capacity);
    }
}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
