//! A broadcast of values: every subscriber sees every one, in the order of publishing.
//!
//! A publisher never waits. A subscriber that falls more than the capacity behind is told how many
//! values it lost and goes on with the oldest that is kept. How far each one lags is counted from its
//! own position, so that a subscriber which never reads is seen as well as one that reads too slowly.
//!
//! Built on `tokio::sync::broadcast` for the time being, behind this type; its capacity is rounded up
//! to a power of two, and [`Bus::capacity`] says to which.
//!
//! # Invariants
//!
//! 1. Sequence numbers have no holes: number `n` is the `n`-th value published, counted from 1.
//! 2. A subscriber receives values in rising order of their numbers.
//! 3. For each subscriber: received + lagged + waiting = published since it subscribed.

pub mod subscriber;

use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast;

use self::subscriber::{Position, Subscriber};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

/// How many values a bus keeps for slow subscribers when nothing was set.
pub const DEFAULT_BUS_CAPACITY: usize = 4_096;

/// Broadcasts values to named subscribers. Clones share one bus.
pub struct Bus<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    sender: broadcast::Sender<T>,
    capacity: u64,
    /// The number of values published; held while one is sent, which makes invariants 1 and 2.
    published: Mutex<u64>,
    to_nobody: AtomicU64,
    positions: Mutex<Vec<Arc<Position>>>,
}

impl<T: Clone> Bus<T> {
    /// Makes a bus that keeps at least `capacity_events` values, and at least one.
    #[must_use]
    pub fn new(capacity_events: usize) -> Self {
        // `broadcast::channel` panics on zero and above half the address space.
        let capacity = capacity_events.clamp(1, 1 << 30).next_power_of_two();
        let shared = Shared {
            sender: broadcast::Sender::new(capacity),
            capacity: capacity as u64,
            published: Mutex::new(0),
            to_nobody: AtomicU64::new(0),
            positions: Mutex::new(Vec::new()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Publishes a value and returns its sequence number.
    pub fn publish(&self, value: T) -> u64 {
        self.publish_with(|_seq| value)
    }

    /// Publishes a value that knows its own sequence number.
    ///
    /// `make` runs while the bus is held: it must be short and must not use the bus.
    pub fn publish_with(&self, make: impl FnOnce(u64) -> T) -> u64 {
        let mut published = lock(&self.shared.published);
        let seq = *published + 1;
        let value = make(seq);
        *published = seq;
        if self.shared.sender.send(value).is_err() {
            self.shared.to_nobody.fetch_add(1, Ordering::Relaxed);
        }
        seq
    }

    /// Subscribes to everything published from now on.
    ///
    /// The name stands in metrics as the label `subscriber`; two subscribers may share one.
    #[must_use]
    pub fn subscribe(&self, name: impl Into<Arc<str>>) -> Subscriber<T> {
        let published = lock(&self.shared.published);
        let position = Arc::new(Position::new(name.into(), *published));
        let receiver = self.shared.sender.subscribe();
        drop(published);
        let mut positions = lock(&self.shared.positions);
        positions.retain(|position| !position.is_closed());
        positions.push(Arc::clone(&position));
        drop(positions);
        Subscriber::new(receiver, position)
    }
}

impl<T> Bus<T> {
    /// Returns how many values are kept for a slow subscriber.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.shared.capacity
    }

    /// Returns the sequence number of the last value published, 0 if there was none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        *lock(&self.shared.published)
    }

    /// Counts what was published and how far each subscriber is behind.
    #[must_use]
    pub fn statistics(&self) -> BusStatistics {
        let published = self.last_seq();
        let mut positions = lock(&self.shared.positions);
        positions.retain(|position| !position.is_closed());
        let subscribers = positions
            .iter()
            .map(|position| position.statistics(published, self.shared.capacity));
        BusStatistics {
            published,
            to_nobody: self.shared.to_nobody.load(Ordering::Relaxed),
            subscribers: subscribers.collect(),
        }
    }
}

impl<T> Clone for Bus<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
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

#[cfg(test)]
mod tests;
