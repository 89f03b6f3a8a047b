//! What the watchdog reads of a cell and leaves there: which runs there are, and which of them is stuck.

use std::sync::Arc;

use super::Cell;
use crate::child::Treatment;
use crate::context::Run;
use crate::event::{self, EventKind, Events};
use crate::health::Health;
use crate::supervisor::past::StuckIn;
use crate::supervisor::status::State;
use crate::sync::lock;

/// What the watchdog found of a run that is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nobody knew.
    New,
    /// It is known to have blocked its thread, and awaits in the same hook now.
    NowAwaits,
    /// Nothing is new about it.
    Known,
}

/// A run that the watchdog may judge.
pub(crate) struct Watched {
    pub(crate) run: Arc<Run>,
    pub(crate) treatment: Arc<Treatment>,
}

impl Cell {
    fn watched(&self) -> Option<Watched> {
        let (run, treatment) = {
            let present = lock(&self.run);
            (present.run.upgrade(), present.treatment.clone())
        };
        let run = run.filter(|run| !run.is_over())?;
        Some(Watched {
            run,
            treatment: treatment?,
        })
    }

    /// Visits the runs of all leaves at or below this node, each with the node that counts for it: itself,
    /// or if it or anything above it was added, the one to which that was added.
    pub(crate) fn visit_watched(
        self: &Arc<Self>,
        added_to: Option<&Arc<Self>>,
        see: &mut impl FnMut(&Self, &Self, &Watched),
    ) {
        if let Some(watched) = self.watched() {
            see(self, added_to.unwrap_or(self), &watched);
        }
        let children: Vec<_> = match &*lock(&self.children) {
            Some(children) => children.present.values().cloned().collect(),
            None => return,
        };
        for child in children {
            let is_dynamic = lock(&child.facts).is_dynamic;
            child.visit_watched(added_to.or(is_dynamic.then_some(self)), see);
        }
    }

    /// Counts that a run of this node, or of one that was added below it, was stuck.
    pub(crate) fn count_stuck(&self) {
        lock(&self.facts).stuck += 1;
    }

    /// Notes that one run is not stuck; tells whether it was.
    pub(crate) fn goes_on(&self, incarnation: u64) -> bool {
        let mut facts = lock(&self.facts);
        let is_present = facts.incarnation == incarnation;
        let past = facts.past.as_mut().filter(|_| is_present);
        past.is_some_and(|past| past.stuck.take().is_some())
    }

    /// Tells whether the present run is well, as far as it says, a check found or the watchdog saw.
    pub(crate) fn is_well(&self) -> bool {
        let facts = lock(&self.facts);
        let past = facts.past.as_deref();
        past.is_none_or(|past| past.health == Health::Ok && past.stuck.is_none())
    }

    /// Notes that one run is stuck, since then by the coarse clock, and publishes it where it was not known.
    /// `None` if the run has ended, or another has begun since.
    pub(crate) fn note_stuck(
        &self,
        (incarnation, since): (u64, u64),
        events: &Events,
        kind: EventKind,
    ) -> Option<Found> {
        let mut facts = lock(&self.facts);
        let lives = matches!(
            facts.state,
            State::Starting | State::Running | State::Stopping
        );
        let is_present = lives && facts.incarnation == incarnation;
        let now = match kind {
            EventKind::Stuck {
                hook, is_blocking, ..
            } if is_present => StuckIn {
                hook,
                since,
                is_blocking,
            },
            _ => return None,
        };
        let known = facts.past.get_or_insert_default().stuck.replace(now);
        if let Some(before) = known.filter(|before| before.since == since) {
            return Some(match before.is_blocking && !now.is_blocking {
                true => Found::NowAwaits,
                false => Found::Known,
            });
        }
        let (pushed, _) = event::push(events, &self.path, incarnation, kind);
        facts.last_seq = pushed.seq();
        drop(facts);
        pushed.tell();
        Some(Found::New)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cell, Found};
    use crate::bus::Bus;
    use crate::child::Kind;
    use crate::event::EventKind;
    use crate::health::Health;
    use crate::path::Path;
    use crate::policy::restart::Restart;
    use crate::supervisor::cell::Role;

    #[tokio::test(start_paused = true)]
    async fn a_run_is_not_well_while_it_is_stuck_or_says_so_and_another_begins_well() {
        let role = Role {
            kind: Kind::Actor,
            restart: Restart::Permanent,
            duty: None,
        };
        let cell = Cell::new(Path::root("app").join("child"), role, None);
        let events = Bus::new(16);
        let stuck_and = |is_blocking| EventKind::Stuck {
            hook: "handle",
            lasted: Duration::from_secs(10),
            is_blocking,
        };
        let stuck = || stuck_and(false);
        cell.begin(1);
        cell.note(&events, EventKind::Starting);
        cell.note(&events, EventKind::Started);
        assert!(cell.is_well() && !cell.goes_on(1), "it never was");
        assert_eq!(cell.note_stuck((1, 7), &events, stuck()), Some(Found::New));
        assert_eq!(cell.read().stuck_in, Some("handle"));
        assert_eq!(
            cell.note_stuck((1, 7), &events, stuck()),
            Some(Found::Known)
        );
        // Another message.
        let of_another = [true, true, false, false, true]
            .map(|is_blocking| cell.note_stuck((1, 9), &events, stuck_and(is_blocking)));
        let expected = [
            Found::New,
            Found::Known,
            Found::NowAwaits,
            Found::Known,
            Found::Known,
        ];
        assert_eq!(of_another, expected.map(Some));
        assert!(!cell.is_well() && !cell.goes_on(2), "that is another run");
        assert!(cell.goes_on(1) && cell.is_well() && !cell.goes_on(1));
        let health = Health::Degraded("slow".into());
        cell.note(&events, EventKind::HealthChanged { health });
        assert!(!cell.is_well());
        assert_eq!(cell.note_stuck((1, 11), &events, stuck()), Some(Found::New));
        cell.begin(2);
        cell.note(&events, EventKind::Starting);
        assert!(cell.is_well() && cell.read().stuck_in.is_none());
        assert_eq!(
            cell.note_stuck((1, 13), &events, stuck()),
            None,
            "it came too late"
        );
        assert!(cell.is_well());
    }
}
