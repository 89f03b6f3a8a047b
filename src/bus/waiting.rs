//! Who waits for the next value, and who wakes whom.
//!
//! Waking a task costs its waker up to tens of microseconds when a sleeping worker thread has to be
//! roused for it, and a publisher is often an actor with work to do. So the publisher wakes one task
//! for each runtime, the relay, which has the subscribers there woken. A single subscriber needs no
//! relay and is woken directly. A thread that waits is woken by the publisher and wakes the other threads
//! before it goes on: a thread that was parked certainly runs.
//!
//! A relay lives on the runtime of those it wakes: a runtime that is blocked or gone holds up nobody
//! else. It is spawned by the second subscriber that waits there and ends when fewer than two are left.
//! Who waits outside a tokio runtime, in another executor or behind a bell, is woken by the publisher.
//! On a runtime with one thread it is the same, only that nothing ever has to be roused there.
//!
//! # Invariants
//!
//! 1. A subscriber says for which number it waits, then sets `WAITING` in the tail and reads the last
//!    number with that same operation; a publisher writes the number and takes the flag with one
//!    operation. So one of the two sees the other, and no wake-up is lost.
//! 2. A waker that is taken out of a seat is woken.
//! 3. No foreign code, wakers and filters included, runs under the lock of the seats.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use super::seat::{Place, Seat};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

/// In the tail: somebody waits for a number beyond it.
const WAITING: u64 = 0b01;

/// In the tail: the last publisher is gone.
const CLOSED: u64 = 0b10;

/// The number of the last value stands above the flags.
const SEQ_SHIFT: u32 = 2;

/// How many subscribers are woken one by one at most. With more it is worth to rouse another worker,
/// and each look for the next one goes through all.
const MOST_ONE_BY_ONE: usize = 32;

/// A number that is greater than any published one: satisfies whoever waits.
const EVERYBODY: u64 = u64::MAX;

/// A value that shares its cache lines with nothing: 128 bytes, because processors fetch lines in
/// pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Apart<T>(pub(super) T);

/// The end of the bus as its subscribers see it, and the places where they wait.
pub(super) struct Waiting {
    tail: Apart<AtomicU64>,
    /// Whether a subscriber that was woken wakes the next one: see [`Waiting::pass_on`].
    is_passed_on: AtomicBool,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    groups: Vec<Group>,
    threads: Vec<Arc<Seat>>,
    elsewhere: Vec<Arc<Seat>>,
}

/// Those that wait on one runtime.
struct Group {
    place: Place,
    seats: Vec<Arc<Seat>>,
    relay: Relay,
}

/// The state of a group's relay.
enum Relay {
    /// There is none: the publisher wakes.
    Absent,
    /// It sleeps; its waker.
    Asleep(Waker),
    /// It will look at the seats after this.
    Called,
}

/// The last number and whether more can follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail(u64);

impl Tail {
    pub(super) fn seq(self) -> u64 {
        self.0 >> SEQ_SHIFT
    }

    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }
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

/// Who is to be woken once the lock is released.
#[derive(Default)]
struct Calls {
    /// The first apart, so that the usual case allocates nothing.
    first: Option<Waker>,
    more: Vec<Waker>,
    /// Those whose filter has to be asked.
    to_sift: Vec<Arc<Seat>>,
    /// Threads, of which the first that has something wakes the others.
    threads: Vec<Arc<Seat>>,
}

impl Calls {
    fn push(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    /// Takes the first without a filter who has something; true when another one follows.
    fn collect_next(&mut self, seats: &[Arc<Seat>], seq: u64) -> bool {
        let mut waiting = seats.iter().filter(|seat| seat.sieve.is_none());
        let first = waiting.by_ref().find_map(|seat| seat.claim(seq));
        first.into_iter().for_each(|waker| self.push(waker));
        waiting.any(|seat| seat.waits_for(seq))
    }

    fn collect(&mut self, seats: &[Arc<Seat>], seq: u64) {
        for seat in seats {
            if seat.sieve.is_some() && seq != EVERYBODY {
                self.to_sift.push(Arc::clone(seat));
            } else if let Some(waker) = seat.claim(seq) {
                self.push(waker);
            }
        }
    }
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            tail: Apart::default(),
            is_passed_on: AtomicBool::new(false),
            seats: Mutex::new(Seats::default()),
        }
    }

    /// Returns where the bus ends.
    pub(super) fn tail(&self) -> Tail {
        Tail(self.tail.0.load(Ordering::Acquire))
    }

    /// Moves the end to `seq`, under the publishers' lock; true when somebody has to be notified.
    pub(super) fn advance(&self, seq: u64) -> bool {
        let before = self.tail.0.swap(seq << SEQ_SHIFT, Ordering::AcqRel);
        before & WAITING != 0
    }

    /// Says that nothing follows, and wakes everybody.
    pub(super) fn close(&self) {
        self.tail.0.fetch_or(CLOSED, Ordering::AcqRel);
        let mut calls = Calls::default();
        {
            let mut seats = lock(&self.seats);
            for group in &mut seats.groups {
                calls.collect(&group.seats, EVERYBODY);
            }
            calls.collect(&seats.threads, EVERYBODY);
            calls.collect(&seats.elsewhere, EVERYBODY);
        }
        self.make(calls, EVERYBODY);
    }

    /// Wakes who waits for `seq` or less: the relays, or the subscribers where there is none.
    pub(super) fn notify(&self, seq: u64) {
        let mut calls = Calls::default();
        {
            let mut seats = lock(&self.seats);
            for group in &mut seats.groups {
                if let Group {
                    relay: Relay::Absent,
                    seats,
                    ..
                } = group
                {
                    calls.collect(seats, seq);
                } else if let [only] = &*group.seats {
                    calls.collect(std::slice::from_ref(only), seq);
                } else if let Relay::Asleep(waker) = group.call_relay() {
                    calls.push(waker);
                }
            }
            calls.collect(&seats.elsewhere, seq);
            calls.threads.extend(seats.threads.iter().cloned());
        }
        self.make(calls, seq);
    }

    /// Wakes the other threads that have something; called by each thread that was woken.
    pub(super) fn pass_on_to_threads(&self) {
        let seq = self.tail().seq();
        let mut calls = Calls::default();
        calls.collect(&lock(&self.seats).threads, seq);
        self.make(calls, seq);
    }

    /// Wakes, outside the lock.
    fn make(&self, calls: Calls, seq: u64) {
        let Calls {
            first,
            more,
            to_sift,
            threads,
        } = calls;
        first.into_iter().chain(more).for_each(Waker::wake);
        let sifted = to_sift.iter().filter_map(|seat| self.sift(seat));
        sifted.for_each(Waker::wake);
        let head = threads.iter().find_map(|seat| match seat.sieve {
            Some(_) => self.sift(seat),
            None => seat.claim(seq),
        });
        if let Some(head) = head {
            head.wake();
        }
    }

    /// Asks the filter of a sleeping subscriber, which sleeps on when there is nothing for it.
    fn sift(&self, seat: &Seat) -> Option<Waker> {
        let sieve = seat.sieve.as_ref()?;
        loop {
            let before = seat.wanted.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            let Some(wanted) = sieve.sift(self.tail().seq()) else {
                return seat.claim(EVERYBODY);
            };
            let moved =
                seat.wanted
                    .compare_exchange(before, wanted, Ordering::AcqRel, Ordering::Relaxed);
            if moved.is_err() {
                // It woke up by itself, or another thread has sifted for it.
                return None;
            }
            let tail = self.arm();
            if tail.is_closed() {
                return seat.claim(EVERYBODY);
            }
            if tail.seq() < wanted {
                return None;
            }
        }
    }

    /// Sets the flag that somebody waits, and says what was published by then.
    fn arm(&self) -> Tail {
        Tail(self.tail.0.fetch_or(WAITING, Ordering::AcqRel))
    }

    /// Waits in `seat` for the value `wanted`; false when it is there already or nothing follows.
    ///
    /// A reader can be ahead of the tail by the one value that is just being published, whose
    /// publisher would take the flag and not wake it. `settle` waits until that is done.
    pub(super) fn wait(
        &self,
        seat: &Seat,
        (waker, wanted): (&Waker, u64),
        settle: impl FnOnce(),
    ) -> bool {
        seat.sit(waker, wanted);
        let mut tail = self.arm();
        if tail.seq() + 1 < wanted {
            settle();
            tail = self.arm();
        }
        let waits = tail.seq() < wanted && !tail.is_closed();
        if !waits {
            seat.rise();
        }
        waits
    }

    /// Gives a seat its place. True when a relay has to be spawned there.
    #[must_use]
    pub(super) fn join(&self, seat: &Arc<Seat>, place: Place) -> bool {
        let mut seats = lock(&self.seats);
        let there = match place {
            Place::Thread => &mut seats.threads,
            Place::Elsewhere => &mut seats.elsewhere,
            _ => {
                let group = seats.group(place);
                group.seats.push(Arc::clone(seat));
                let is_needed = group.seats.len() > 1 && matches!(group.relay, Relay::Absent);
                if is_needed {
                    group.relay = Relay::Called;
                }
                return is_needed;
            }
        };
        there.push(Arc::clone(seat));
        false
    }

    /// Takes a seat away from its place.
    pub(super) fn leave(&self, seat: &Arc<Seat>, place: Place) {
        let without = |seats: &mut Vec<Arc<Seat>>| seats.retain(|other| !Arc::ptr_eq(other, seat));
        let mut called = None;
        {
            let mut seats = lock(&self.seats);
            match place {
                Place::Thread => without(&mut seats.threads),
                Place::Elsewhere => without(&mut seats.elsewhere),
                _ => {
                    let group = seats.group(place);
                    without(&mut group.seats);
                    if group.seats.len() < 2 {
                        // So that it ends.
                        called = Some(group.call_relay());
                    }
                    seats.prune();
                }
            }
        }
        if let Some(Relay::Asleep(waker)) = called {
            waker.wake();
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
            seq = self.tail().seq();
            let group = seats.group(place);
            let is_needed = group.seats.len() > 1;
            let is_small = (2..=MOST_ONE_BY_ONE).contains(&group.seats.len());
            if is_gentle && is_small && calls.collect_next(&group.seats, seq) {
                self.is_passed_on.store(true, Ordering::Relaxed);
                pass = Pass::More;
            } else {
                self.is_passed_on.store(false, Ordering::Relaxed);
                calls.collect(&group.seats, seq);
                (pass, group.relay) = match is_needed {
                    true => (Pass::Over, Relay::Asleep(waker.clone())),
                    false => (Pass::Last, Relay::Absent),
                };
            }
            seats.prune();
        }
        self.make(calls, seq);
        pass
    }

    /// Wakes the next one at `place`, if that is still to be done; called by each subscriber that was
    /// woken. The relay looks after those that this does not reach.
    pub(super) fn pass_on(&self, place: Place) {
        let has_relay = !matches!(place, Place::Thread | Place::Elsewhere);
        if !has_relay || !self.is_passed_on.load(Ordering::Relaxed) {
            return;
        }
        let mut calls = Calls::default();
        {
            let mut seats = lock(&self.seats);
            let seq = self.tail().seq();
            calls.collect_next(&seats.group(place).seats, seq);
        }
        self.make(calls, 0);
    }

    /// Says that the relay of `place` is gone, and does what it was called for.
    pub(super) fn relay_is_gone(&self, place: Place) {
        let mut calls = Calls::default();
        let seq;
        {
            let mut seats = lock(&self.seats);
            seq = self.tail().seq();
            let group = seats.group(place);
            group.relay = Relay::Absent;
            calls.collect(&group.seats, seq);
            seats.prune();
        }
        self.make(calls, seq);
    }
}

impl Seats {
    fn group(&mut self, place: Place) -> &mut Group {
        let known = self.groups.iter().position(|group| group.place == place);
        let index = known.unwrap_or_else(|| {
            self.groups.push(Group {
                place,
                seats: Vec::new(),
                relay: Relay::Absent,
            });
            self.groups.len() - 1
        });
        &mut self.groups[index]
    }

    fn prune(&mut self) {
        self.groups
            .retain(|group| !group.seats.is_empty() || !matches!(group.relay, Relay::Absent));
    }
}

impl Group {
    /// Has the relay called; `Asleep` holds the waker for that.
    fn call_relay(&mut self) -> Relay {
        match self.relay {
            Relay::Absent => Relay::Absent,
            _ => std::mem::replace(&mut self.relay, Relay::Called),
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}
