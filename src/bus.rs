//! A broadcast of values: every subscriber sees every one, in the order of publishing.
//!
//! A publisher never waits. A subscriber that falls more than the capacity behind is told how many
//! values it lost and goes on with the oldest that is kept. How far each one lags is counted from its
//! own position, so that a subscriber which never reads is seen as well as one that reads too slowly.
//!
//! Values stand in segments of slots that are written once (`ring`), so that a reader needs neither a
//! lock nor a count to look at one. Publishers take turns under a lock for the time of one append, which
//! is the price of numbers without holes; wake-ups happen outside it, and one for each runtime at most
//! is the publisher's (`waiting`). The bus keeps what is within its capacity whether anybody is
//! subscribed or not, so that a late subscriber can still have it.
//!
//! # Invariants
//!
//! 1. Sequence numbers have no holes: number `n` is the `n`-th value published, counted from 1.
//! 2. A subscriber receives values in rising order of their numbers.
//! 3. For each subscriber: received + lagged + waiting = published since it subscribed; with a filter,
//!    what that has passed is to be added.
//! 4. Values, filters and wakers are foreign code when they are dropped or called: none of that happens
//!    under the publishers' lock.

mod filter;
mod position;
mod relay;
mod ring;
mod seat;
pub mod subscriber;
pub mod thread;
mod waiting;

use std::fmt;
use std::sync::Arc;

use self::filter::{Filter, Sieve};
use self::position::Position;
use self::ring::{Cursor, Ring};
use self::seat::{Seat, Sift};
use self::subscriber::Subscriber;
use self::waiting::{Apart, Waiting};
use crate::sync::{Mutex, MutexGuard, lock};

/// How many values a bus keeps for slow subscribers when nothing was set.
pub const DEFAULT_BUS_CAPACITY: usize = 4_096;

/// Broadcasts values to named subscribers. Clones share one bus, which closes with the last of them.
pub struct Bus<T> {
    shared: Arc<Shared<T>>,
    open: Arc<Open>,
}

/// Closes the bus when the last publisher is gone.
struct Open {
    waiting: Arc<Waiting>,
}

struct Shared<T> {
    writer: Apart<Mutex<Writer<T>>>,
    waiting: Arc<Waiting>,
    capacity: u64,
}

/// What publishing changes, and who is subscribed.
struct Writer<T> {
    ring: Ring<T>,
    positions: Vec<Arc<Position>>,
    /// How many values were published while nobody was subscribed, as long as somebody is; otherwise
    /// how many had not been, when the last one left.
    nobody: u64,
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

impl<T> Bus<T> {
    /// Makes a bus that keeps `capacity_events` values, exactly so many, and at least one.
    ///
    /// Memory is freed by segments: an eighth of the capacity, at least 4 and at most 128 values.
    #[must_use]
    pub fn new(capacity_events: usize) -> Self {
        let waiting = Arc::new(Waiting::new());
        let writer = Writer {
            ring: Ring::new(capacity_events),
            positions: Vec::new(),
            nobody: 0,
        };
        let shared = Shared {
            writer: Apart(Mutex::new(writer)),
            waiting: Arc::clone(&waiting),
            capacity: capacity_events.max(1) as u64,
        };
        Self {
            shared: Arc::new(shared),
            open: Arc::new(Open { waiting }),
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
        let mut writer = self.shared.writer();
        let evicted = writer.ring.push(make);
        let seq = writer.ring.published();
        let somebody_waits = self.shared.waiting.advance(seq);
        drop(writer);
        if somebody_waits {
            self.shared.waiting.notify(seq);
        }
        drop(evicted);
        seq
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
        let (cursor, position) = self.shared.enter(name.into(), start);
        let shared = Arc::clone(&self.shared);
        Subscriber::new(shared, cursor, position, (None, Seat::new(None)))
    }

    /// Subscribes to what `filter` wants, from `start` on.
    ///
    /// The filter is asked before the subscriber is woken, once for each value: by the task on the
    /// subscriber's runtime that wakes its subscribers, by the subscriber itself while it is awake, or
    /// by the publisher. It must be short and must not use the bus. What it does not want counts
    /// neither as received nor as lagged.
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
        let sieve = Arc::new(Sieve::new(filter, Arc::clone(&position)));
        let sift: Arc<dyn Sift> = Arc::clone(&sieve) as _;
        let seat = Seat::new(Some(sift));
        let shared = Arc::clone(&self.shared);
        Subscriber::new(shared, cursor, position, (Some(sieve), seat))
    }

    /// Returns how many values are kept for a slow subscriber.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.shared.capacity
    }

    /// Returns the sequence number of the last value published, 0 if there was none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.shared.waiting.tail().seq()
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
        BusStatistics {
            published,
            to_nobody: writer.to_nobody(),
            subscribers: subscribers.collect(),
        }
    }
}

impl<T> Shared<T> {
    fn writer(&self) -> MutexGuard<'_, Writer<T>> {
        lock(&self.writer.0)
    }

    /// Enters a subscriber into the list.
    fn enter(&self, name: Arc<str>, start: Start) -> (Cursor<T>, Arc<Position>) {
        let mut writer = self.writer();
        let (oldest, next) = (writer.ring.oldest_kept(), writer.ring.published() + 1);
        let seq = match start {
            Start::Next => next,
            Start::Oldest => oldest,
            Start::Seq(seq) => seq.clamp(1, next),
        };
        let cursor = match seq < oldest {
            true => Cursor::evicted(seq),
            false => writer.ring.cursor(seq),
        };
        let position = Arc::new(Position::new(name, seq - 1));
        if writer.positions.is_empty() {
            writer.nobody = writer.to_nobody();
        }
        writer.positions.push(Arc::clone(&position));
        (cursor, position)
    }
}

impl<T> Writer<T> {
    fn to_nobody(&self) -> u64 {
        match self.positions.is_empty() {
            true => self.ring.published() - self.nobody,
            false => self.nobody,
        }
    }

    /// Takes a subscriber from the list.
    fn forget(&mut self, position: &Arc<Position>) {
        self.positions.retain(|other| !Arc::ptr_eq(other, position));
        if self.positions.is_empty() {
            self.nobody = self.ring.published() - self.nobody;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.waiting.close();
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
    /// The subscribers that exist now.
    pub subscribers: Vec<SubscriberStatistics>,
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
