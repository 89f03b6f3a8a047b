//! What a running collector says of its tree: restarts from the scrape, incarnations from the tree.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::collector::{Collector, STATIC_PATHS, until};

/// Restarts by path and reason, those that are not nought.
pub(crate) type Restarts = BTreeMap<(String, String), u64>;

/// Scrapes `perennial_restarts_total`.
pub(crate) fn restarts(collector: &Collector) -> Restarts {
    let metrics = collector.get("/metrics");
    let series = metrics.lines().filter_map(|line| {
        let labels = line.strip_prefix("perennial_restarts_total{path=\"")?;
        let (path, rest) = labels.split_once("\",reason=\"")?;
        let (reason, count) = rest.split_once("\"} ")?;
        let count = count.parse().expect("a count");
        Some(((path.to_owned(), reason.to_owned()), count))
    });
    series.filter(|(_, count)| *count > 0).collect()
}

/// Adds up one path's restarts over all reasons.
pub(crate) fn total(restarts: &Restarts, path: &str) -> u64 {
    let of_path = restarts.iter().filter(|((of, _), _)| of == path);
    of_path.map(|(_, count)| count).sum()
}

/// Returns how often a path came back after an end for this reason.
pub(crate) fn count(restarts: &Restarts, path: &str, reason: &str) -> u64 {
    let key = (path.to_owned(), reason.to_owned());
    restarts.get(&key).copied().unwrap_or_default()
}

/// Returns how often a path came back after a panic.
pub(crate) fn panicked(restarts: &Restarts, path: &str) -> u64 {
    count(restarts, path, "panicked")
}

/// Reads a gauge or counter that has no label but its path.
pub(crate) fn value(collector: &Collector, name: &str, path: &str) -> Option<u64> {
    let series = format!("{name}{{path=\"{path}\"}} ");
    let metrics = collector.get("/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
    line.and_then(|count| count.parse().ok())
}

/// Waits until every declared child runs; returns the incarnation of each. All restarts that were decided
/// on have been counted then.
pub(crate) fn settled(collector: &Collector) -> BTreeMap<String, u64> {
    until("every child runs", || {
        let response = collector.get("/tree");
        let (_, body) = response.split_once("\r\n\r\n")?;
        let tree: Value = serde_json::from_str(body).expect("a JSON object");
        let mut incarnations = BTreeMap::new();
        let all_run = collect(&tree["root"], &mut incarnations);
        all_run.then_some(incarnations)
    })
}

/// Says whether this node and the declared ones below it run.
fn collect(node: &Value, incarnations: &mut BTreeMap<String, u64>) -> bool {
    let path = node["path"].as_str().expect("a path");
    if !STATIC_PATHS.contains(&path) {
        return true;
    }
    let incarnation = node["incarnation"].as_u64().expect("a number");
    incarnations.insert(path.to_owned(), incarnation);
    let children = node["children"].as_array().expect("a list");
    let below = children
        .iter()
        .filter(|child| !collect(child, incarnations))
        .count();
    node["state"] == "running" && below == 0
}
