//! Some values in a row that nobody changes any more, and where a reader stands among them.

use std::sync::{Arc, Weak};

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Some values in a row.
pub(super) struct Segment<T> {
    /// The number of the first value.
    pub(super) first_seq: u64,
    /// The last number that is no longer kept, as far as this segment is concerned. Written only while
    /// this is the oldest segment, so that a reader further on finds it in its cache.
    pub(super) evicted: AtomicU64,
    pub(super) values: Vec<T>,
    pub(super) next: OnceLock<Weak<Segment<T>>>,
}

impl<T> Segment<T> {
    pub(super) fn new(first_seq: u64, evicted: u64, values: Vec<T>) -> Self {
        Self {
            first_seq,
            evicted: AtomicU64::new(evicted),
            values,
            next: OnceLock::new(),
        }
    }

    /// The number of the first value after it.
    pub(super) fn end_seq(&self) -> u64 {
        self.first_seq + self.values.len() as u64
    }
}

/// Where a reader stands: before a value.
pub(super) struct Cursor<T> {
    segment: Arc<Segment<T>>,
    /// The place in the segment; one past the last when there was no next segment yet.
    index: usize,
}

/// What a reader finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The next value is there; [`Cursor::take`] returns it.
    Value,
    /// The next value is not sealed yet.
    Nothing,
    /// The next value is no longer kept.
    Evicted,
}

impl<T> Cursor<T> {
    /// Returns a cursor in `segment` before the value `seq`, at most one past its last.
    pub(super) fn new(segment: Arc<Segment<T>>, seq: u64) -> Self {
        Self {
            index: usize::try_from(seq - segment.first_seq).unwrap_or(usize::MAX),
            segment,
        }
    }

    /// Returns a cursor before the value `seq`, which is no longer kept.
    pub(super) fn evicted(seq: u64) -> Self {
        Self {
            segment: Arc::new(Segment::new(seq, seq, Vec::new())),
            index: 0,
        }
    }

    /// Returns the number of the next value.
    #[inline]
    pub(super) fn next_seq(&self) -> u64 {
        self.segment.first_seq + self.index as u64
    }

    /// Whether a value comes next that is kept and sealed.
    #[inline]
    pub(super) fn is_before_value(&self) -> bool {
        self.index < self.segment.values.len()
            && self.segment.evicted.load(Ordering::Acquire) < self.next_seq()
    }

    /// Looks at what comes next.
    pub(super) fn look(&mut self) -> Found {
        loop {
            if self.segment.evicted.load(Ordering::Acquire) >= self.next_seq() {
                return Found::Evicted;
            }
            if self.index < self.segment.values.len() {
                return Found::Value;
            }
            if let Some(found) = self.go_on() {
                return found;
            }
        }
    }

    /// Goes to the next segment, or says why it can't.
    fn go_on(&mut self) -> Option<Found> {
        let Some(next) = self.segment.next.get() else {
            return Some(Found::Nothing);
        };
        let Some(next) = next.upgrade() else {
            return Some(Found::Evicted);
        };
        self.segment = next;
        self.index = 0;
        None
    }

    /// Passes the value that [`look`](Self::look) has found, and returns it. It can't go away
    /// meanwhile: the cursor holds its segment.
    #[inline]
    pub(super) fn take(&mut self) -> Option<&T> {
        let value = self.segment.values.get(self.index)?;
        self.index += 1;
        Some(value)
    }

    /// Returns the value that [`look`](Self::look) has found.
    pub(super) fn value(&self) -> Option<&T> {
        self.segment.values.get(self.index)
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
