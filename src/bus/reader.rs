//! What comes next for one subscriber: a value, nothing yet, a loss, or the end.

use std::sync::Arc;

use super::filter::Sieve;
use super::position::Position;
use super::segment::{Cursor, Found};
use super::shared::Shared;
use super::subscriber::ReceiveError;

/// Reads on, value by value.
pub(super) struct Reader<T> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) position: Arc<Position>,
    cursor: Cursor<T>,
    pub(super) sieve: Option<Arc<Sieve<T>>>,
}

impl<T> Reader<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        (cursor, position): (Cursor<T>, Arc<Position>),
        sieve: Option<Arc<Sieve<T>>>,
    ) -> Self {
        Self {
            shared,
            position,
            cursor,
            sieve,
        }
    }

    /// Returns the number of the next value.
    pub(super) fn next_seq(&self) -> u64 {
        self.cursor.next_seq()
    }

    /// Whether the next value is there for certain; it may be without being certain.
    #[inline]
    pub(super) fn is_certain(&self) -> bool {
        self.sieve.is_none() && self.cursor.is_before_value()
    }

    /// Passes the value that was found, and returns it.
    #[inline]
    pub(super) fn take(&mut self) -> Result<&T, ReceiveError> {
        self.position.set_seen(self.cursor.next_seq());
        // There is one: whoever calls this has looked.
        self.cursor.take().ok_or(ReceiveError::Closed)
    }

    /// Looks at what comes next; true when it is a value. Passes over what was lost, and says so.
    #[inline]
    pub(super) fn check(&mut self) -> Result<bool, ReceiveError> {
        match self.look() {
            Found::Value => Ok(true),
            Found::Nothing => self.check_end(),
            Found::Evicted => Err(self.skip_lost()),
        }
    }

    #[inline]
    pub(super) fn look(&mut self) -> Found {
        match self.is_certain() {
            true => Found::Value,
            false => self.look_further(),
        }
    }

    fn look_further(&mut self) -> Found {
        match &self.sieve {
            None => self.shared.look(&mut self.cursor),
            Some(sieve) => {
                if let Some(cursor) = sieve.reclaim() {
                    self.cursor = cursor;
                }
                sieve.look(&mut self.cursor, u64::MAX)
            }
        }
    }

    /// Leaves the cursor to the filter while the subscriber sleeps.
    pub(super) fn leave_cursor(&self) {
        if let Some(sieve) = &self.sieve {
            sieve.leave(self.cursor.clone());
        }
    }

    /// Tells an empty bus from a closed one.
    fn check_end(&mut self) -> Result<bool, ReceiveError> {
        let end = self.shared.waiting.tail.end();
        if !end.is_closed() {
            return Ok(false);
        }
        match end.seq() < self.cursor.next_seq() {
            true => Err(ReceiveError::Closed),
            // It was published after the first look, and is the publisher's last word.
            false => self.check(),
        }
    }

    #[cold]
    fn skip_lost(&mut self) -> ReceiveError {
        let mut writer = self.shared.writer();
        let evicted = writer.ring.seal();
        let oldest = writer.ring.oldest_kept();
        let lost = self.position.lose_until(oldest - 1);
        let left = std::mem::replace(&mut self.cursor, writer.ring.cursor(oldest));
        drop(writer);
        // Outside the lock: it may hold the last values of its segment, whose drop is user code.
        drop(left);
        self.shared.dispose(evicted);
        ReceiveError::Lagged(lost)
    }
}
