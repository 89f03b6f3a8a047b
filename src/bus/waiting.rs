//! Who waits for the next value, and who wakes whom.
//!
//! Waking a task costs its waker up to tens of microseconds when a sleeping worker thread has to be
//! roused for it, and a publisher is often an actor with work to do. So the publisher wakes one task
//! for each runtime, the relay, which has the subscribers there woken. A single subscriber needs no
//! relay and is woken directly. One thread that waits is called by the publisher and wakes the other
//! threads before it goes on, also if it did not come to sleep, or leaves: it certainly runs.
//!
//! A relay lives on the runtime of those it wakes: a runtime that is blocked or gone holds up nobody
//! else. It is spawned by the second subscriber that waits there and ends when fewer than two are left.
//! Who waits outside a tokio runtime, in another executor or behind a bell, is woken by the publisher.
//! On a runtime with one thread it is the same, only that nothing ever has to be roused there.
//!
//! # Invariants
//!
//! 1. A subscriber says in its seat for which number it waits, and then, under the publishers' lock,
//!    looks at the last number and leaves word that somebody waits. A publisher takes that word under
//!    the same lock, with its number. So one of the two sees the other, and no wake-up is lost.
//! 2. A waker that is taken out of a seat is woken.
//! 3. No foreign code, wakers and filters included, runs under the lock of the seats.

use std::sync::Arc;
use std::task::Waker;

use super::calls::{Calls, EVERYBODY};
use super::seat::{Place, Seat};
use super::seats::{Group, RelayState, Seats};
use super::tail::Tail;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// How many subscribers are woken one by one at most. With more it is worth to rouse another worker,
/// and each look for the next one goes through all.
const MOST_ONE_BY_ONE: usize = 32;

/// How many subscribers in a row wake the next one before the relay has another turn. A worker thread
/// runs the task that was woken last at once, without asking for help, three times in a row: the second
/// subscriber, the relay, and one to spare (`MAX_LIFO_POLLS_PER_TICK` in tokio 1.54).
const PASSES: u32 = 1;

/// The end of the bus as its subscribers see it, and the places where they wait.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) tail: Tail,
    /// Whether a subscriber that was woken wakes the next one: see [`Waiting::pass_on`].
    is_passed_on: AtomicBool,
    seats: Mutex<Seats>,
}

/// What a relay does after a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Another pass, once those that are awake had a turn.
    More,
    /// It sleeps until it is called.
    Over,
    /// It ends.
    Last,
}

impl Waiting {
    /// Wakes everybody: nothing follows.
    pub(super) fn notify_end(&self) {
        let mut calls = Calls::default();
        {
            let seats = lock(&self.seats);
            for group in &seats.groups {
                calls.collect(&group.seats, EVERYBODY);
            }
            calls.collect(&seats.threads, EVERYBODY);
            calls.collect(&seats.elsewhere, EVERYBODY);
        }
        calls.make(EVERYBODY);
    }

    /// Wakes who waits for `seq` or less: the relays, or the subscribers where there is none.
    pub(super) fn notify(&self, seq: u64) {
        let mut calls = Calls::default();
        {
            let mut seats = lock(&self.seats);
            for group in &mut seats.groups {
                let is_relayed =
                    group.seats.len() != 1 && !matches!(group.relay, RelayState::Absent);
                if !is_relayed {
                    calls.collect(&group.seats, seq);
                } else if let Some(relay) = group.call_relay() {
                    calls.push(relay);
                }
            }
            calls.collect(&seats.elsewhere, seq);
            calls.collect_threads(&seats.threads);
        }
        calls.make(seq);
    }

    /// Wakes the other threads that have something; called by each thread that was called.
    pub(super) fn pass_on_to_threads(&self) {
        let seq = self.tail.end().seq();
        let mut calls = Calls::default();
        calls.collect(&lock(&self.seats).threads, seq);
        calls.make(seq);
    }

    /// Gives a seat its place. True when a relay has to be spawned there.
    #[must_use]
    pub(super) fn join(&self, seat: &Arc<Seat>, place: Place) -> bool {
        lock(&self.seats).add(seat, place)
    }

    /// Takes a seat away from its place.
    pub(super) fn leave(&self, seat: &Arc<Seat>, place: Place) {
        let relay = lock(&self.seats).remove(seat, place);
        if let Some(relay) = relay {
            relay.wake();
        }
    }

    /// One pass of the relay of `place`, which wakes all or, when it is gentle, the next one, who then
    /// passes that on.
    pub(super) fn relay(&self, place: Place, waker: &Waker, is_gentle: bool) -> Pass {
        let mut calls = Calls::default();
        let (pass, seq);
        {
            let mut seats = lock(&self.seats);
            // Read under the lock: a publisher that finds the relay called leaves its number to it.
            seq = self.tail.end().seq();
            let group = seats.group(place);
            let is_needed = group.seats.len() > 1;
            let is_small = (2..=MOST_ONE_BY_ONE).contains(&group.seats.len());
            let goes_on = is_gentle && is_small && calls.collect_next(&group.seats, seq);
            self.is_passed_on.store(goes_on, Ordering::Relaxed);
            if !goes_on {
                calls.collect(&group.seats, seq);
            }
            group.passes_left = PASSES;
            group.relay = match is_needed {
                true => RelayState::Asleep(waker.clone()),
                false => RelayState::Absent,
            };
            pass = match (goes_on, is_needed) {
                (true, _) => Pass::More,
                (false, true) => Pass::Over,
                (false, false) => Pass::Last,
            };
            seats.prune();
        }
        calls.make(seq);
        pass
    }

    /// Wakes the next one at `place` or the relay, if that is still to be done; called by each
    /// subscriber that was woken. The relay looks after those that this does not reach.
    pub(super) fn pass_on(&self, place: Place) {
        let has_relay = !matches!(place, Place::Thread | Place::Elsewhere);
        if !has_relay || !self.is_passed_on.load(Ordering::Relaxed) {
            return;
        }
        let mut calls = Calls::default();
        let seq = self.tail.end().seq();
        {
            let mut seats = lock(&self.seats);
            let group = seats.group(place);
            pass_on_in(group, seq, &mut calls);
            seats.prune();
        }
        calls.make(seq);
    }

    /// Says that the relay of `place` is gone, and does what it was called for.
    pub(super) fn relay_is_gone(&self, place: Place) {
        let mut calls = Calls::default();
        let seq;
        {
            let mut seats = lock(&self.seats);
            seq = self.tail.end().seq();
            let group = seats.group(place);
            group.relay = RelayState::Absent;
            calls.collect(&group.seats, seq);
            seats.prune();
        }
        calls.make(seq);
    }
}

fn pass_on_in(group: &mut Group, seq: u64, calls: &mut Calls) {
    if group.passes_left > 0 {
        group.passes_left -= 1;
        calls.collect_next(&group.seats, seq);
    } else if group.seats.iter().any(|seat| seat.waits_for(seq))
        && let Some(relay) = group.call_relay()
    {
        calls.push(relay);
    }
}
