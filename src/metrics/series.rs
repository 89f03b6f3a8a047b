//! Writes the series of one scrape from what was read of a tree.
//!
//! A declared child has series of its own. A child that was added while its supervisor ran, and
//! everything below it, counts for that supervisor: as a number of children in each state, a sum of
//! mailboxes and of messages, and restarts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::names::{self, Name};
use crate::bus::BusStatistics;
use crate::exit::Exit;
use crate::path::Path;
use crate::supervisor::status::{NodeStatus, State};

/// Where our series say they come from; the exporter does not show it.
const METADATA: Metadata<'static> = Metadata::new("perennial", Level::INFO, None);

type Restarts = [u64; Exit::CODES.len()];

/// What is remembered between scrapes, so that counters do not fall when a child is removed.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// What each added child had counted at the last scrape; those without restarts are not kept.
    last: HashMap<Path, Restarts>,
    /// What all added children of a supervisor have counted, removed ones included.
    sums: HashMap<Path, Restarts>,
    /// How many latencies the tree could not keep.
    pub(super) dropped_durations: u64,
}

/// The series of one scrape.
pub(super) struct Series<'a> {
    recorder: &'a PrometheusRecorder,
    added: &'a mut Added,
    seen: HashMap<Path, Restarts>,
}

/// What the added children of one supervisor come to.
#[derive(Default)]
struct Sum {
    states: [usize; State::ALL.len()],
    mailboxes: Mailboxes,
}

/// What one mailbox, or several together, come to.
#[derive(Default)]
struct Mailboxes {
    /// `None` where there is none.
    depth: Option<usize>,
    oldest: Duration,
    lost: u64,
    rejected: u64,
}

impl Mailboxes {
    fn add(&mut self, node: &NodeStatus) {
        if let Some(depth) = node.mailbox_depth {
            *self.depth.get_or_insert_default() += depth;
        }
        self.oldest = self.oldest.max(node.mailbox_oldest.unwrap_or_default());
        self.lost += node.messages_lost;
        self.rejected += node.messages_rejected;
    }
}

impl<'a> Series<'a> {
    pub(super) fn new(recorder: &'a PrometheusRecorder, added: &'a mut Added) -> Self {
        Self {
            recorder,
            added,
            seen: HashMap::new(),
        }
    }

    /// Writes what is known of the tree and of this build.
    pub(super) fn tree(&mut self, root: &NodeStatus) {
        self.gauge(
            names::BUILD_INFO,
            &[("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        );
        self.node(root);
        self.added.last = std::mem::take(&mut self.seen);
        self.count(
            names::RESTART_DURATIONS_DROPPED,
            &[],
            self.added.dropped_durations,
        );
    }

    /// Writes what is known of the bus. Subscribers of one name are summed up.
    pub(super) fn bus(&self, bus: &BusStatistics) {
        self.count(names::BUS_PUBLISHED, &[], bus.published);
        self.count(names::BUS_NO_RECEIVERS, &[], bus.to_nobody);
        self.gauge(names::BUS_SUBSCRIBERS, &[], as_f64(bus.subscribers.len()));
        let mut by_name: HashMap<&str, (u64, u64)> = HashMap::new();
        for subscriber in &bus.subscribers {
            let (lagged, depth) = by_name.entry(&subscriber.name).or_default();
            *lagged += subscriber.lagged;
            *depth += subscriber.depth;
        }
        for (name, (lagged, depth)) in by_name {
            self.count(names::BUS_LAGGED, &[("subscriber", name)], lagged);
            self.gauge(
                names::BUS_QUEUE_DEPTH,
                &[("subscriber", name)],
                depth as f64,
            );
        }
    }

    fn node(&mut self, node: &NodeStatus) {
        let path = node.path.as_str();
        let is_up = node.state == State::Running;
        self.gauge(
            names::CHILD_UP,
            &[("path", path)],
            f64::from(u8::from(is_up)),
        );
        for state in State::ALL {
            let is_current = f64::from(u8::from(state == node.state));
            self.gauge(
                names::CHILD_STATE,
                &[("path", path), ("state", state.code())],
                is_current,
            );
        }
        let mut mailboxes = Mailboxes::default();
        mailboxes.add(node);
        let mut sum = None;
        for child in &node.children {
            if child.is_dynamic {
                self.add(&node.path, child, sum.get_or_insert_default());
            } else {
                self.node(child);
            }
        }
        self.restarts(node);
        if let Some(sum) = sum {
            self.children(path, &sum);
            // A supervisor has no mailbox; what removed children counted stands with it.
            mailboxes = Mailboxes {
                lost: mailboxes.lost + sum.mailboxes.lost,
                rejected: mailboxes.rejected + sum.mailboxes.rejected,
                ..sum.mailboxes
            };
        }
        self.mailboxes(path, &mailboxes);
    }

    fn mailboxes(&self, path: &str, mailboxes: &Mailboxes) {
        let path = [("path", path)];
        if let Some(depth) = mailboxes.depth {
            self.gauge(names::MAILBOX_DEPTH, &path, as_f64(depth));
            let oldest = mailboxes.oldest.as_secs_f64();
            self.gauge(names::MAILBOX_OLDEST, &path, oldest);
        }
        if mailboxes.depth.is_some() || mailboxes.lost > 0 || mailboxes.rejected > 0 {
            self.count(names::MESSAGES_LOST, &path, mailboxes.lost);
            self.count(names::MESSAGES_REJECTED, &path, mailboxes.rejected);
        }
    }

    /// Adds an added child and everything below it to its supervisor's numbers.
    fn add(&mut self, supervisor: &Path, child: &NodeStatus, sum: &mut Sum) {
        if let Some(index) = State::ALL.iter().position(|state| *state == child.state) {
            sum.states[index] += 1;
        }
        child.visit(&mut |node| {
            sum.mailboxes.add(node);
            if node.restart_count() > 0 {
                self.add_restarts(supervisor, node);
            }
        });
    }

    fn add_restarts(&mut self, supervisor: &Path, node: &NodeStatus) {
        let before = self.added.last.get(&node.path).copied().unwrap_or_default();
        let sums = self.added.sums.entry(supervisor.clone()).or_default();
        for (index, now) in node.restarts.iter().enumerate() {
            // Less than before: another child of the same name, which began at nought.
            sums[index] += now.checked_sub(before[index]).unwrap_or(*now);
        }
        self.seen.insert(node.path.clone(), node.restarts);
    }

    fn restarts(&self, node: &NodeStatus) {
        let added = self.added.sums.get(&node.path).copied().unwrap_or_default();
        for (index, reason) in Exit::CODES.iter().enumerate() {
            // Nought as well: a rate does not see the first of a series that was not there.
            let count = node.restarts[index] + added[index];
            self.count(
                names::RESTARTS,
                &[("path", node.path.as_str()), ("reason", reason)],
                count,
            );
        }
    }

    fn children(&self, path: &str, sum: &Sum) {
        for (state, count) in State::ALL.iter().zip(sum.states) {
            self.gauge(
                names::CHILDREN,
                &[("path", path), ("state", state.code())],
                as_f64(count),
            );
        }
    }

    fn count(&self, name: Name, labels: &[(&'static str, &str)], value: u64) {
        self.recorder
            .register_counter(&key(name, labels), &METADATA)
            .absolute(value);
    }

    fn gauge(&self, name: Name, labels: &[(&'static str, &str)], value: f64) {
        self.recorder
            .register_gauge(&key(name, labels), &METADATA)
            .set(value);
    }
}

/// Records how long children were down, at their own path or at the supervisor they were added to.
pub(super) fn restart_durations(
    recorder: &PrometheusRecorder,
    root: &NodeStatus,
    latencies: &[(Path, Duration)],
) {
    if latencies.is_empty() {
        return;
    }
    let mut declared = HashSet::new();
    collect_declared(root, &mut declared);
    for (path, latency) in latencies {
        let path = nearest_declared(path.as_str(), &declared).unwrap_or(root.path.as_str());
        let key = key(names::RESTART_DURATION, &[("path", path)]);
        recorder
            .register_histogram(&key, &METADATA)
            .record(latency.as_secs_f64());
    }
}

fn collect_declared<'a>(node: &'a NodeStatus, declared: &mut HashSet<&'a str>) {
    declared.insert(node.path.as_str());
    for child in node.children.iter().filter(|child| !child.is_dynamic) {
        collect_declared(child, declared);
    }
}

/// Shortens a path until it is one that was declared; it need not be in the tree any more.
fn nearest_declared<'a>(path: &'a str, declared: &HashSet<&str>) -> Option<&'a str> {
    let mut path = path;
    while !declared.contains(path) {
        path = path.rsplit_once('/')?.0;
    }
    Some(path)
}

fn key(name: Name, labels: &[(&'static str, &str)]) -> Key {
    let labels = labels
        .iter()
        .map(|(label, value)| Label::new(*label, (*value).to_owned()));
    Key::from_parts(name.name, labels.collect::<Vec<_>>())
}

/// Turns a number of things in memory into a gauge; exact below 2⁵³.
fn as_f64(count: usize) -> f64 {
    count as f64
}
