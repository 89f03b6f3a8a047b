//! Replays the events of a tree, and checks each against what is known by then.
//!
//! The rules that speak of one event and the states of the nodes when it comes:
//!
//! 1. `seq` has no holes, and `at` never goes back.
//! 2. Each node's events come in a legal order, and speak of its present incarnation; incarnations
//!    count on.
//! 3. Nothing starts after the shutdown began, below a supervisor that is not up, while anything of
//!    the run before lives, or before its backoff is over.
//! 4. A supervisor's first starts follow the declaration, one at a time.
//! 5. A child is asked to stop only when no later sibling lives, and told no later instant than any
//!    supervisor above it.
//! 6. The replayed states are those of a snapshot.

use std::collections::HashMap;

use perennial::shutdown::report::Outcome;
use perennial::supervisor::status::{NodeStatus, State};
use perennial::tree::Snapshot;
use perennial::{EventKind, Exit, SubsystemEvent};
use tokio::time::Instant;

use crate::grow::name_of;
use crate::order::is_legal;
use crate::shape::{Shape, Strategies};
use crate::world::{Spec, World};

/// Where the children that are added stand in the order: after all that are declared.
pub(crate) const FIRST_ADDED: u64 = 1_000_000;

/// One node, as the events tell.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) state: State,
    pub(crate) incarnation: u64,
    pub(crate) last_seq: u64,
    pub(crate) since: Instant,
    /// The kind of its last event, and the exit in it.
    pub(crate) last: (&'static str, Option<Exit>),
    /// When its backoff is over.
    pub(crate) until: Option<Instant>,
    /// By when it must have stopped.
    pub(crate) deadline: Option<Instant>,
    /// Its place among its siblings.
    pub(crate) key: u64,
    /// It was up in this run of its supervisor.
    pub(crate) was_up: bool,
    /// A supervisor that gave up, or whose own start failed: it stops its children.
    pub(crate) is_leaving: bool,
}

/// All events of one tree, and what they come to.
pub(crate) struct Replay<'a> {
    pub(crate) world: &'a World,
    pub(crate) is_left_alone: bool,
    pub(crate) seq: u64,
    pub(crate) events: Vec<SubsystemEvent>,
    pub(crate) nodes: HashMap<String, Node>,
    pub(crate) began: Option<Instant>,
    /// Supervisors that may have been stopping their children when the replay began.
    pub(crate) doubtful: Vec<String>,
    /// Supervisors that were starting then, in a later run than their first, and which of their
    /// children had been up by then.
    pub(crate) starting: HashMap<String, Vec<String>>,
    pub(crate) broken: Vec<String>,
}

impl<'a> Replay<'a> {
    /// Begins after a snapshot.
    pub(crate) fn after(snapshot: &Snapshot, world: &'a World, is_left_alone: bool) -> Self {
        let mut new = Self {
            world,
            is_left_alone,
            seq: snapshot.from_seq,
            events: Vec::new(),
            nodes: HashMap::new(),
            began: None,
            doubtful: Vec::new(),
            starting: HashMap::new(),
            broken: Vec::new(),
        };
        let mut added = FIRST_ADDED;
        snapshot.root.visit(&mut |status| {
            // In the order of the snapshot, before all that will be added later.
            added += 1;
            let node = Node {
                state: status.state,
                incarnation: status.incarnation,
                last_seq: status.last_seq,
                since: status.since,
                last: ("snapshot", status.last_exit.clone()),
                until: None,
                deadline: None,
                key: new.key_of(status.path.as_str(), added),
                was_up: true,
                is_leaving: false,
            };
            new.nodes.insert(status.path.to_string(), node);
            let ends = |child: &NodeStatus| {
                !matches!(
                    child.state,
                    State::Running | State::Starting | State::BackingOff
                )
            };
            if status.children.iter().any(ends) {
                new.doubtful.push(status.path.to_string());
            }
            if status.state == State::Starting {
                let begun =
                    |child: &&NodeStatus| !matches!(child.state, State::Pending | State::Starting);
                let up = status.children.iter().filter(begun);
                let up = up.map(|child| child.path.to_string()).collect();
                new.starting.insert(status.path.to_string(), up);
            }
        });
        new.remember_the_removed(snapshot.at);
        new
    }

    /// Declared children of supervisors that are up, but gone: temporary ones, whose run is over.
    fn remember_the_removed(&mut self, now: Instant) {
        let mut gone = Vec::new();
        for (path, node) in &self.nodes {
            if let (State::Running, Some(Shape::Branch(branch))) =
                (node.state, self.spec(path).map(|spec| spec.shape))
            {
                let declared =
                    (branch.strategy != Strategies::Dynamic).then_some(branch.children.len());
                gone.extend(
                    (0..declared.unwrap_or(0))
                        .map(|index| (format!("{path}/c{index}"), index as u64)),
                );
            }
        }
        for (path, key) in gone {
            let node = Node {
                was_up: true,
                ..Node::new(key, now)
            };
            self.nodes.entry(path).or_insert(node);
        }
    }

    pub(crate) fn see(&mut self, event: SubsystemEvent) {
        let path = event.path.to_string();
        let before = self.events.last().map_or(event.at, |last| last.at);
        self.require(event.seq == self.seq + 1, &event, "a hole in the sequence");
        self.require(event.at >= before, &event, "time goes back");
        let is_over = self
            .events
            .last()
            .is_some_and(|last| last.kind.code() == "shutdown_ended");
        self.require(!is_over, &event, "after the last event");
        self.seq = event.seq;
        let mut node = self.node(&path, &event);
        self.require(
            is_legal(&node, &event.kind, path == "/app"),
            &event,
            "not after what was before",
        );
        match &event.kind {
            EventKind::Starting => self.starts(&node, &event),
            EventKind::StopRequested { deadline } => {
                self.is_asked_to_stop(&node, &event, *deadline)
            }
            EventKind::ShutdownBegan { .. } => self.began = Some(event.at),
            _ => {}
        }
        if event.kind.code() != "starting" {
            let is_present = event.incarnation == node.incarnation;
            self.require(is_present, &event, "of a run that is not the present one");
        }
        self.advance(&path, &mut node, &event);
        self.nodes.insert(path, node);
        self.events.push(event);
    }

    pub(crate) fn require(&mut self, holds: bool, event: &SubsystemEvent, otherwise: &str) {
        if !holds {
            let state = self
                .nodes
                .get(event.path.as_str())
                .map(|node| (node.state, node.last.0));
            self.broken
                .push(format!("{otherwise}: {event:?}, which was {state:?}"));
        }
    }

    fn node(&self, path: &str, event: &SubsystemEvent) -> Node {
        let new = || Node::new(self.key_of(path, FIRST_ADDED * 2 + event.seq), event.at);
        let is_added = self.spec(path).is_none_or(|spec| spec.is_added);
        match self.nodes.get(path) {
            // Removed, and added again under the same name.
            Some(_) if event.incarnation == 1 && is_added && event.kind == EventKind::Starting => {
                new()
            }
            Some(node) => node.clone(),
            None => new(),
        }
    }

    /// Changes the states as an event says.
    fn advance(&mut self, path: &str, node: &mut Node, event: &SubsystemEvent) {
        let mut exit = None;
        let state = match &event.kind {
            EventKind::Starting => {
                node.incarnation = event.incarnation;
                node.is_leaving = false;
                self.forget_runs_below(path);
                State::Starting
            }
            EventKind::Started => {
                node.was_up = true;
                State::Running
            }
            EventKind::Exited { exit: how, .. } | EventKind::StartFailed { exit: how } => {
                exit = Some(how.clone());
                if event.kind.code() == "start_failed" {
                    self.a_first_start_failed(path, node);
                }
                State::Down
            }
            EventKind::BackingOff { until, .. } => {
                node.until = Some(*until);
                State::BackingOff
            }
            EventKind::Quarantined => State::Quarantined,
            EventKind::StopRequested { deadline } => {
                node.deadline = Some(*deadline);
                State::Stopping
            }
            EventKind::Stopped { outcome, .. } if *outcome == Outcome::Hung => State::Hung,
            EventKind::Stopped { .. } => State::Down,
            EventKind::Meltdown => {
                node.is_leaving = true;
                node.state
            }
            _ => node.state,
        };
        if state != node.state || event.kind == EventKind::Starting {
            node.since = event.at;
        }
        if state != State::BackingOff {
            node.until = None;
        }
        node.state = state;
        node.last = (event.kind.code(), exit);
        node.last_seq = event.seq;
    }

    /// A supervisor begins anew: its children have not been up in this run of it.
    fn forget_runs_below(&mut self, path: &str) {
        for (below, node) in &mut self.nodes {
            if parent_of(below) == Some(path) {
                node.was_up = false;
                node.until = None;
            }
        }
    }

    /// A declared child whose first start fails takes its supervisor along.
    fn a_first_start_failed(&mut self, path: &str, node: &Node) {
        let is_added = self.spec(path).is_none_or(|spec| spec.is_added);
        if !node.was_up
            && !is_added
            && let Some(above) = parent_of(path).and_then(|above| self.nodes.get_mut(above))
        {
            above.is_leaving = true;
        }
    }

    /// Tells whether a supervisor, or one above it, may have been stopping its children when the
    /// replay began: a meltdown is an event, not a state.
    pub(crate) fn is_doubtful(&self, path: &str) -> bool {
        let is_above = |other: &String| format!("{path}/").starts_with(&format!("{other}/"));
        self.doubtful.iter().any(is_above)
    }

    /// Returns by when the whole tree must have ended, of what was asked before `now`.
    pub(crate) fn deadline_of_all(&self, now: Instant) -> Option<Instant> {
        let seen = self.world.seen();
        let asked = seen.shutdowns.iter().filter(|(at, _)| *at < now);
        asked.map(|(_, deadline)| *deadline).min()
    }

    /// Tells whether a later shutdown took time away that an earlier one had given.
    pub(crate) fn is_tightened(&self) -> bool {
        let seen = self.world.seen();
        let first = seen.shutdowns.first().map(|(_, deadline)| *deadline);
        seen.shutdowns
            .iter()
            .any(|(_, deadline)| Some(*deadline) < first)
    }

    pub(crate) fn siblings(&self, path: &str) -> Vec<&Node> {
        let above = parent_of(path);
        let is_sibling = |other: &str| other != path && parent_of(other) == above;
        let others = self.nodes.iter().filter(|(other, _)| is_sibling(other));
        others.map(|(_, node)| node).collect()
    }

    /// Tells whether every declared child of a supervisor was up in its present run.
    pub(crate) fn is_up(&self, path: &str) -> bool {
        let Some(Spec {
            shape: Shape::Branch(branch),
            ..
        }) = self.spec(path)
        else {
            return false;
        };
        branch.strategy == Strategies::Dynamic
            || (0..branch.children.len()).all(|index| {
                self.nodes
                    .get(&format!("{path}/c{index}"))
                    .is_some_and(|node| node.was_up)
            })
    }

    /// Returns a node's place among its siblings.
    pub(crate) fn key_of(&self, path: &str, as_added: u64) -> u64 {
        let is_added = self.spec(path).is_none_or(|spec| spec.is_added);
        let number = name_of(path).strip_prefix('c').filter(|_| !is_added);
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or(as_added)
    }

    pub(crate) fn spec(&self, path: &str) -> Option<Spec> {
        self.world.seen().specs.get(path).cloned()
    }

    pub(crate) fn strategy(&self, path: &str) -> Option<Strategies> {
        match self.spec(path)?.shape {
            Shape::Branch(branch) => Some(branch.strategy),
            Shape::Leaf(_) => None,
        }
    }
}

impl Node {
    fn new(key: u64, since: Instant) -> Self {
        Self {
            state: State::Pending,
            incarnation: 0,
            last_seq: 0,
            since,
            last: ("nothing", None),
            until: None,
            deadline: None,
            key,
            was_up: false,
            is_leaving: false,
        }
    }
}

pub(crate) fn is_alive(state: State) -> bool {
    matches!(state, State::Starting | State::Running | State::Stopping)
}

/// Returns a node's supervisor; none for the root.
pub(crate) fn parent_of(path: &str) -> Option<&str> {
    path.rsplit_once('/')
        .map(|(above, _)| above)
        .filter(|above| !above.is_empty())
}
