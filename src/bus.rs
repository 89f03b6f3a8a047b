//! A broadcast of values: every subscriber sees every one, in the order of publishing.
//!
//! A publisher never waits. A subscriber that falls more than the capacity behind is told how many
//! values it lost and goes on with the oldest that is kept. How far each one lags is counted from its
//! own position, so that a subscriber which never reads is seen as well as one that reads too slowly.
//!
//! Values stand in segments that nobody changes once they can be read (`ring`), so that a reader needs
//! neither a lock nor a count to look at one. Publishers take turns under a lock for the time of one
//! append, which is the price of numbers without holes; a subscriber takes it when it has run out of
//! values. Wake-ups happen outside it, and one for each runtime at most is the publisher's (`waiting`).
//! The bus keeps what is within its capacity whether anybody is subscribed or not, so that a late
//! subscriber can still have it.
//!
//! # Invariants
//!
//! 1. Sequence numbers have no holes: number `n` is the `n`-th value published, counted from 1.
//! 2. A subscriber receives values in rising order of their numbers.
//! 3. For each subscriber: received + lagged + waiting = published since it subscribed; with a filter,
//!    what that has passed is to be added.
//! 4. Values, filters and wakers are foreign code when they are dropped or called: none of that happens
//!    under the publishers' lock.

mod calls;
mod filter;
mod position;
mod reader;
mod relay;
mod ring;
mod seat;
mod seats;
mod segment;
mod shared;
pub mod subscriber;
mod tail;
pub mod thread;
mod waiting;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use self::filter::{Filter, Sieve};
use self::reader::Reader;
use self::ring::Evicted;
use self::seat::{Seat, Sift};
use self::shared::Shared;
use self::subscriber::Subscriber;

/// How many values a bus keeps for slow subscribers when nothing was set.
pub const DEFAULT_BUS_CAPACITY: usize = 4_096;

/// Broadcasts values to named subscribers. Clones share one bus, which closes with the last of them.
pub struct Bus<T> {
    shared: Arc<Shared<T>>,
    open: Arc<Open<T>>,
}

/// Closes the bus when the last publisher is gone.
struct Open<T> {
    shared: Arc<Shared<T>>,
}

/// Where a new subscriber begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// At the next value that is published.
    #[default]
    Next,
    /// At the oldest value that is kept.
    Oldest,
    /// At the value of this number. When it is no longer kept, the subscriber is told as its first
    /// news how many it has lost. A number that is not published yet counts as the next.
    Seq(u64),
}

/// A value that is published, and of which nobody who waits has been told yet.
#[must_use = "who waits for the value sleeps until it is told"]
pub(crate) struct Pushed<'a, T> {
    shared: &'a Shared<T>,
    seq: u64,
    is_awaited: bool,
    evicted: Evicted<T>,
}

impl<T> Pushed<'_, T> {
    /// Returns the value's sequence number.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Wakes who waits for the value, and drops what it has pushed out.
    #[inline]
    pub(crate) fn tell(self) {
        if self.is_awaited {
            self.shared.waiting.notify(self.seq);
        }
        self.shared.dispose(self.evicted);
    }
}

impl<T> Bus<T> {
    /// Makes a bus that keeps `capacity_events` values, exactly so many, and at least one.
    ///
    /// Memory is freed by segments: an eighth of the capacity, at least 4 and at most 128 values.
    #[must_use]
    pub fn new(capacity_events: usize) -> Self {
        let shared = Arc::new(Shared::new(capacity_events));
        let open = Open {
            shared: Arc::clone(&shared),
        };
        Self {
            shared,
            open: Arc::new(open),
        }
    }

    /// Publishes a value and returns its sequence number.
    ///
    /// Wakes one task for each runtime on which subscribers wait. A task that blocks its worker thread
    /// right after this holds up the subscribers of its runtime, as it does whatever else it has woken
    /// last.
    pub fn publish(&self, value: T) -> u64 {
        self.publish_with(|_seq| value)
    }

    /// Publishes a value that knows its own sequence number.
    ///
    /// `make` runs while the bus is held: it must be short and must not use the bus.
    pub fn publish_with(&self, make: impl FnOnce(u64) -> T) -> u64 {
        let pushed = self.push_with(make);
        let seq = pushed.seq;
        pushed.tell();
        seq
    }

    /// Publishes a value and leaves it to the caller to tell who waits for it, once that holds no lock
    /// any more: wakers and filters are foreign code.
    #[inline]
    pub(crate) fn push_with(&self, make: impl FnOnce(u64) -> T) -> Pushed<'_, T> {
        let mut writer = self.shared.writer();
        let evicted = writer.ring.push(make);
        let seq = writer.ring.published();
        self.shared.waiting.tail.advance(seq);
        let waiting = std::mem::take(&mut writer.waiting);
        let evicted = match waiting {
            // The only one has nobody to share the sealing with, and is spared it. If it was sealed
            // when it was pushed, there is nothing left to seal and to evict.
            1 => writer.ring.seal().or(evicted),
            _ => evicted,
        };
        drop(writer);
        Pushed {
            shared: &self.shared,
            seq,
            is_awaited: waiting > 0,
            evicted,
        }
    }

    /// Subscribes to everything published from now on.
    ///
    /// The name stands in metrics as the label `subscriber`; two subscribers may share one.
    #[must_use]
    pub fn subscribe(&self, name: impl Into<Arc<str>>) -> Subscriber<T> {
        self.subscribe_from(name, Start::Next)
    }

    /// Subscribes to everything from `start` on.
    #[must_use]
    pub fn subscribe_from(&self, name: impl Into<Arc<str>>, start: Start) -> Subscriber<T> {
        let place = self.shared.enter(name.into(), start);
        let reader = Reader::new(Arc::clone(&self.shared), place, None);
        Subscriber::new(reader, Seat::new(None))
    }

    /// Subscribes to what `filter` wants, from `start` on.
    ///
    /// The filter is asked before the subscriber is woken, once for each value: by the task on the
    /// subscriber's runtime that wakes its subscribers, by the subscriber itself while it is awake, or
    /// by the publisher. It must be short and must not use the bus. What it does not want counts
    /// neither as received nor as lagged. One that panics wakes its subscriber and panics there.
    #[must_use]
    pub fn subscribe_where(
        &self,
        name: impl Into<Arc<str>>,
        start: Start,
        filter: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Subscriber<T>
    where
        T: Send + Sync + 'static,
    {
        let (cursor, position) = self.shared.enter(name.into(), start);
        let filter: Box<Filter<T>> = Box::new(filter);
        let shared = Arc::clone(&self.shared);
        let sieve = Arc::new(Sieve::new(filter, shared, Arc::clone(&position)));
        let sift: Arc<dyn Sift> = Arc::clone(&sieve) as _;
        let seat = Seat::new(Some(sift));
        let shared = Arc::clone(&self.shared);
        Subscriber::new(Reader::new(shared, (cursor, position), Some(sieve)), seat)
    }

    /// Returns how many values are kept for a slow subscriber.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.shared.capacity
    }

    /// Returns the sequence number of the last value published, 0 if there was none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.shared.waiting.tail.end().seq()
    }

    /// Counts what was published and how far each subscriber is behind.
    #[must_use]
    pub fn statistics(&self) -> BusStatistics {
        let writer = self.shared.writer();
        let published = writer.ring.published();
        let subscribers = writer
            .positions
            .iter()
            .map(|position| position.statistics(published, self.shared.capacity));
        let subscribers: Vec<_> = subscribers.collect();
        let lost: u64 = subscribers.iter().map(|subscriber| subscriber.lagged).sum();
        BusStatistics {
            published,
            to_nobody: writer.to_nobody(),
            lost: writer.lost_by_gone + lost,
            subscribers,
            lagged_by_gone: writer.gone.clone(),
        }
    }
}

impl<T> Drop for Open<T> {
    fn drop(&mut self) {
        {
            let _writer = self.shared.writer();
            self.shared.waiting.tail.close();
        }
        self.shared.waiting.notify_end();
    }
}

impl<T> Clone for Bus<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            open: Arc::clone(&self.open),
        }
    }
}

impl<T> fmt::Debug for Bus<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("capacity", &self.shared.capacity)
            .finish_non_exhaustive()
    }
}

/// What a bus has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusStatistics {
    /// How many values were published.
    pub published: u64,
    /// How many of them while nobody was subscribed.
    pub to_nobody: u64,
    /// How many values subscribers have lost by being too slow, those included that are gone.
    pub lost: u64,
    /// The subscribers that exist now.
    pub subscribers: Vec<SubscriberStatistics>,
    /// How many values those have lost that are gone, by their names: of 256 names at most, and only of
    /// those who lost any.
    pub lagged_by_gone: BTreeMap<Arc<str>, u64>,
}

/// How far one subscriber is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberStatistics {
    /// The name it gave.
    pub name: Arc<str>,
    /// How many values it has received.
    pub received: u64,
    /// How many values it has lost, those included that it has not been told of yet.
    pub lagged: u64,
    /// How many values wait for it.
    pub depth: u64,
}

#[cfg(all(test, shuttle))]
mod races;
#[cfg(test)]
mod tests;
