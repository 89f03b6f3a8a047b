//! Who holds a connection, and who has to make room: plain state.
//!
//! A client that has sent no request yet costs a place and wants nothing, so the oldest of these makes
//! room for whoever comes; a flood of idle connections then keeps nobody out. What is being answered is
//! not interrupted; when that fills all places but the last few, those serve probes alone, and tersely:
//! what is short is sent whether its client reads or not, so that nobody can hold these places.

use std::collections::BTreeMap;

/// How many connections are open at once; more wait in the listener's queue. A scraper, a probe and a
/// person need three.
const MAX_CONNECTIONS: usize = 64;

/// How many of them are kept for probes: one for each of three, and one that is just closing.
const KEPT_FOR_PROBES: usize = 4;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has asked for nothing yet.
    Idle,
    /// Its request is being answered, once, and then it closes.
    Answered,
}

/// How the next connection is to be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// There is room.
    Open,
    /// There is room once this one, the oldest idle one, has been closed.
    Instead(u64),
    /// There is room for a probe.
    Probes,
    /// There is none.
    Full,
}

impl Admission {
    /// Tells whether a connection that comes now is served probes alone. It may come although there is
    /// no room: what was idle, and would have made some, can be answered between a look and the accept.
    pub(super) fn is_for_probes(self) -> bool {
        matches!(self, Self::Probes | Self::Full)
    }
}

/// All open connections, by their number; `T` is what closes one.
#[derive(Debug)]
pub(super) struct Slots<T> {
    open: BTreeMap<u64, (Stage, T)>,
    next: u64,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<T> Slots<T> {
    /// Decides how the next connection is to be met.
    pub(super) fn admission(&self) -> Admission {
        if self.open.len() < MAX_CONNECTIONS - KEPT_FOR_PROBES {
            return Admission::Open;
        }
        let mut idle = self
            .open
            .iter()
            .filter(|(_, (stage, _))| *stage == Stage::Idle);
        match idle.next() {
            Some((oldest, _)) => Admission::Instead(*oldest),
            None if self.open.len() < MAX_CONNECTIONS => Admission::Probes,
            None => Admission::Full,
        }
    }

    /// Returns the number of the next connection.
    pub(super) fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn enter(&mut self, number: u64, closer: T) {
        self.open.insert(number, (Stage::Idle, closer));
    }

    pub(super) fn set_answered(&mut self, number: u64) {
        if let Some((stage, _)) = self.open.get_mut(&number) {
            *stage = Stage::Answered;
        }
    }

    /// Takes a connection out; returns what closes it, if it was still there.
    pub(super) fn leave(&mut self, number: u64) -> Option<T> {
        self.open.remove(&number).map(|(_, closer)| closer)
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, KEPT_FOR_PROBES, MAX_CONNECTIONS, Slots};

    fn enter(slots: &mut Slots<()>) -> u64 {
        let number = slots.next_number();
        slots.enter(number, ());
        number
    }

    #[test]
    fn the_oldest_idle_one_makes_room_and_those_that_are_answered_do_not() {
        let mut slots = Slots::default();
        let first = enter(&mut slots);
        for _ in 1..MAX_CONNECTIONS - KEPT_FOR_PROBES {
            assert_eq!(slots.admission(), Admission::Open);
            enter(&mut slots);
        }
        assert_eq!(slots.admission(), Admission::Instead(first));
        slots.set_answered(first);
        assert_eq!(slots.admission(), Admission::Instead(first + 1));
        slots.leave(first + 1);
        assert_eq!(slots.admission(), Admission::Open);
    }

    #[test]
    fn the_last_places_serve_probes_alone() {
        let mut slots = Slots::default();
        for _ in 0..MAX_CONNECTIONS - KEPT_FOR_PROBES {
            let number = enter(&mut slots);
            slots.set_answered(number);
        }
        for _ in 0..KEPT_FOR_PROBES {
            assert_eq!(slots.admission(), Admission::Probes);
            let number = enter(&mut slots);
            slots.set_answered(number);
        }
        assert_eq!(slots.admission(), Admission::Full);
        let all = [
            (Admission::Open, false),
            (Admission::Instead(1), false),
            (Admission::Probes, true),
            (Admission::Full, true),
        ];
        for (admission, is_for_probes) in all {
            assert_eq!(admission.is_for_probes(), is_for_probes, "{admission:?}");
        }
        slots.leave(3);
        assert_eq!(slots.admission(), Admission::Probes);
    }
}
