//! Keeps the count of an actor's mailbox, which ractor does not give out.
//!
//! ractor's mailbox has no bound and can't be read, so the instants of what went in are kept beside
//! it. What is sent past the handle, with an `ActorRef`, was never counted in and makes depth, age
//! and losses read low; they never go below nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::ledger::Ledger;
use crate::sync::{Mutex, lock};

/// Counts the messages that wait for one run of an actor.
#[derive(Debug)]
pub(crate) struct Meter {
    /// When each message that waits was sent, oldest first.
    sent: Mutex<VecDeque<Instant>>,
    capacity: usize,
    ledger: Arc<Ledger>,
}

impl Meter {
    /// Makes a meter that admits `capacity` messages at a time.
    pub(crate) fn new(capacity: usize, ledger: &Arc<Ledger>) -> Self {
        Self {
            sent: Mutex::default(),
            capacity,
            ledger: Arc::clone(ledger),
        }
    }

    /// Counts a message that is about to be queued; `false` says that there is no room.
    pub(crate) fn enter(&self) -> bool {
        let now = Instant::now();
        let mut sent = lock(&self.sent);
        let has_room = sent.len() < self.capacity;
        if has_room {
            sent.push_back(now);
        }
        has_room
    }

    /// Counts a message that was accepted before this run, at `sent_at`.
    pub(crate) fn enter_held(&self, sent_at: Instant) {
        lock(&self.sent).push_back(sent_at);
    }

    /// Takes back a count: the message was refused after all.
    pub(crate) fn withdraw(&self) {
        lock(&self.sent).pop_back();
    }

    /// Counts a message that was taken out to be handled.
    pub(crate) fn leave(&self) {
        let taken = lock(&self.sent).pop_front();
        if taken.is_some() {
            self.ledger.make_room(1);
        }
    }

    /// Counts what waits as lost. Call it when nothing can come in any more.
    pub(crate) fn end(&self) {
        let left = std::mem::take(&mut *lock(&self.sent)).len();
        self.ledger.lose(left);
    }

    /// Returns how many messages wait, and when the oldest was sent.
    pub(crate) fn waiting(&self) -> (usize, Option<Instant>) {
        let sent = lock(&self.sent);
        (sent.len(), sent.front().copied())
    }
}
