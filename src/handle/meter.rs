//! Keeps the count of an actor's mailbox, which ractor does not give out.
//!
//! ractor's mailbox has no bound and can't be read, so the instants of what went in are kept beside
//! it. What is sent past the handle, with an `ActorRef`, was never counted in and makes depth, age
//! and losses read low; they never go below nothing.
//!
//! # Invariants
//!
//! 1. Who counts in holds the lock, so that no two take the last room. Who counts out does not: the actor
//!    would wait for its senders at each message.
//! 2. What waits are the last that came: what stands before them in `sent` has been counted out.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::ledger::Ledger;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, lock};

/// Counts the messages that wait for one run of an actor.
#[derive(Debug)]
pub(crate) struct Meter {
    waiting: AtomicUsize,
    /// When each message was sent, oldest first.
    sent: Mutex<VecDeque<Instant>>,
    capacity: usize,
    ledger: Arc<Ledger>,
}

impl Meter {
    /// Makes a meter that admits `capacity` messages at a time.
    pub(crate) fn new(capacity: usize, ledger: &Arc<Ledger>) -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            sent: Mutex::default(),
            capacity,
            ledger: Arc::clone(ledger),
        }
    }

    /// Counts a message that is about to be queued; `false` says that there is no room.
    pub(crate) fn enter(&self) -> bool {
        self.enter_below(self.capacity, Instant::now())
    }

    /// Counts a message that was accepted before this run, at `sent_at`.
    pub(crate) fn enter_held(&self, sent_at: Instant) {
        self.enter_below(usize::MAX, sent_at);
    }

    fn enter_below(&self, capacity: usize, sent_at: Instant) -> bool {
        let mut sent = lock(&self.sent);
        // In one order with those who count out and with the senders that wait: see `Ledger::make_room`.
        let waiting = self.waiting.load(Ordering::SeqCst);
        let has_room = waiting < capacity;
        if has_room {
            forget_all_but(waiting, &mut sent);
            sent.push_back(sent_at);
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Takes back a count: the message was refused after all. Of two who came at once the instant of the
    /// other may go, which is the same but for a moment.
    pub(crate) fn withdraw(&self) {
        let mut sent = lock(&self.sent);
        if self.count_out() {
            sent.pop_back();
        }
    }

    /// Counts a message that was taken out to be handled; one of many is timed.
    #[inline]
    pub(crate) fn leave(&self) -> Option<Instant> {
        if self.count_out() {
            self.ledger.make_room(1);
        }
        self.ledger.take(1).then(Instant::now)
    }

    /// Records how long the message took.
    pub(crate) fn took(&self, timed: Instant) {
        self.ledger.took(timed.elapsed());
    }

    /// Tells whether there was one to be counted out: one that was sent past the handle is not.
    #[inline]
    fn count_out(&self) -> bool {
        // Most actors are sent to past it always or never.
        self.waiting.load(Ordering::Relaxed) > 0
            && self
                .waiting
                .fetch_update(Ordering::SeqCst, Ordering::Relaxed, |waiting| {
                    waiting.checked_sub(1)
                })
                .is_ok()
    }

    /// Counts what waits as lost. Call it when nothing can come in any more.
    pub(crate) fn end(&self) {
        let left = self.waiting.swap(0, Ordering::Relaxed);
        self.ledger.lose(left);
    }

    /// Returns how many messages wait, and when the oldest was sent.
    pub(crate) fn waiting(&self) -> (usize, Option<Instant>) {
        let mut sent = lock(&self.sent);
        let waiting = self.waiting.load(Ordering::Relaxed);
        forget_all_but(waiting, &mut sent);
        (waiting, sent.front().copied())
    }
}

/// Forgets when those were sent that have been counted out since.
fn forget_all_but(waiting: usize, sent: &mut VecDeque<Instant>) {
    let left = sent.len().saturating_sub(waiting);
    sent.drain(..left);
}
