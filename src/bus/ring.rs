//! Where published values stand until the capacity pushes them out: a row of segments that nobody
//! writes to any more, and an open one behind the publishers' lock.
//!
//! A publisher appends to the open segment: under the lock it holds anyway, so that a value costs no
//! atomic operation of its own. Whoever wants to read what stands there seals it, as does the publisher
//! who fills it: from then on it only lies in the row, and any number of readers look at its values
//! without a lock, a count or an atomic operation but one load, which says what is still kept. So
//! readers that keep up pay for the lock, once for all of them and all that was published meanwhile,
//! and those that are behind pay nothing.
//!
//! # Invariants
//!
//! 1. A segment in the row is never changed, but for its mark and the link to the one after it.
//! 2. A value is kept while fewer than `capacity` newer ones are published. What is no longer kept is
//!    marked before the value that pushed it out can be seen, so that nobody receives both.
//! 3. A reader keeps alive the one segment it stands in and none after it, however long it sleeps: the
//!    links are weak. That also means that no chain of segments is ever dropped recursively.

use std::collections::VecDeque;
use std::sync::Arc;

use super::segment::{Cursor, Segment};
use crate::sync::OnceLock;
use crate::sync::atomic::Ordering;

/// How many values a segment has at most. Larger ones save links; past this the saving is below a
/// nanosecond a value, and what a sleeping subscriber keeps grows.
const MAX_SEGMENT_EVENTS: u64 = 128;

/// How many values the open segment takes at least, so that a bus of capacity 1 does not seal each.
const MIN_SEGMENT_EVENTS: u64 = 4;

/// Into how many segments the capacity is divided, so that the one that is not yet freed is a small
/// part of what is kept.
const SEGMENTS_PER_CAPACITY: u64 = 8;

/// All that is kept; what the publishers' lock protects.
pub(super) struct Ring<T> {
    capacity: u64,
    published: u64,
    /// What was published last and is not sealed yet. Its room is that of a whole segment.
    open: Vec<T>,
    segment_events: usize,
    /// The last of the row.
    newest: Arc<Segment<T>>,
    /// The others of the row, in each of which something is kept, the oldest first.
    older: VecDeque<Arc<Segment<T>>>,
    /// An empty segment that nobody reads, for the next seal.
    spare: Option<Spare<T>>,
}

/// What a push left to its caller, to be emptied outside the lock: dropping values is user code.
#[must_use = "empty it outside the lock"]
pub(super) struct Evicted<T>(Option<Arc<Segment<T>>>);

/// An empty segment that nobody else has.
pub(super) struct Spare<T>(Arc<Segment<T>>);

impl<T> Ring<T> {
    /// Makes an empty ring; a capacity of zero counts as one.
    pub(super) fn new(capacity_events: usize) -> Self {
        let capacity = capacity_events.max(1) as u64;
        let segment_events =
            (capacity / SEGMENTS_PER_CAPACITY).clamp(MIN_SEGMENT_EVENTS, MAX_SEGMENT_EVENTS);
        let segment_events = usize::try_from(segment_events).unwrap_or(usize::MAX);
        Self {
            capacity,
            published: 0,
            open: Vec::with_capacity(segment_events),
            segment_events,
            newest: Arc::new(Segment::new(1, 0, Vec::new())),
            older: VecDeque::new(),
            spare: None,
        }
    }

    /// Returns the number of the last value, 0 when there was none.
    pub(super) fn published(&self) -> u64 {
        self.published
    }

    /// Returns the number of the oldest value that is kept, or of the next when none is.
    pub(super) fn oldest_kept(&self) -> u64 {
        self.evicted() + 1
    }

    /// Returns the number of the last value that is not kept any more.
    fn evicted(&self) -> u64 {
        self.published.saturating_sub(self.capacity)
    }

    /// Appends what `make` makes of its number; when `make` panics, nothing has happened.
    #[inline]
    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> T) -> Evicted<T> {
        let seq = self.published + 1;
        self.open.push(make(seq));
        self.published = seq;
        // Before it is sealed: invariant 2.
        let evicted = self.evict();
        match self.open.len() < self.segment_events {
            true => evicted,
            // Not both: what is sealed here pushes out only what was the last of the row.
            false => self.seal().or(evicted),
        }
    }

    /// Marks what is not kept any more, and takes the oldest segment from the row when that is all of it.
    #[inline]
    fn evict(&mut self) -> Evicted<T> {
        let evicted = self.evicted();
        let oldest = self.older.front().unwrap_or(&self.newest);
        if evicted < oldest.first_seq {
            return Evicted(None);
        }
        oldest.evicted.store(evicted, Ordering::Release);
        Evicted(match oldest.end_seq() <= evicted + 1 {
            // The newest stays, so that the next is linked to it.
            true => self.older.pop_front(),
            false => None,
        })
    }

    /// Lets readers see all that is published.
    pub(super) fn seal(&mut self) -> Evicted<T> {
        if self.open.is_empty() {
            return Evicted(None);
        }
        let segment = self.close_open();
        // It has no link yet, being the last.
        drop(self.newest.next.set(Arc::downgrade(&segment)));
        let before = std::mem::replace(&mut self.newest, segment);
        // The very first is empty: there is nothing to push out of it, and in the row it would take the
        // mark for the one after it.
        if !before.values.is_empty() {
            self.older.push_back(before);
        }
        self.evict()
    }

    /// Moves what is in the open segment to one for the row, the spare one where there is one.
    fn close_open(&mut self) -> Arc<Segment<T>> {
        let first_seq = self.published + 1 - self.open.len() as u64;
        let evicted = self.evicted();
        let mut spare = self.spare.take().map(|spare| spare.0);
        let reused = spare.as_mut().and_then(Arc::get_mut);
        let room = reused.map_or_else(Vec::new, |reused| std::mem::take(&mut reused.values));
        let values = self.move_open(room);
        if let Some(mut segment) = spare
            && let Some(reused) = Arc::get_mut(&mut segment)
        {
            *reused = Segment::new(first_seq, evicted, values);
            return segment;
        }
        Arc::new(Segment::new(first_seq, evicted, values))
    }

    /// Empties the open segment; `room` is used where its size is right.
    fn move_open(&mut self, room: Vec<T>) -> Vec<T> {
        let count = self.open.len();
        // Few values are moved, so that they do not hold on to room for many.
        let is_moved = count * 2 <= self.segment_events;
        let wanted = if is_moved { count } else { self.segment_events };
        let is_right = (wanted..=wanted * 2).contains(&room.capacity());
        let mut room = if is_right {
            room
        } else {
            Vec::with_capacity(wanted)
        };
        match is_moved {
            true => {
                room.append(&mut self.open);
                room
            }
            false => std::mem::replace(&mut self.open, room),
        }
    }

    /// Keeps an empty segment for the next seal.
    pub(super) fn reuse(&mut self, spare: Spare<T>) {
        self.spare = Some(spare);
    }

    /// Returns a cursor before the value `seq`, which is kept or the next. All is sealed.
    pub(super) fn cursor(&self, seq: u64) -> Cursor<T> {
        let index = self
            .older
            .partition_point(|segment| segment.end_seq() <= seq);
        let segment = self.older.get(index).unwrap_or(&self.newest);
        Cursor::new(Arc::clone(segment), seq)
    }
}

impl<T> Evicted<T> {
    /// Returns the one of them in which there is something; not both.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// Drops the values, unless somebody still reads them; returns what is left when nobody does.
    pub(super) fn empty(self) -> Option<Spare<T>> {
        let mut segment = self.0?;
        let alone = Arc::get_mut(&mut segment)?;
        alone.values.clear();
        // A link is weak, but it keeps the memory of the segment after it.
        alone.next = OnceLock::new();
        Some(Spare(segment))
    }
}
