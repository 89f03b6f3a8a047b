//! Writes the series of one scrape from what was read of a tree.
//!
//! A declared child has series of its own. A child that was added while its supervisor ran, and
//! everything below it, counts for that supervisor: as a number of children in each state, a sum of
//! mailboxes and of messages, and restarts. So do the children of a supervisor that was declared with
//! more than [`MOST_CHILDREN`].

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::names;
use super::remembered::{Remembered, Restarts};
use super::scrape::Scrape;
use crate::bus::BusStatistics;
use crate::child::Kind;
use crate::exit::Exit;
use crate::handle::durations::HandlerDurations;
use crate::health::Health;
use crate::path::Path;
use crate::supervisor::status::{NodeStatus, State};
use crate::tree::Snapshot;

/// How many children of one supervisor have series of their own: about 30 series each, of which a
/// scraper takes some ten thousand in a second.
pub const MOST_CHILDREN: usize = 250;

/// How many subscribers of the bus have series of their own; the names are the program's.
pub const MOST_SUBSCRIBERS: usize = 100;

/// Where the subscribers are summed up that have none.
const OTHER_SUBSCRIBERS: &str = "others";

/// The series of one scrape.
pub(super) struct Series<'a> {
    scrape: &'a mut Scrape,
    remembered: &'a mut Remembered,
    /// When the tree was read.
    at: Instant,
    seen: HashMap<Path, Restarts>,
    hung: usize,
    /// Every node that has series of its own, with what it took for its messages.
    shown: Vec<(Path, Option<Box<HandlerDurations>>)>,
}

/// What the added children of one supervisor come to.
#[derive(Default)]
struct Sum {
    states: [usize; State::ALL.len()],
    mailboxes: Mailboxes,
    backoff: Duration,
    stuck_now: usize,
    stuck: u64,
}

/// What one mailbox, or several together, come to.
#[derive(Default)]
struct Mailboxes {
    /// `None` where there is none.
    depth: Option<usize>,
    oldest: Duration,
    lost: u64,
    rejected: u64,
    handled: u64,
    durations: Option<Box<HandlerDurations>>,
}

impl Mailboxes {
    fn add(&mut self, node: &NodeStatus) {
        if let Some(depth) = node.mailbox_depth {
            *self.depth.get_or_insert_default() += depth;
        }
        self.oldest = self.oldest.max(node.mailbox_oldest.unwrap_or_default());
        self.lost += node.messages_lost;
        self.rejected += node.messages_rejected;
        self.handled += node.messages_handled;
        if let Some(durations) = &node.handler_durations {
            self.durations.get_or_insert_default().add(durations);
        }
    }
}

/// Tells which children of a node have series of their own.
pub(super) fn has_own_series(parent: &NodeStatus, child: &NodeStatus) -> bool {
    !child.is_dynamic && parent.children.len() <= MOST_CHILDREN
}

impl<'a> Series<'a> {
    pub(super) fn new(scrape: &'a mut Scrape, remembered: &'a mut Remembered, at: Instant) -> Self {
        Self {
            scrape,
            remembered,
            at,
            seen: HashMap::new(),
            hung: 0,
            shown: Vec::new(),
        }
    }

    /// Writes what is known of the tree and of this build; returns the nodes that have series of their
    /// own, with what they took for their messages.
    pub(super) fn tree(
        mut self,
        snapshot: &Snapshot,
    ) -> Vec<(Path, Option<Box<HandlerDurations>>)> {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        self.scrape.gauge(names::BUILD_INFO, &version, 1.0);
        self.node(&snapshot.root);
        self.remembered.last = std::mem::take(&mut self.seen);
        let dropped = self.remembered.dropped_durations;
        self.scrape
            .count(names::RESTART_DURATIONS_DROPPED, &[], dropped);
        self.scrape
            .count(names::TASKS_SPAWNED, &[], snapshot.runs_begun);
        self.scrape
            .count(names::TASKS_ABORTED, &[], snapshot.runs_killed);
        self.scrape.gauge(names::TASKS_HUNG, &[], as_f64(self.hung));
        self.shutdown(snapshot);
        self.shown
    }

    fn shutdown(&mut self, snapshot: &Snapshot) {
        let Some(progress) = snapshot.shutdown_progress else {
            return self.scrape.gauge(names::SHUTDOWN_BUDGET_USED, &[], 0.0);
        };
        let outcome = match (progress.ended, progress.has_hung) {
            (None, _) => "running",
            (Some(_), false) => "stopped",
            (Some(_), true) => "hung",
        };
        let taken = progress.taken().as_secs_f64();
        self.scrape
            .gauge(names::SHUTDOWN_DURATION, &[("outcome", outcome)], taken);
        let budget = progress.budget.as_secs_f64();
        // Without any budget it is used up at once.
        let used = if budget > 0.0 { taken / budget } else { 1.0 };
        self.scrape.gauge(names::SHUTDOWN_BUDGET_USED, &[], used);
    }

    fn node(&mut self, node: &NodeStatus) {
        let path = [("path", node.path.as_str())];
        self.state(node);
        self.hung += usize::from(node.state == State::Hung);
        let mut mailboxes = Mailboxes::default();
        mailboxes.add(node);
        let mut sum = None;
        for child in &node.children {
            if has_own_series(node, child) {
                self.node(child);
            } else {
                self.add(&node.path, child, sum.get_or_insert_default());
            }
        }
        let mut backoff = until_next_run(node, self.at);
        self.restarts(node);
        let (mut stuck, mut stuck_now) = (node.stuck, usize::from(node.stuck_in.is_some()));
        if let Some(sum) = sum {
            stuck += sum.stuck;
            stuck_now += sum.stuck_now;
            self.children(node.path.as_str(), &sum);
            backoff = backoff.max(sum.backoff);
            // A supervisor has no mailbox; what removed children counted stands with it.
            let of_removed = std::mem::replace(&mut mailboxes, sum.mailboxes);
            mailboxes.lost += of_removed.lost;
            mailboxes.rejected += of_removed.rejected;
            mailboxes.handled += of_removed.handled;
            if let Some(durations) = of_removed.durations {
                mailboxes.durations.get_or_insert_default().add(&durations);
            }
        }
        self.scrape
            .gauge(names::HANDLERS_STUCK, &path, as_f64(stuck_now));
        self.scrape.count(names::CHILD_STUCK, &path, stuck);
        self.scrape
            .gauge(names::BACKOFF, &path, backoff.as_secs_f64());
        self.mailboxes(node.path.as_str(), &mailboxes);
        self.shown.push((node.path.clone(), mailboxes.durations));
    }

    fn state(&mut self, node: &NodeStatus) {
        let path = node.path.as_str();
        let is_up = node.state == State::Running;
        self.scrape
            .gauge(names::CHILD_UP, &[("path", path)], one_if(is_up));
        for state in State::ALL {
            let labels = [("path", path), ("state", state.code())];
            self.scrape
                .gauge(names::CHILD_STATE, &labels, one_if(state == node.state));
        }
        let health = match &node.health {
            Health::Ok => 1.0,
            Health::Degraded(_) => 0.5,
            Health::Failed(_) => 0.0,
        };
        self.scrape
            .gauge(names::CHILD_HEALTH, &[("path", path)], health);
        if node.kind == Kind::Supervisor {
            let path = [("path", path)];
            let used = node.intensity_used.unwrap_or_default();
            self.scrape.gauge(names::RESTART_INTENSITY, &path, used);
            self.scrape.count(names::MELTDOWNS, &path, node.meltdowns);
            self.scrape
                .count(names::ESCALATIONS, &path, node.escalations);
        }
    }

    fn mailboxes(&mut self, path: &str, mailboxes: &Mailboxes) {
        if let Some(depth) = mailboxes.depth {
            let path = [("path", path)];
            self.scrape
                .gauge(names::MAILBOX_DEPTH, &path, as_f64(depth));
            let oldest = mailboxes.oldest.as_secs_f64();
            self.scrape.gauge(names::MAILBOX_OLDEST, &path, oldest);
        }
        let outcomes = [
            ("handled", mailboxes.handled),
            ("lost", mailboxes.lost),
            ("rejected", mailboxes.rejected),
        ];
        if mailboxes.depth.is_some() || outcomes.iter().any(|(_, count)| *count > 0) {
            for (outcome, count) in outcomes {
                let labels = [("path", path), ("outcome", outcome)];
                self.scrape.count(names::MESSAGES, &labels, count);
            }
        }
    }

    /// Adds an added child and everything below it to its supervisor's numbers.
    fn add(&mut self, supervisor: &Path, child: &NodeStatus, sum: &mut Sum) {
        if let Some(index) = State::ALL.iter().position(|state| *state == child.state) {
            sum.states[index] += 1;
        }
        child.visit(&mut |node| {
            sum.mailboxes.add(node);
            sum.stuck += node.stuck;
            sum.stuck_now += usize::from(node.stuck_in.is_some());
            sum.backoff = sum.backoff.max(until_next_run(node, self.at));
            self.hung += usize::from(node.state == State::Hung);
            if node.restart_count() > 0 {
                self.add_restarts(supervisor, node);
            }
        });
    }

    fn add_restarts(&mut self, supervisor: &Path, node: &NodeStatus) {
        self.remembered.add_restarts(supervisor, node);
        self.seen.insert(node.path.clone(), node.restarts);
    }

    fn restarts(&mut self, node: &NodeStatus) {
        let added = self.remembered.restarts_of_added(&node.path);
        for (index, reason) in Exit::CODES.iter().enumerate() {
            // Nought as well: a rate does not see the first of a series that was not there.
            let count = node.restarts[index] + added[index];
            let labels = [("path", node.path.as_str()), ("reason", *reason)];
            self.scrape.count(names::RESTARTS, &labels, count);
        }
    }

    fn children(&mut self, path: &str, sum: &Sum) {
        for (state, count) in State::ALL.iter().zip(sum.states) {
            let labels = [("path", path), ("state", state.code())];
            self.scrape.gauge(names::CHILDREN, &labels, as_f64(count));
        }
    }
}

/// Writes what is known of the bus. Subscribers of one name are summed up, those included that are gone.
pub(super) fn bus(scrape: &mut Scrape, bus: &BusStatistics, other_lagged: &mut u64) {
    scrape.count(names::BUS_PUBLISHED, &[], bus.published);
    scrape.count(names::BUS_NO_RECEIVERS, &[], bus.to_nobody);
    scrape.count(names::BUS_DROPPED, &[], bus.lost);
    let subscribers = as_f64(bus.subscribers.len());
    scrape.gauge(names::BUS_SUBSCRIBERS, &[], subscribers);
    // Those that are gone come first: what they have lost must not fall, nor go anywhere else.
    // One that is called as the rest is one of the rest, always, so that no counter falls.
    let gone = bus.lagged_by_gone.iter();
    let mut by_name: BTreeMap<&str, Lag> = gone
        .filter(|(name, _)| &***name != OTHER_SUBSCRIBERS)
        .take(MOST_SUBSCRIBERS)
        .map(|(name, lagged)| (&**name, Lag::of(*lagged)))
        .collect();
    let mut others = None;
    for subscriber in &bus.subscribers {
        let name = &*subscriber.name;
        let has_room = by_name.len() < MOST_SUBSCRIBERS && name != OTHER_SUBSCRIBERS;
        let lag = match by_name.contains_key(name) || has_room {
            true => by_name.entry(name).or_default(),
            false => others.get_or_insert_default(),
        };
        lag.lagged += subscriber.lagged;
        *lag.depth.get_or_insert_default() += subscriber.depth;
    }
    let named: u64 = by_name.values().map(|lag| lag.lagged).sum();
    // What is lost and no name's; a name that comes to a series of its own takes nothing away from it.
    *other_lagged = bus.lost.saturating_sub(named).max(*other_lagged);
    if others.is_some() || *other_lagged > 0 {
        others.get_or_insert_default().lagged = *other_lagged;
    }
    let others = others.map(|lag| (OTHER_SUBSCRIBERS, lag));
    for (name, lag) in by_name.into_iter().chain(others) {
        let name = [("subscriber", name)];
        scrape.count(names::BUS_LAGGED, &name, lag.lagged);
        if let Some(depth) = lag.depth {
            scrape.gauge(names::BUS_QUEUE_DEPTH, &name, depth as f64);
        }
    }
}

/// How far the subscribers of one name are behind, and what they have lost.
#[derive(Default)]
struct Lag {
    lagged: u64,
    /// `None` where all are gone.
    depth: Option<u64>,
}

impl Lag {
    /// Of those that are gone.
    fn of(lagged: u64) -> Self {
        let depth = None;
        Self { lagged, depth }
    }
}

fn until_next_run(node: &NodeStatus, now: Instant) -> Duration {
    let next = node.next_run;
    next.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
}

fn one_if(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// Turns a number of things in memory into a gauge; exact below 2⁵³.
fn as_f64(count: usize) -> f64 {
    count as f64
}
