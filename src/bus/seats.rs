//! Who waits, by the place where they do.

use std::sync::Arc;
use std::task::Waker;

use super::seat::{Place, Seat};

/// All seats that are taken; what the lock of the seats protects.
#[derive(Default)]
pub(super) struct Seats {
    pub(super) groups: Vec<Group>,
    pub(super) threads: Vec<Arc<Seat>>,
    pub(super) elsewhere: Vec<Arc<Seat>>,
}

/// Those that wait on one runtime.
pub(super) struct Group {
    place: Place,
    pub(super) seats: Vec<Arc<Seat>>,
    pub(super) relay: RelayState,
    /// How many subscribers wake the next one before one of them calls the relay again.
    pub(super) passes_left: u32,
}

/// The state of a group's relay.
pub(super) enum RelayState {
    /// There is none: the publisher wakes.
    Absent,
    /// It sleeps, or waits for its next turn; its waker.
    Asleep(Waker),
    /// It will look at the seats after this.
    Called,
}

impl Seats {
    /// Adds a seat. True when a relay has to be spawned there.
    pub(super) fn add(&mut self, seat: &Arc<Seat>, place: Place) -> bool {
        let there = match place {
            Place::Thread => &mut self.threads,
            Place::Elsewhere => &mut self.elsewhere,
            _ => return self.group(place).add(seat),
        };
        there.push(Arc::clone(seat));
        false
    }

    /// Removes a seat, and returns the waker of a relay that may have to end.
    pub(super) fn remove(&mut self, seat: &Arc<Seat>, place: Place) -> Option<Waker> {
        let without = |seats: &mut Vec<Arc<Seat>>| seats.retain(|other| !Arc::ptr_eq(other, seat));
        match place {
            Place::Thread => without(&mut self.threads),
            Place::Elsewhere => without(&mut self.elsewhere),
            _ => {
                let group = self.group(place);
                without(&mut group.seats);
                let is_to_end = group.seats.len() < 2;
                let called = is_to_end.then(|| group.call_relay()).flatten();
                self.prune();
                return called;
            }
        }
        None
    }

    /// Returns the group of a place, a new one where there is none.
    pub(super) fn group(&mut self, place: Place) -> &mut Group {
        let known = self.groups.iter().position(|group| group.place == place);
        let index = known.unwrap_or_else(|| {
            self.groups.push(Group {
                place,
                seats: Vec::new(),
                relay: RelayState::Absent,
                passes_left: 0,
            });
            self.groups.len() - 1
        });
        &mut self.groups[index]
    }

    /// Forgets the groups in which nothing is left.
    pub(super) fn prune(&mut self) {
        self.groups
            .retain(|group| !group.seats.is_empty() || !matches!(group.relay, RelayState::Absent));
    }
}

impl Group {
    fn add(&mut self, seat: &Arc<Seat>) -> bool {
        self.seats.push(Arc::clone(seat));
        let is_needed = self.seats.len() > 1 && matches!(self.relay, RelayState::Absent);
        if is_needed {
            self.relay = RelayState::Called;
        }
        is_needed
    }

    /// Has the relay called: by the waker that is returned, unless it is called or there is none.
    pub(super) fn call_relay(&mut self) -> Option<Waker> {
        match std::mem::replace(&mut self.relay, RelayState::Called) {
            RelayState::Asleep(waker) => Some(waker),
            RelayState::Called => None,
            RelayState::Absent => {
                self.relay = RelayState::Absent;
                None
            }
        }
    }
}
