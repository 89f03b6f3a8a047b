//! Values that a subscriber does not want: passed before it is woken.
//!
//! While the subscriber sleeps, its filter runs in whoever would have woken it: the relay on its
//! runtime, or the publisher where there is none. It moves the subscriber on over what it does not
//! want, so that a subscriber which waits for something rare does not fall behind.

use std::sync::Arc;

use super::position::Position;
use super::seat::{Sift, Sifted};
use super::segment::{Cursor, Found};
use super::shared::Shared;
use crate::exit::catch_blocking;
use crate::sync::{Mutex, lock};

/// Says whether a subscriber wants a value.
pub(super) type Filter<T> = dyn Fn(&T) -> bool + Send + Sync;

/// A filter, and where its subscriber stands while that sleeps.
pub(super) struct Sieve<T> {
    filter: Box<Filter<T>>,
    shared: Arc<Shared<T>>,
    position: Arc<Position>,
    /// `None` while the subscriber is awake and has the cursor itself.
    left: Mutex<Option<Cursor<T>>>,
}

impl<T> Sieve<T> {
    pub(super) fn new(
        filter: Box<Filter<T>>,
        shared: Arc<Shared<T>>,
        position: Arc<Position>,
    ) -> Self {
        Self {
            filter,
            shared,
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
            let found = self.shared.look(cursor);
            if found != Found::Value || cursor.value().is_some_and(&*self.filter) {
                return found;
            }
            self.position.pass(cursor.next_seq());
            cursor.take();
        }
    }
}

impl<T: Send + Sync> Sift for Sieve<T> {
    fn sift(&self) -> Sifted {
        let end = self.shared.waiting.tail.end();
        let mut left = lock(&self.left);
        match left.as_mut() {
            Some(cursor) if !end.is_closed() => {
                // A filter that panics does so again in its own subscriber: that is who has to hear of it,
                // and not who publishes, or is to be woken after this one.
                match catch_blocking(|| self.look(cursor, end.seq())) {
                    Ok(Found::Nothing) => Sifted::Until(cursor.next_seq()),
                    Ok(Found::Value | Found::Evicted) | Err(_) => Sifted::News,
                }
            }
            // It is awake, or has to hear of the end.
            _ => Sifted::News,
        }
    }

    fn expect(&self, wanted: u64) -> bool {
        self.shared.expect(wanted)
    }
}
