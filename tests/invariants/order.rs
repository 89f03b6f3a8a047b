//! The rules that speak of one event and of the states of the nodes when it comes.

use std::time::Duration;

use perennial::shutdown::plan::SUPERVISOR_TICK;
use perennial::shutdown::report::Outcome;
use perennial::supervisor::status::State;
use perennial::{EventKind, SubsystemEvent};
use tokio::time::Instant;

use crate::replay::{FIRST_ADDED, Node, Replay, is_alive, parent_of};
use crate::shape::Strategies;

impl Replay<'_> {
    pub(crate) fn starts(&mut self, node: &Node, event: &SubsystemEvent) {
        let path = event.path.as_str();
        self.require(
            self.began.is_none(),
            event,
            "a start after the shutdown began",
        );
        // Of one that was removed before the replay began it is not known.
        let is_unknown = node.last.0 == "nothing" && node.key < FIRST_ADDED;
        let is_next = is_unknown || event.incarnation == node.incarnation + 1;
        self.require(is_next, event, "an incarnation that does not follow");
        let lives_below = self
            .nodes
            .iter()
            .any(|(below, node)| below.starts_with(&format!("{path}/")) && is_alive(node.state));
        self.require(!lives_below, event, "a start over the living");
        let is_targeted = self.world.seen().targeted.contains(path);
        let waits = node.until.is_some_and(|until| event.at < until);
        self.require(
            is_targeted || !waits,
            event,
            "a start before its backoff is over",
        );
        let Some(above) = parent_of(path) else { return };
        let Some(parent) = self.nodes.get(above) else {
            return;
        };
        let is_up = matches!(parent.state, State::Starting | State::Running) && !parent.is_leaving;
        self.require(is_up, event, "a start below a supervisor that is not up");
        let siblings = self.siblings(path);
        let is_busy = |sibling: &&Node| matches!(sibling.state, State::Starting | State::Stopping);
        let is_alone = !siblings.iter().any(is_busy);
        let later_live = siblings
            .iter()
            .any(|sibling| sibling.key > node.key && is_alive(sibling.state));
        let is_its_turn = siblings.iter().all(|sibling| {
            sibling.was_up == (sibling.key < node.key) || sibling.key >= FIRST_ADDED
        });
        if !self.is_up(above) {
            self.require(is_its_turn && is_alone, event, "not its turn to start");
        } else if self.is_left_alone && self.strategy(above).is_some_and(Strategies::is_group) {
            self.require(
                is_alone && !later_live,
                event,
                "a group starts out of order",
            );
        }
    }

    pub(crate) fn is_asked_to_stop(
        &mut self,
        node: &Node,
        event: &SubsystemEvent,
        deadline: Instant,
    ) {
        let path = event.path.as_str();
        let mut above = parent_of(path);
        while let Some(ancestor) = above {
            let bound = self
                .nodes
                .get(ancestor)
                .filter(|node| node.state == State::Stopping)
                .and_then(|node| node.deadline);
            self.require(
                bound.is_none_or(|bound| deadline <= bound),
                event,
                "told a later instant than an ancestor",
            );
            above = parent_of(ancestor);
        }
        let bound = self.deadline_of_all(event.at);
        self.require(
            bound.is_none_or(|bound| deadline <= bound),
            event,
            "told a later instant than the whole tree",
        );
        let Some(above) = parent_of(path) else { return };
        let Some(parent) = self.nodes.get(above) else {
            return;
        };
        let leaves = parent.is_leaving || parent.state == State::Stopping || self.began.is_some();
        // Once its time is over there is no more order to keep; also when that is at this instant.
        let own = parent.deadline.filter(|_| parent.state == State::Stopping);
        let of_all = self.deadline_of_all(event.at + Duration::from_nanos(1));
        let is_over = |deadline: Option<Instant>| {
            deadline.is_some_and(|deadline| event.at + SUPERVISOR_TICK >= deadline)
        };
        let is_out_of_time = is_over(own) || is_over(of_all);
        if (!leaves && !self.is_left_alone)
            || self.strategy(above) == Some(Strategies::Dynamic)
            || is_out_of_time
            || self.is_tightened()
        {
            return;
        }
        let later = self
            .siblings(path)
            .iter()
            .any(|sibling| sibling.key > node.key && is_alive(sibling.state));
        self.require(!later, event, "asked to stop before a later sibling has");
    }
}

/// Tells whether an event may follow what a node's events say of it so far.
pub(crate) fn is_legal(node: &Node, kind: &EventKind, is_root: bool) -> bool {
    let (state, last) = (node.state, node.last.0);
    match kind {
        EventKind::Starting => matches!(
            state,
            State::Pending | State::Down | State::BackingOff | State::Quarantined
        ),
        EventKind::Started | EventKind::StartFailed { .. } => state == State::Starting,
        EventKind::Restarted { .. } => last == "started",
        EventKind::Exited { .. } | EventKind::Stable { .. } => state == State::Running,
        EventKind::BackingOff { .. } | EventKind::Quarantined => {
            state == State::Down && matches!(last, "exited" | "start_failed" | "snapshot")
        }
        EventKind::StopRequested { .. } => matches!(state, State::Starting | State::Running),
        EventKind::Stopped {
            outcome: Outcome::AlreadyDown,
            ..
        } => {
            matches!(state, State::BackingOff | State::Quarantined)
        }
        EventKind::Stopped { .. } if is_root => last == "exited",
        EventKind::Stopped { .. } => is_alive(state),
        EventKind::Meltdown => matches!(state, State::Starting | State::Running | State::Stopping),
        EventKind::ShutdownBegan { .. } | EventKind::ShutdownEnded { .. } => is_root,
        _ => false,
    }
}
