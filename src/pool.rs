//! Buffers that are used again: strings and vectors that come back empty, with their memory.
//!
//! For code that fills a buffer for each message or line and is done with it soon. Taking and giving back
//! neither lock nor wait; when there is none, one is made, so that a pool is never what a program waits for. It
//! is no limit on how many buffers there are: that is for a bounded mailbox or a semaphore to say.
//!
//! # Invariants
//!
//! 1. No more than `max` buffers are kept, and none that has grown past the largest that may be.
//! 2. What is taken is empty: nothing of whoever had it before can be read.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

/// How many times the capacity it was made with a buffer may have when it comes back, when nothing was set: one
/// unusual message must not hold its memory for ever.
const DEFAULT_GROWTH: usize = 16;

/// What a pool can keep: [`String`] and [`Vec`].
pub trait Buffer: sealed::Sealed + Send + 'static {}

mod sealed {
    /// What a pool does with a buffer.
    pub trait Sealed: Sized {
        fn with_room_for(capacity: usize) -> Self;
        fn room(&self) -> usize;
        fn empty(&mut self);
    }
}

impl sealed::Sealed for String {
    fn with_room_for(capacity: usize) -> Self {
        Self::with_capacity(capacity)
    }

    fn room(&self) -> usize {
        self.capacity()
    }

    fn empty(&mut self) {
        self.clear();
    }
}

impl<T: Send + 'static> sealed::Sealed for Vec<T> {
    fn with_room_for(capacity: usize) -> Self {
        Self::with_capacity(capacity)
    }

    fn room(&self) -> usize {
        // Elements without a size need no memory, and a vector says that it has room for any number.
        match size_of::<T>() {
            0 => 0,
            _ => self.capacity(),
        }
    }

    fn empty(&mut self) {
        self.clear();
    }
}

impl Buffer for String {}

impl<T: Send + 'static> Buffer for Vec<T> {}

/// How many buffers a pool makes and keeps, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSizes {
    /// How many are made ahead; no more than `max`. Default 0.
    pub initial: usize,
    /// How many are kept at most; at least one. Default 64.
    pub max: usize,
    /// For how many bytes (of a `Vec`: elements) a new one has room. Default 1 024.
    pub capacity: usize,
    /// The most room with which one is kept when it comes back; `None` for 16 times `capacity`. Never less
    /// than `capacity`.
    pub largest: Option<usize>,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self {
            initial: 0,
            max: 64,
            capacity: 1_024,
            largest: None,
        }
    }
}

/// Keeps buffers until they are needed again. Clones share them.
///
/// ```
/// use std::fmt::Write as _;
///
/// use perennial::pool::{Pool, PoolSizes};
///
/// let lines = Pool::<String>::new(PoolSizes { initial: 4, max: 32, ..PoolSizes::default() });
/// let mut line = lines.take();
/// write!(line, "{} of {}", 1, 2)?;
/// assert_eq!(*line, "1 of 2");
/// drop(line); // back in the pool, empty
/// assert!(lines.take().is_empty());
/// # Ok::<(), std::fmt::Error>(())
/// ```
pub struct Pool<B: Buffer> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    kept: ArrayQueue<B>,
    capacity: usize,
    largest: usize,
    made: AtomicU64,
    freed: AtomicU64,
}

impl<B: Buffer> Pool<B> {
    /// Makes a pool, with the buffers that are wanted ahead.
    #[must_use]
    pub fn new(sizes: PoolSizes) -> Self {
        let max = sizes.max.max(1);
        let largest = sizes
            .largest
            .unwrap_or(sizes.capacity.saturating_mul(DEFAULT_GROWTH));
        let shared = Shared {
            kept: ArrayQueue::new(max),
            capacity: sizes.capacity,
            largest: largest.max(sizes.capacity),
            made: AtomicU64::new(0),
            freed: AtomicU64::new(0),
        };
        for _ in 0..sizes.initial.min(max) {
            shared.give_back(shared.make());
        }
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes an empty buffer, or makes one when none is kept. Never waits.
    #[must_use]
    pub fn take(&self) -> Pooled<B> {
        let kept = self.shared.kept.pop();
        Pooled {
            buffer: Some(kept.unwrap_or_else(|| self.shared.make())),
            home: Arc::clone(&self.shared),
        }
    }

    /// Counts what is kept, and what was made and freed.
    #[must_use]
    pub fn statistics(&self) -> PoolStatistics {
        PoolStatistics {
            kept: self.shared.kept.len(),
            made: self.shared.made.load(Ordering::Relaxed),
            freed: self.shared.freed.load(Ordering::Relaxed),
        }
    }
}

impl<B: Buffer> Shared<B> {
    fn make(&self) -> B {
        self.made.fetch_add(1, Ordering::Relaxed);
        B::with_room_for(self.capacity)
    }

    /// Keeps a buffer, unless there are enough or it has grown too large.
    fn give_back(&self, mut buffer: B) {
        // Elements are foreign code when they are dropped; if one panics, the buffer is gone and the pool whole.
        buffer.empty();
        let is_kept = buffer.room() <= self.largest && self.kept.push(buffer).is_ok();
        if !is_kept {
            self.freed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<B: Buffer> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<B: Buffer> fmt::Debug for Pool<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("max", &self.shared.kept.capacity())
            .field("capacity", &self.shared.capacity)
            .field("statistics", &self.statistics())
            .finish()
    }
}

/// What a pool has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatistics {
    /// How many buffers wait to be used.
    pub kept: usize,
    /// How many were ever made, those made ahead included.
    pub made: u64,
    /// How many came back and were freed: there were enough, or they had grown too large.
    pub freed: u64,
}

/// A buffer that goes back to its pool when it is dropped. Used as the buffer that it holds.
pub struct Pooled<B: Buffer> {
    /// There until it is dropped or taken out.
    buffer: Option<B>,
    home: Arc<Shared<B>>,
}

impl<B: Buffer> Pooled<B> {
    /// Takes the buffer out for good; it does not come back.
    #[must_use]
    pub fn into_inner(mut self) -> B {
        self.buffer.take().unwrap_or_else(|| self.home.make())
    }
}

impl<B: Buffer> Deref for Pooled<B> {
    type Target = B;

    #[allow(clippy::expect_used, reason = "it is taken only by what consumes it")]
    fn deref(&self) -> &B {
        self.buffer.as_ref().expect("it is there until the end")
    }
}

impl<B: Buffer> DerefMut for Pooled<B> {
    #[allow(clippy::expect_used, reason = "it is taken only by what consumes it")]
    fn deref_mut(&mut self) -> &mut B {
        self.buffer.as_mut().expect("it is there until the end")
    }
}

impl<B: Buffer> Drop for Pooled<B> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.home.give_back(buffer);
        }
    }
}

impl<B: Buffer + fmt::Debug> fmt::Debug for Pooled<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.buffer.fmt(f)
    }
}

#[cfg(test)]
mod tests;
