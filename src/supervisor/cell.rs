//! What a tree's nodes are doing now: the truth behind every status.
//!
//! Each node has one `Cell`, kept by its supervisor's loop. The change of a state and its event are made
//! together, so that a snapshot and the events after it fit without a gap.
//!
//! # Invariants
//!
//! 1. Only the loop of a node's supervisor changes its state; when that loop is gone, the reaper, and of the
//!    root, which has no supervisor, the task that watches the tree. Others only add what changes no state:
//!    the watchdog what is stuck, a supervisor's own loop its meltdown, whoever shuts the tree down or
//!    announces something that happened to the program.
//! 2. A cell outlives the incarnations of its node, and of its supervisor: incarnations count on.
//! 3. Locks are taken from parent to child and never held while user code runs.

mod facts;
mod reading;
mod watched;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use tokio::time::Instant;

use self::facts::{Facts, ended_by, next_run_after, state_after};
use self::reading::Messages;
pub(crate) use self::watched::{Found, Watched};
use super::door::Door;
use super::past::Pressure;
use super::status::NodeStatus;
#[cfg(any(feature = "daemon", feature = "testkit"))]
use super::status::State;
use crate::bus::Pushed;
use crate::child::{Kind, Treatment};
use crate::context::Run;
use crate::event::{self, EventKind, Events, SubsystemEvent};
use crate::handle::AnyAddress;
use crate::health::{Duty, Health};
use crate::path::Path;
use crate::policy::intensity::Intensity;
use crate::policy::restart::Restart;
use crate::sync::{Mutex, lock};

/// A node's own status, as its supervisor's loop keeps it.
#[derive(Debug)]
pub(crate) struct Cell {
    path: Path,
    role: Role,
    facts: Mutex<Facts>,
    mailbox: Option<Arc<dyn AnyAddress>>,
    /// Absent until there are some: most nodes are leaves.
    children: Mutex<Option<Box<Children>>>,
    /// The present or the last run, for whoever looks at it or does something to it from outside.
    run: Mutex<Present>,
}

/// A run, and how its child is to be treated; supervisors say nothing of that.
#[derive(Debug, Default)]
struct Present {
    run: Weak<Run>,
    treatment: Option<Arc<Treatment>>,
}

/// What a node is, whatever it does.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) kind: Kind,
    pub(crate) restart: Restart,
    /// Absent where nothing was declared.
    pub(crate) duty: Option<Arc<Duty>>,
}

#[derive(Debug, Default)]
struct Children {
    /// In start order.
    present: BTreeMap<u64, Arc<Cell>>,
    /// Where the commands of those that are supervisors go in. Kept here and not in the child's own
    /// cell, which the door itself holds.
    doors: BTreeMap<u64, Arc<Door>>,
    /// Declared ones that were removed: they come back when their supervisor is restarted.
    absent: BTreeMap<u64, Arc<Cell>>,
    /// Removed ones as they were at last, the newest at the back.
    ended: VecDeque<NodeStatus>,
    /// What removed children have counted that do not come back.
    removed: Messages,
    /// The restarts that count against the supervisor's intensity.
    pressure: Option<Pressure>,
}

impl Children {
    /// Sums up what all removed children have counted; those that come back take theirs along.
    fn removed(&self) -> Messages {
        let mut sum = self.removed.clone();
        for child in self.absent.values() {
            sum.add(child.messages());
        }
        sum
    }
}

/// How many removed children of one supervisor stay visible.
///
/// Enough to see what the last connections of a busy listener died of, at about 300 bytes each.
const RECENTLY_ENDED_KEPT: usize = 32;

impl Cell {
    /// Makes the cell of a node that has not begun. The mailbox is where its messages go, the same for
    /// all its incarnations.
    pub(crate) fn new(path: Path, role: Role, mailbox: Option<Arc<dyn AnyAddress>>) -> Arc<Self> {
        Arc::new(Self {
            path,
            role,
            facts: Mutex::new(Facts::new()),
            mailbox,
            children: Mutex::default(),
            run: Mutex::default(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how the present run is.
    pub(crate) fn health(&self) -> Health {
        let facts = lock(&self.facts);
        let past = facts.past.as_deref();
        past.map(|past| past.health.clone()).unwrap_or_default()
    }

    pub(crate) fn incarnation(&self) -> u64 {
        lock(&self.facts).incarnation
    }

    /// Marks a child that was added while its supervisor ran.
    pub(crate) fn set_dynamic(&self) {
        lock(&self.facts).is_dynamic = true;
    }

    /// Returns the child's cell, made anew unless an earlier incarnation of this supervisor had it.
    pub(crate) fn child(&self, key: u64, make: impl FnOnce() -> Arc<Self>) -> Arc<Self> {
        let mut children = lock(&self.children);
        let children = children.get_or_insert_default();
        let cell = match children.absent.remove(&key) {
            Some(cell) => children.present.entry(key).or_insert(cell),
            None => children.present.entry(key).or_insert_with(make),
        };
        Arc::clone(cell)
    }

    /// Keeps where the commands of a child that is a supervisor go in.
    pub(crate) fn keep_door(&self, key: u64, door: &Arc<Door>) {
        let mut children = lock(&self.children);
        let children = children.get_or_insert_default();
        children.doors.insert(key, Arc::clone(door));
    }

    /// Removes a child; it stays visible among the recently ended.
    pub(crate) fn forget(&self, key: u64, is_declared: bool) {
        let mut children = lock(&self.children);
        let Some(children) = children.as_mut() else {
            return;
        };
        let Some(cell) = children.present.remove(&key) else {
            return;
        };
        children.doors.remove(&key);
        if children.ended.len() >= RECENTLY_ENDED_KEPT {
            children.ended.pop_front();
        }
        let mut last = cell.read();
        // Itself alone: what was below it ended with it.
        last.children = Vec::new();
        last.recently_ended = Vec::new();
        children.ended.push_back(last);
        match is_declared {
            true => drop(children.absent.insert(key, cell)),
            false => children.removed.add(cell.messages()),
        }
    }

    /// Forgets what an earlier incarnation of this supervisor added while it ran.
    pub(crate) fn forget_from(&self, first_key: u64) {
        let mut children = lock(&self.children);
        let Some(children) = children.as_mut() else {
            return;
        };
        drop(children.doors.split_off(&first_key));
        for child in children.present.split_off(&first_key).values() {
            children.removed.add(child.messages());
        }
    }

    /// Begins an incarnation.
    pub(crate) fn begin(&self, incarnation: u64) {
        lock(&self.facts).incarnation = incarnation;
    }

    /// Remembers the run that begins.
    pub(crate) fn set_run(&self, run: &Arc<Run>, treatment: Option<&Arc<Treatment>>) {
        let present = Present {
            run: Arc::downgrade(run),
            treatment: treatment.cloned(),
        };
        // Put in place first: the last run may go with what is replaced.
        let before = std::mem::replace(&mut *lock(&self.run), present);
        drop(before);
    }

    pub(crate) fn kind(&self) -> Kind {
        self.role.kind
    }

    /// Returns since when a worker has been at what it received, by the coarse clock.
    pub(crate) fn busy_since(&self) -> Option<u64> {
        self.mailbox.as_ref()?.busy_since()
    }

    /// Returns the present run.
    #[cfg(feature = "testkit")]
    pub(crate) fn present_run(&self) -> Option<Arc<Run>> {
        let run = lock(&self.run).run.upgrade();
        run.filter(|run| !run.is_over())
    }

    /// Returns what the node is, and what it is doing.
    #[cfg(any(feature = "daemon", feature = "testkit"))]
    pub(crate) fn kind_and_state(&self) -> (Kind, State) {
        (self.role.kind, lock(&self.facts).state)
    }

    /// Notes what happened to this node and publishes it.
    pub(crate) fn note(&self, events: &Events, kind: EventKind) {
        if let Some(pushed) = self.push(events, kind) {
            pushed.tell();
        }
    }

    /// Tells whether the end of the whole tree was told of; a root's.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.facts).is_over
    }

    /// The same, with who waits for it to be told by the caller, once that holds no lock. `None` when the
    /// tree is over.
    pub(crate) fn push<'a>(
        &self,
        events: &'a Events,
        kind: EventKind,
    ) -> Option<Pushed<'a, SubsystemEvent>> {
        let mut facts = lock(&self.facts);
        if facts.is_over {
            return None;
        }
        facts.is_over = matches!(kind, EventKind::ShutdownEnded { .. });
        facts.count(&kind);
        let (ended, next_run) = (ended_by(&kind), next_run_after(&kind));
        let state = state_after(&kind);
        let (pushed, at) = event::push(events, &self.path, facts.incarnation, kind);
        facts.last_seq = pushed.seq();
        if let Some((exit, uptime)) = ended {
            facts.end(exit, uptime, at);
        }
        if state.is_some() && (next_run.is_some() || facts.past.is_some()) {
            facts.past.get_or_insert_default().next_run = next_run;
        }
        if let Some(state) = state {
            facts.state = state;
            facts.since = at;
        }
        Some(pushed)
    }

    /// Says how many restarts of its children this supervisor accepts; none was counted yet.
    pub(crate) fn set_intensity(&self, intensity: Intensity) {
        let mut children = lock(&self.children);
        children.get_or_insert_default().pressure = Some(Pressure::new(intensity));
    }

    /// Counts a restart against the intensity.
    pub(crate) fn count_restart(&self, at: Instant) {
        if let Some(children) = &mut *lock(&self.children)
            && let Some(pressure) = &mut children.pressure
        {
            pressure.count(at);
        }
    }

    /// Finds a node at or below this one.
    pub(crate) fn find(self: &Arc<Self>, path: &str) -> Option<Arc<Self>> {
        if self.path == path {
            return Some(Arc::clone(self));
        }
        let leads_there = |child: &&Arc<Self>| {
            let rest = path.strip_prefix(child.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let child = {
            let children = lock(&self.children);
            let mut present = children
                .iter()
                .flat_map(|children| children.present.values());
            present.find(leads_there).cloned()
        };
        child?.find(path)
    }

    /// Finds where the commands of a supervisor below this one go in.
    pub(crate) fn find_door(self: &Arc<Self>, path: &str) -> Option<Arc<Door>> {
        let above = self.find(path.rsplit_once('/')?.0)?;
        let children = lock(&above.children);
        let children = children.as_ref()?;
        let (key, _) = children
            .present
            .iter()
            .find(|(_, cell)| cell.path == path)?;
        children.doors.get(key).cloned()
    }
}

#[cfg(test)]
mod tests;
