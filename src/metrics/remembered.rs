//! What is remembered of a tree between scrapes, so that counters do not fall when a child is removed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::RESTART_DURATION_BUCKETS;
use super::instrument::{Distribution, Histogram};
use crate::exit::Exit;
use crate::path::Path;
use crate::supervisor::status::NodeStatus;

pub(super) type Restarts = [u64; Exit::CODES.len()];

/// What is remembered between scrapes.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// What each added child had counted at the last scrape; those without restarts are not kept.
    pub(super) last: HashMap<Path, Restarts>,
    /// What all added children of a supervisor have counted, removed ones included.
    sums: HashMap<Path, Restarts>,
    /// How long children were down, by the path of the series.
    durations: BTreeMap<String, Histogram>,
    /// What those subscribers of the bus have lost that have no series of their own.
    pub(super) other_lagged: u64,
    /// How many latencies the tree could not keep.
    pub(super) dropped_durations: u64,
}

impl Remembered {
    /// Counts the restarts of an added child since the last scrape for its supervisor.
    pub(super) fn add_restarts(&mut self, supervisor: &Path, node: &NodeStatus) {
        let before = self.last.get(&node.path).copied().unwrap_or_default();
        let sums = self.sums.entry(supervisor.clone()).or_default();
        for (index, now) in node.restarts.iter().enumerate() {
            // Less than before: another child of the same name, which began at nought.
            sums[index] += now.checked_sub(before[index]).unwrap_or(*now);
        }
    }

    pub(super) fn restarts_of_added(&self, supervisor: &Path) -> Restarts {
        self.sums.get(supervisor).copied().unwrap_or_default()
    }

    /// Records how long children were down, at their own path or at the nearest one above that has
    /// series; `shown` are these. What was recorded of others is forgotten with them.
    pub(super) fn add_durations(
        &mut self,
        root: &Path,
        shown: &HashSet<&str>,
        latencies: &[(Path, Duration)],
    ) {
        self.durations.retain(|path, _| shown.contains(&**path));
        self.sums.retain(|path, _| shown.contains(path.as_str()));
        for (path, latency) in latencies {
            let path = nearest(path.as_str(), shown).unwrap_or(root.as_str());
            if !self.durations.contains_key(path) {
                let new = Histogram::new(&RESTART_DURATION_BUCKETS);
                self.durations.insert(path.to_owned(), new);
            }
            if let Some(durations) = self.durations.get(path) {
                durations.record_duration(*latency);
            }
        }
    }

    /// Returns how long children were down, by path.
    pub(super) fn durations(&self) -> impl Iterator<Item = (&str, Distribution)> {
        let durations = self.durations.iter();
        durations.map(|(path, histogram)| (path.as_str(), histogram.distribution()))
    }
}

/// Shortens a path until it is one that has series; it need not be in the tree any more.
fn nearest<'a>(path: &'a str, shown: &HashSet<&str>) -> Option<&'a str> {
    let mut path = path;
    while !shown.contains(path) {
        path = path.rsplit_once('/')?.0;
    }
    Some(path)
}
