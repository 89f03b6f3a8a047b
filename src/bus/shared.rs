//! What all publishers and subscribers of a bus share: the lock that they take in turns, and what it
//! protects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Start;
use super::position::Position;
use super::ring::{Evicted, Ring};
use super::segment::{Cursor, Found};
use super::tail::Apart;
use super::waiting::Waiting;
use crate::sync::{Mutex, MutexGuard, lock};

/// What all publishers and subscribers of a bus share.
pub(super) struct Shared<T> {
    writer: Apart<Mutex<Writer<T>>>,
    pub(super) waiting: Arc<Waiting>,
    pub(super) capacity: u64,
}

/// What publishing changes, and who is subscribed.
pub(super) struct Writer<T> {
    pub(super) ring: Ring<T>,
    pub(super) positions: Vec<Arc<Position>>,
    /// How many have said that they wait for the next value, since the last one was published.
    pub(super) waiting: u64,
    /// How many values were published while nobody was subscribed, as long as somebody is; otherwise
    /// how many had not been, when the last one left.
    nobody: u64,
    /// How many values those subscribers have lost that are gone.
    pub(super) lost_by_gone: u64,
    /// The same by their names, of the first [`MOST_GONE`] of these.
    pub(super) gone: BTreeMap<Arc<str>, u64>,
}

/// Of how many names it is known what those have lost that are gone: names can be made of anything.
const MOST_GONE: usize = 256;

impl<T> Shared<T> {
    pub(super) fn new(capacity_events: usize) -> Self {
        let writer = Writer {
            ring: Ring::new(capacity_events),
            positions: Vec::new(),
            waiting: 0,
            nobody: 0,
            lost_by_gone: 0,
            gone: BTreeMap::new(),
        };
        Self {
            writer: Apart(Mutex::new(writer)),
            waiting: Arc::default(),
            capacity: capacity_events.max(1) as u64,
        }
    }

    /// Takes the publishers' lock.
    #[inline]
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer<T>> {
        lock(&self.writer.0)
    }

    /// Enters a subscriber into the list.
    pub(super) fn enter(&self, name: Arc<str>, start: Start) -> (Cursor<T>, Arc<Position>) {
        let mut writer = self.writer();
        let evicted = writer.ring.seal();
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
        drop(writer);
        self.dispose(evicted);
        (cursor, position)
    }

    /// Looks at what comes next, in the open segment too.
    #[inline]
    pub(super) fn look(&self, cursor: &mut Cursor<T>) -> Found {
        loop {
            let found = cursor.look();
            if found != Found::Nothing || self.waiting.tail.end().seq() < cursor.next_seq() {
                return found;
            }
            self.seal();
        }
    }

    #[cold]
    fn seal(&self) {
        let evicted = self.writer().ring.seal();
        self.dispose(evicted);
    }

    /// Leaves word that somebody waits for `wanted`; false when that is there or nothing follows.
    pub(super) fn expect(&self, wanted: u64) -> bool {
        let mut writer = self.writer();
        let end = self.waiting.tail.end();
        let waits = end.seq() < wanted && !end.is_closed();
        writer.waiting += u64::from(waits);
        waits
    }

    /// Drops values that were pushed out, outside the lock.
    #[inline]
    pub(super) fn dispose(&self, evicted: Evicted<T>) {
        if let Some(spare) = evicted.empty() {
            self.writer().ring.reuse(spare);
        }
    }
}

impl<T> Writer<T> {
    pub(super) fn to_nobody(&self) -> u64 {
        match self.positions.is_empty() {
            true => self.ring.published() - self.nobody,
            false => self.nobody,
        }
    }

    /// Takes a subscriber from the list; what it has lost stays counted.
    pub(super) fn forget(&mut self, position: &Arc<Position>, capacity: u64) {
        self.positions.retain(|other| !Arc::ptr_eq(other, position));
        let last = position.statistics(self.ring.published(), capacity);
        self.lost_by_gone += last.lagged;
        if last.lagged > 0 && (self.gone.len() < MOST_GONE || self.gone.contains_key(&last.name)) {
            *self.gone.entry(last.name).or_default() += last.lagged;
        }
        if self.positions.is_empty() {
            self.nobody = self.ring.published() - self.nobody;
        }
    }
}
