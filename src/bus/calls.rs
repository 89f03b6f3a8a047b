//! Whom to wake: collected under the lock of the seats, and woken outside it, because wakers and
//! filters are foreign code.

use std::sync::Arc;
use std::task::Waker;

use super::seat::{Seat, Sifted};
use crate::sync::atomic::Ordering;

/// A number that is greater than any published one: satisfies whoever waits.
pub(super) const EVERYBODY: u64 = u64::MAX;

/// Who is to be woken once the lock is released.
#[derive(Default)]
#[must_use = "a waker that is taken out of a seat is woken"]
pub(super) struct Calls {
    /// The first apart, so that the usual case allocates nothing.
    first: Option<Waker>,
    more: Vec<Waker>,
    /// Those whose filter has to be asked.
    to_sift: Vec<Arc<Seat>>,
    /// Threads, of which the first that has something wakes the others.
    threads: Vec<Arc<Seat>>,
}

impl Calls {
    pub(super) fn push(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    /// Takes the first without a filter who waits for `seq` or less; true when another one follows.
    pub(super) fn collect_next(&mut self, seats: &[Arc<Seat>], seq: u64) -> bool {
        let mut waiting = seats.iter().filter(|seat| seat.sieve.is_none());
        let first = waiting.by_ref().find_map(|seat| seat.claim(seq));
        first.into_iter().for_each(|waker| self.push(waker));
        waiting.any(|seat| seat.waits_for(seq))
    }

    /// Takes all who wait for `seq` or less.
    pub(super) fn collect(&mut self, seats: &[Arc<Seat>], seq: u64) {
        for seat in seats {
            if seat.sieve.is_some() && seq != EVERYBODY {
                self.to_sift.push(Arc::clone(seat));
            } else if let Some(waker) = seat.claim(seq) {
                self.push(waker);
            }
        }
    }

    /// Takes threads, of which one will be woken.
    pub(super) fn collect_threads(&mut self, seats: &[Arc<Seat>]) {
        self.threads.extend(seats.iter().cloned());
    }

    /// Wakes all who were taken, and of the threads one who waits for `seq` or less.
    pub(super) fn make(self, seq: u64) {
        self.first
            .into_iter()
            .chain(self.more)
            .for_each(Waker::wake);
        let sifted = self.to_sift.iter().filter_map(|seat| sift(seat));
        sifted.for_each(Waker::wake);
        let head = self.threads.iter().find_map(|seat| match seat.sieve {
            Some(_) => sift(seat),
            None => seat.claim(seq),
        });
        if let Some(head) = head {
            head.wake();
        }
    }
}

/// Asks the filter of a sleeping subscriber, which sleeps on when there is nothing for it.
fn sift(seat: &Seat) -> Option<Waker> {
    let sieve = seat.sieve.as_ref()?;
    loop {
        let before = seat.wanted.load(Ordering::Acquire);
        if before == 0 {
            return None;
        }
        let Sifted::Until(wanted) = sieve.sift() else {
            return seat.claim(EVERYBODY);
        };
        let moved =
            seat.wanted
                .compare_exchange(before, wanted, Ordering::AcqRel, Ordering::Relaxed);
        if moved.is_err() {
            // It woke up by itself, or another thread has sifted for it.
            return None;
        }
        if sieve.expect(wanted) {
            return None;
        }
        // Something more was published meanwhile, or the bus was closed.
    }
}
