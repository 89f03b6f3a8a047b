//! What a failed wait or assertion shows: the last events and the tree as it is, as lines of text.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::pattern::name_of;
use crate::event::{EventKind, SubsystemEvent};
use crate::exit::Exit;
use crate::supervisor::status::NodeStatus;

/// How many events are shown; more would hide the newest, which explain most.
const EVENTS_SHOWN: usize = 40;

/// What there was to be seen when something did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The newest events of those that came instead, oldest first.
    pub events: Vec<String>,
    /// How many more there were before them.
    pub earlier_events: usize,
    /// The tree: a line for each node, indented.
    pub tree: Vec<String>,
}

impl Observed {
    pub(super) fn new(events: impl IntoIterator<Item = String>, root: &NodeStatus) -> Self {
        let mut events: Vec<_> = events.into_iter().collect();
        let earlier_events = events.len().saturating_sub(EVENTS_SHOWN);
        events.drain(..earlier_events);
        let mut tree = Vec::new();
        add_lines(root, 0, &mut tree);
        Self {
            events,
            earlier_events,
            tree,
        }
    }
}

fn add_lines(node: &NodeStatus, depth: usize, lines: &mut Vec<String>) {
    let name = match depth {
        0 => node.path.as_str(),
        _ => node.path.name(),
    };
    let last_exit = node.last_exit.as_ref();
    let last_exit = last_exit.map_or_else(String::new, |exit| format!(", last exit: {exit}"));
    let (state, run) = (node.state.code(), node.incarnation);
    lines.push(format!(
        "{:indent$}{name}#{run} {state}{last_exit}",
        "",
        indent = 2 * depth
    ));
    for child in &node.children {
        add_lines(child, depth + 1, lines);
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.events.len(), self.earlier_events) {
            (0, _) => writeln!(f, "nothing came instead")?,
            (_, 0) => writeln!(f, "what came instead:")?,
            (_, more) => writeln!(f, "what came instead, after {more} earlier events:")?,
        }
        for event in &self.events {
            writeln!(f, "  {event}")?;
        }
        write!(f, "the tree now:")?;
        for line in &self.tree {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

/// Writes an event as a line: when, who, what.
pub(super) fn line_of(event: &SubsystemEvent, zero: Instant) -> String {
    let after = moment(event.at.saturating_duration_since(zero));
    let why = match &event.kind {
        EventKind::Exited { exit, .. } | EventKind::StartFailed { exit } => match exit {
            Exit::Failed(chain) => format!(" ({chain})"),
            Exit::Panicked(panic) => format!(" ({panic})"),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let (path, run, name) = (&event.path, event.incarnation, name_of(&event.kind));
    format!("{after} {path}#{run} {name}{why}")
}

/// Writes how long after its beginning something was, so that lines stand below each other.
pub(super) fn moment(after: Duration) -> String {
    let after = format!("+{:.3}s", after.as_secs_f64());
    format!("{after:<10}")
}
