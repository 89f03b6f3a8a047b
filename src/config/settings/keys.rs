//! What is known of the daemon's own keys beside their types: which sections there are, which keys hold
//! durations, and which are live.

use std::sync::Arc;

use crate::config::document::{self, Node, Table, Value};
use crate::config::origin::Origin;
use crate::config::problem::{Problem, ProblemKind};

/// The names of the daemon's sections.
pub(crate) const SECTIONS: [&str; 9] = [
    "admin",
    "bus",
    "daemon",
    "http",
    "logging",
    "monitoring",
    "runtime",
    "shutdown",
    "signals",
];

/// The keys that hold durations, each of which may be written as a number of milliseconds under its name
/// with `_ms`.
const DURATIONS: [(&str, &str); 8] = [
    ("logging", "max_file_age"),
    ("monitoring", "health_interval"),
    ("monitoring", "liveness_timeout"),
    ("monitoring", "sample_interval"),
    ("shutdown", "drain_delay"),
    ("shutdown", "force"),
    ("shutdown", "graceful"),
    ("shutdown", "kill"),
];

/// What is changed in a running daemon at once; of the rest of its sections it says that it needs a
/// restart.
const LIVE: [&str; 3] = ["logging.level", "monitoring.", "shutdown."];

/// Tells whether a change of the key needs a restart.
pub(crate) fn needs_restart(key: &str) -> bool {
    let section = key.split('.').next().unwrap_or_default();
    SECTIONS.contains(&section) && !LIVE.iter().any(|live| key.starts_with(live))
}

/// Writes durations that are given in milliseconds under their own names, so that layers can overlay
/// each other whichever way each one writes them.
///
/// # Errors
///
/// Both names in one layer, and what is no number of milliseconds.
pub(crate) fn unify_durations(table: &mut Table) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (section, key) in DURATIONS {
        let Some(Value::Table(inside)) = table.get_mut(section).map(|node| &mut node.value) else {
            continue;
        };
        let in_millis = format!("{key}_ms");
        if !inside.contains_key(&in_millis) {
            continue;
        }
        let inside = Arc::make_mut(inside);
        let Some(node) = inside.remove(&in_millis) else {
            continue;
        };
        let problem = |kind, message: String| Problem {
            origin: node.origin.clone(),
            key: format!("{section}.{key}_ms"),
            ..Problem::new(kind, message)
        };
        match node.value {
            Value::Integer(millis) if millis >= 0 => {
                let value = Value::String(format!("{millis}ms"));
                let twice = inside.insert(key.to_owned(), Node::new(value, node.origin.clone()));
                let message = || format!("`{key}` is given as well; give one of the two");
                problems.extend(twice.map(|_| problem(ProblemKind::Invalid, message())));
            }
            _ => problems.push(problem(
                ProblemKind::WrongType,
                "expected a whole number of milliseconds".to_owned(),
            )),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Finds where a key was written, for a complaint about its value.
pub(crate) fn blame(table: &Table, key: &str, message: String) -> Problem {
    let node = document::find_nearest(table, key);
    Problem {
        origin: node.map_or(Origin::Default, |node| node.origin.clone()),
        key: key.to_owned(),
        ..Problem::new(ProblemKind::Invalid, message)
    }
}
