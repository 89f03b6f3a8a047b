//! Reads of a cell what others may know: the whole of it, what readiness needs, the past.

use std::sync::Arc;

use super::{Cell, Role};
use crate::handle::MailboxReading;
use crate::handle::durations::HandlerDurations;
use crate::health::{Need, OnFailed};
use crate::supervisor::past::Pressure;
#[cfg(feature = "daemon")]
use crate::supervisor::status::ChildCount;
use crate::supervisor::status::{NodeStatus, Outline, PastRun};
use crate::sync::lock;

/// What became of messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages {
    lost: u64,
    rejected: u64,
    handled: u64,
    durations: Option<Box<HandlerDurations>>,
}

impl Messages {
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.rejected += other.rejected;
        self.handled += other.handled;
        if let Some(durations) = other.durations {
            self.durations.get_or_insert_default().add(&durations);
        }
    }
}

impl From<MailboxReading> for Messages {
    fn from(reading: MailboxReading) -> Self {
        Self {
            lost: reading.lost,
            rejected: reading.rejected,
            handled: reading.handled,
            durations: reading.durations,
        }
    }
}

impl Role {
    fn need(&self) -> Need {
        let duty = self.duty.as_ref();
        duty.map(|duty| duty.need.clone()).unwrap_or_default()
    }

    fn on_failed(&self) -> OnFailed {
        let duty = self.duty.as_ref();
        duty.map(|duty| duty.on_failed).unwrap_or_default()
    }
}

impl Cell {
    /// Sums up the messages of this node and of everything below it.
    pub(super) fn messages(&self) -> Messages {
        let mut sum = Messages::default();
        if let Some(children) = &*lock(&self.children) {
            sum = children.removed();
            for child in children.present.values() {
                sum.add(child.messages());
            }
        }
        if let Some(mailbox) = &self.mailbox {
            sum.add(mailbox.read().into());
        }
        sum
    }

    /// Reads what readiness needs to know of this node and of what was declared below it; nothing below
    /// what the program can do without.
    pub(crate) fn outline(&self) -> Outline {
        let need = self.role.need();
        let declared: Vec<Arc<Self>> = match &*lock(&self.children) {
            Some(children) if need != Need::Optional => {
                let is_declared = |child: &&Arc<Self>| !lock(&child.facts).is_dynamic;
                children
                    .present
                    .values()
                    .filter(is_declared)
                    .cloned()
                    .collect()
            }
            _ => Vec::new(),
        };
        let facts = lock(&self.facts);
        let past = facts.past.as_deref();
        let duty = self.role.duty.as_deref();
        let is_awaited = duty.is_some_and(|duty| duty.unready_until_stable);
        let outline = Outline {
            path: self.path.clone(),
            need,
            on_failed: self.role.on_failed(),
            state: facts.state,
            restart: self.role.restart,
            last_exit: facts.last_run.as_deref().map(|run| run.exit.clone()),
            ended_by_itself: facts.ended_by_itself,
            health: past.map(|past| past.health.clone()).unwrap_or_default(),
            awaits_stable: is_awaited && facts.awaits_stable(),
            stuck_in: past.and_then(|past| past.stuck).map(|stuck| stuck.hook),
            children: Vec::new(),
        };
        drop(facts);
        Outline {
            children: declared.iter().map(|child| child.outline()).collect(),
            ..outline
        }
    }

    /// Reads this node and everything below it.
    pub(crate) fn read(&self) -> NodeStatus {
        let (mut status, children) = self.read_alone();
        status.children = children.iter().map(|child| child.read()).collect();
        status
    }

    /// Reads this node and its children, `most` of them, and nothing below these; counts them all.
    #[cfg(feature = "daemon")]
    pub(crate) fn read_level(&self, most: usize) -> (NodeStatus, ChildCount) {
        let (mut status, children) = self.read_alone();
        let shown = children.iter().take(most);
        status.children = shown.map(|child| child.read_alone().0).collect();
        let all = children.iter().map(|child| child.kind_and_state());
        (status, ChildCount::of(all))
    }

    /// Reads this node, and returns its children unread.
    fn read_alone(&self) -> (NodeStatus, Vec<Arc<Self>>) {
        let (children, removed, recently_ended, intensity_used) = match &*lock(&self.children) {
            Some(children) => {
                let present: Vec<_> = children.present.values().cloned().collect();
                let ended = children.ended.iter().cloned().collect();
                let used = children.pressure.as_ref().map(Pressure::used);
                (present, children.removed(), ended, used)
            }
            None => (Vec::new(), Messages::default(), Vec::new(), None),
        };
        let mailbox = self.mailbox.as_ref().map(|address| address.read());
        let (depth, oldest, capacity) = match &mailbox {
            Some(mailbox) => (Some(mailbox.depth), mailbox.oldest, Some(mailbox.capacity)),
            None => (None, None, None),
        };
        let messages = mailbox.map_or(removed, Messages::from);
        let duty = self.role.duty.as_deref();
        let is_awaited =
            duty.is_some_and(|duty| duty.unready_until_stable || duty.siblings_wait_until_stable);
        let facts = lock(&self.facts);
        let past = facts.past.as_deref();
        let status = NodeStatus {
            path: self.path.clone(),
            kind: self.role.kind,
            restart: self.role.restart,
            is_dynamic: facts.is_dynamic,
            state: facts.state,
            incarnation: facts.incarnation,
            since: facts.since,
            restarts: past.map(|past| past.restarts).unwrap_or_default(),
            last_exit: facts.last_run.as_deref().map(|run| run.exit.clone()),
            ended_by_itself: facts.ended_by_itself,
            mailbox_depth: depth,
            mailbox_oldest: oldest.map(|sent_at| sent_at.elapsed()),
            mailbox_capacity: capacity,
            messages_lost: messages.lost,
            messages_rejected: messages.rejected,
            messages_handled: messages.handled,
            handler_durations: messages.durations,
            next_run: past.and_then(|past| past.next_run),
            meltdowns: past.map_or(0, |past| past.meltdowns),
            escalations: past.map_or(0, |past| past.escalations),
            intensity_used,
            health: past.map(|past| past.health.clone()).unwrap_or_default(),
            need: self.role.need(),
            awaits_stable: is_awaited && facts.awaits_stable(),
            stuck_in: past.and_then(|past| past.stuck).map(|stuck| stuck.hook),
            stuck: u64::from(facts.stuck),
            last_seq: facts.last_seq,
            children: Vec::new(),
            recently_ended,
        };
        drop(facts);
        (status, children)
    }

    /// Returns this node's runs that have ended, the newest first, as far as they are kept.
    pub(crate) fn history(&self) -> Vec<PastRun> {
        let facts = lock(&self.facts);
        let past = facts.past.iter().flat_map(|past| past.runs.iter().rev());
        facts
            .last_run
            .iter()
            .chain(past)
            .map(|run| PastRun::clone(run))
            .collect()
    }
}
