//! Values that a subscriber does not want: passed before it is woken.
//!
//! While the subscriber sleeps, its filter runs in whoever would have woken it: the relay on its
//! runtime, or the publisher where there is none. It moves the subscriber on over what it does not
//! want, so that a subscriber which waits for something rare does not fall behind.

use std::sync::Arc;

use super::position::Position;
use super::ring::{Cursor, Found};
use super::seat::Sift;
use crate::sync::{Mutex, lock};

/// Says whether a subscriber wants a value.
pub(super) type Filter<T> = dyn Fn(&T) -> bool + Send + Sync;

/// A filter, and where its subscriber stands while that sleeps.
pub(super) struct Sieve<T> {
    filter: Box<Filter<T>>,
    position: Arc<Position>,
    /// `None` while the subscriber is awake and has the cursor itself.
    left: Mutex<Option<Cursor<T>>>,
}

impl<T> Sieve<T> {
    pub(super) fn new(filter: Box<Filter<T>>, position: Arc<Position>) -> Self {
        Self {
            filter,
            position,
            left: Mutex::new(None),
        }
    }

    /// Leaves the cursor here before the subscriber sleeps.
    pub(super) fn leave(&self, cursor: Cursor<T>) {
        *lock(&self.left) = Some(cursor);
    }

    /// Takes the cursor back.
    pub(super) fn reclaim(&self) -> Option<Cursor<T>> {
        lock(&self.left).take()
    }

    /// Passes what is not wanted up to the value `last`, and says what comes then.
    pub(super) fn look(&self, cursor: &mut Cursor<T>, last: u64) -> Found {
        loop {
            if cursor.next_seq() > last {
                return Found::Nothing;
            }
            let found = cursor.look();
            if found != Found::Value || cursor.value().is_some_and(&*self.filter) {
                return found;
            }
            self.position.pass(cursor.next_seq());
            cursor.take();
        }
    }
}

impl<T: Send + Sync> Sift for Sieve<T> {
    fn sift(&self, last: u64) -> Option<u64> {
        let mut left = lock(&self.left);
        let cursor = left.as_mut()?;
        match self.look(cursor, last) {
            Found::Nothing => Some(cursor.next_seq()),
            Found::Value | Found::Evicted => None,
        }
    }
}
