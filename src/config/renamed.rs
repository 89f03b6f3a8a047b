//! The keys of two earlier systems, and what they are called here.
//!
//! A file that is carried over fails at once, and each line of the complaint says what to write instead.

use super::document::{Node, Value};
use super::problem::{Problem, ProblemKind};
use super::reader::{at_key, join};

/// What became of a key.
enum Now {
    /// It is written like this.
    Written(&'static str),
    /// There is none any more, because of this.
    Gone(&'static str),
}

use Now::{Gone, Written};

/// The old keys, in the order of their sections.
const OLD: &[(&str, Now)] = &[
    ("name", Written("`name` in [daemon]")),
    ("work_dir", Written("`work_dir` in [daemon]")),
    ("pid_file", Written("`pid_file` in [daemon]")),
    ("hot_reload", Written("`hot_reload` in [daemon]")),
    ("logging.json", Written("`format = \"json\"` in [logging]")),
    (
        "logging.max_file_size",
        Written("`max_file_size_bytes` in [logging]"),
    ),
    (
        "shutdown.timeout_ms",
        Written("`graceful = \"5s\"` or `graceful_ms = 5000` in [shutdown]"),
    ),
    (
        "shutdown.graceful_timeout_ms",
        Written("`graceful = \"5s\"` or `graceful_ms = 5000` in [shutdown]"),
    ),
    (
        "shutdown.force_timeout_ms",
        Written("`force = \"10s\"` or `force_ms = 10000` in [shutdown]"),
    ),
    (
        "shutdown.kill_timeout_ms",
        Written("`kill = \"15s\"` or `kill_ms = 15000` in [shutdown]"),
    ),
    ("performance", Written("[runtime]")),
    (
        "performance.worker_threads",
        Written("`worker_threads` in [runtime]"),
    ),
    (
        "performance.thread_pinning",
        Written("`cpus = \"0-3\"` in [runtime], the list of the workers' CPUs"),
    ),
    (
        "performance.memory_pool_size",
        Gone("pools are made where they are used"),
    ),
    (
        "performance.numa_aware",
        Gone("say where the workers run with `cpus` in [runtime]"),
    ),
    (
        "performance.lock_free",
        Gone("it is how the library is built"),
    ),
    (
        "monitoring.enable_metrics",
        Written("`enabled` in [http], which serves them; they are always counted"),
    ),
    (
        "monitoring.metrics_interval_ms",
        Written("`sample_interval = \"5s\"` or `sample_interval_ms = 5000` in [monitoring]"),
    ),
    (
        "monitoring.track_resources",
        Written("`sample_interval` in [monitoring]; \"0s\" turns it off"),
    ),
    (
        "monitoring.health_checks",
        Written("`health_interval` in [monitoring]; \"0s\" turns it off"),
    ),
    (
        "monitoring.health_check_interval_ms",
        Written("`health_interval = \"5s\"` or `health_interval_ms = 5000` in [monitoring]"),
    ),
];

/// Says what became of a key that a struct does not know and of those inside it; `None` when it is none
/// of the earlier systems.
pub(super) fn explain(above: &str, name: &str, node: &Node) -> Option<Vec<Problem>> {
    let key = join(above, name);
    let known = OLD
        .iter()
        .find(|(old, _)| *old == key)
        .map(|(_, now)| now)?;
    let inside = match &node.value {
        Value::Table(table) => table.iter(),
        _ => return Some(vec![renamed(key, known, node)]),
    };
    let explained = inside.filter_map(|(name, node)| explain(&key, name, node));
    let explained: Vec<Problem> = explained.flatten().collect();
    match explained.is_empty() {
        true => Some(vec![renamed(key, known, node)]),
        false => Some(explained),
    }
}

fn renamed(key: String, now: &Now, node: &Node) -> Problem {
    let (message, suggestion) = match now {
        Written(now) => ("this key has another name here", format!("write {now}")),
        Gone(why) => ("there is no such key any more", (*why).to_owned()),
    };
    Problem {
        origin: at_key(&node.origin),
        key,
        suggestion: Some(suggestion),
        ..Problem::new(ProblemKind::RenamedKey, message)
    }
}
