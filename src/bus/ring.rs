//! Where published values stand until the capacity pushes them out: a row of segments.
//!
//! A slot is written once and then only read, so a reader needs no lock and no count to look at a
//! value: one acquiring load says that it is there. The row belongs to the publishers' lock; a reader
//! holds the one segment it reads and finds the next through a weak link.
//!
//! # Invariants
//!
//! 1. Slots are filled in the order of their numbers, under the publishers' lock, each once.
//! 2. A value is kept while fewer than `capacity` newer ones are published. What is no longer kept is
//!    marked before the value that pushed it out can be seen, so that nobody receives both.
//! 3. A reader keeps alive the one segment it stands in and none after it, however long it sleeps: the
//!    links are weak. That also means that no chain of segments is ever dropped recursively.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How many slots a segment has at most. Larger ones save allocations; past this the saving is below
/// a nanosecond a value, and what a sleeping subscriber keeps grows.
const MAX_SEGMENT_EVENTS: u64 = 128;

/// How many slots a segment has at least, so that a bus of capacity 1 does not allocate for each value.
const MIN_SEGMENT_EVENTS: u64 = 4;

/// Into how many segments the capacity is divided, so that the one that is not yet freed is a small
/// part of what is kept.
const SEGMENTS_PER_CAPACITY: u64 = 8;

/// Some values in a row.
struct Segment<T> {
    /// The number of the value in the first slot.
    first_seq: u64,
    /// The last number that is no longer kept, as far as this segment is concerned. Written only while
    /// this is the oldest segment, so that a reader further on finds it in its cache.
    evicted: AtomicU64,
    slots: Box<[OnceLock<T>]>,
    next: OnceLock<Weak<Segment<T>>>,
}

impl<T> Segment<T> {
    fn new(first_seq: u64, events: u64) -> Self {
        Self {
            first_seq,
            evicted: AtomicU64::new(0),
            slots: (0..events).map(|_| OnceLock::new()).collect(),
            next: OnceLock::new(),
        }
    }

    fn last_seq(&self) -> u64 {
        self.first_seq + self.slots.len() as u64 - 1
    }
}

/// All that is kept; what the publishers' lock protects.
pub(super) struct Ring<T> {
    capacity: u64,
    segment_events: u64,
    published: u64,
    newest: Arc<Segment<T>>,
    /// The segments older than `newest` in which something is kept, the oldest first.
    older: VecDeque<Arc<Segment<T>>>,
}

/// What a push left to its caller, to be dropped outside the lock: dropping values is user code.
#[must_use = "drop it outside the lock"]
pub(super) struct Evicted<T>(
    #[expect(dead_code, reason = "held only to be dropped")] Option<Arc<Segment<T>>>,
);

impl<T> Ring<T> {
    /// Makes an empty ring; a capacity of zero counts as one.
    pub(super) fn new(capacity_events: usize) -> Self {
        let capacity = capacity_events.max(1) as u64;
        let segment_events =
            (capacity / SEGMENTS_PER_CAPACITY).clamp(MIN_SEGMENT_EVENTS, MAX_SEGMENT_EVENTS);
        Self {
            capacity,
            segment_events,
            published: 0,
            newest: Arc::new(Segment::new(1, segment_events)),
            older: VecDeque::new(),
        }
    }

    /// Returns the number of the last value, 0 when there was none.
    pub(super) fn published(&self) -> u64 {
        self.published
    }

    /// Returns the number of the oldest value that is kept, or of the next when none is.
    pub(super) fn oldest_kept(&self) -> u64 {
        self.published.saturating_sub(self.capacity) + 1
    }

    /// Appends what `make` makes of its number. Readers can see it when this returns; when `make`
    /// panics, nothing has happened.
    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> T) -> Evicted<T> {
        let seq = self.published + 1;
        if seq > self.newest.last_seq() {
            self.grow(seq);
        }
        let slot = usize::try_from(seq - self.newest.first_seq).unwrap_or(usize::MAX);
        let last = seq.saturating_sub(self.capacity);
        let oldest = self.older.front().unwrap_or(&self.newest);
        // Before anything is changed: it may panic.
        let value = make(seq);
        // Before the value can be seen: invariant 2.
        oldest.evicted.store(last, Ordering::Release);
        // It is never taken: invariant 1. (`get_or_init` would save a move, and is slower by a third.)
        drop(self.newest.slots[slot].set(value));
        self.published = seq;
        Evicted(match last == oldest.last_seq() {
            true => self.older.pop_front(),
            false => None,
        })
    }

    fn grow(&mut self, first_seq: u64) {
        let next = Arc::new(Segment::new(first_seq, self.segment_events));
        drop(self.newest.next.set(Arc::downgrade(&next)));
        let full = std::mem::replace(&mut self.newest, next);
        self.older.push_back(full);
    }

    /// Returns a cursor before the value `seq`, which is kept or the next.
    pub(super) fn cursor(&self, seq: u64) -> Cursor<T> {
        let oldest = self.older.front().unwrap_or(&self.newest);
        let behind = seq - oldest.first_seq;
        let index = usize::try_from(behind / self.segment_events).unwrap_or(usize::MAX);
        let segment = self.older.get(index).unwrap_or(&self.newest);
        Cursor {
            index: usize::try_from(seq - segment.first_seq).unwrap_or(usize::MAX),
            segment: Arc::clone(segment),
        }
    }
}

/// Where a reader stands: before a slot.
pub(super) struct Cursor<T> {
    segment: Arc<Segment<T>>,
    /// The slot in the segment; one past the last when the next segment was not there yet.
    index: usize,
}

/// What a reader finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The next value is there; [`Cursor::take`] returns it.
    Value,
    /// The next value is not published yet.
    Nothing,
    /// The next value is no longer kept.
    Evicted,
}

impl<T> Cursor<T> {
    /// Returns a cursor before the value `seq`, which is no longer kept.
    pub(super) fn evicted(seq: u64) -> Self {
        let segment = Segment::new(seq, 1);
        segment.evicted.store(seq, Ordering::Relaxed);
        Self {
            segment: Arc::new(segment),
            index: 0,
        }
    }

    /// Returns the number of the next value.
    pub(super) fn next_seq(&self) -> u64 {
        self.segment.first_seq + self.index as u64
    }

    /// Looks at what comes next.
    #[inline]
    pub(super) fn look(&mut self) -> Found {
        loop {
            let segment = &*self.segment;
            if let Some(slot) = segment.slots.get(self.index) {
                let next_seq = segment.first_seq + self.index as u64;
                if segment.evicted.load(Ordering::Acquire) >= next_seq {
                    return Found::Evicted;
                }
                return match slot.get() {
                    Some(_) => Found::Value,
                    None => Found::Nothing,
                };
            }
            let Some(next) = segment.next.get() else {
                return Found::Nothing;
            };
            let Some(next) = next.upgrade() else {
                return Found::Evicted;
            };
            self.segment = next;
            self.index = 0;
        }
    }

    /// Passes the value that [`look`](Self::look) has found, and returns it. It can't go away
    /// meanwhile: the cursor holds its segment.
    #[inline]
    pub(super) fn take(&mut self) -> Option<&T> {
        let value = self.segment.slots.get(self.index)?.get()?;
        self.index += 1;
        Some(value)
    }

    /// Returns the value that [`look`](Self::look) has found.
    pub(super) fn value(&self) -> Option<&T> {
        self.segment.slots.get(self.index)?.get()
    }
}

impl<T> Clone for Cursor<T> {
    fn clone(&self) -> Self {
        Self {
            segment: Arc::clone(&self.segment),
            index: self.index,
        }
    }
}
