//! What was seen of a script: the same shape for the model and for the library.
//!
//! Events are kept apart by the supervisor whose loop makes them: two supervisors are two tasks, and
//! no document says which of them is first within one instant. Within one loop the order counts.

use std::collections::BTreeMap;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Who made it.
    pub(crate) stream: String,
    pub(crate) path: String,
    pub(crate) incarnation: u64,
    /// Nanoseconds since the script began.
    pub(crate) at: u64,
    pub(crate) what: String,
}

/// The operation that was asked, its answer and when that came.
pub(crate) type Answer = (usize, String, u64);

/// What was seen after one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Step {
    lines: BTreeMap<String, Vec<Line>>,
    answers: Vec<Answer>,
    states: Vec<String>,
}

/// What was seen of a whole script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) steps: Vec<Step>,
    /// How the root ended.
    pub(crate) end: String,
}

impl Trace {
    pub(crate) fn push(&mut self, lines: Vec<Line>, answers: Vec<Answer>, states: Vec<String>) {
        let mut step = Step {
            answers,
            states,
            ..Step::default()
        };
        for line in lines {
            step.lines
                .entry(line.stream.clone())
                .or_default()
                .push(line);
        }
        self.steps.push(step);
    }
}

impl Step {
    /// Prints what was seen, one thing a line.
    pub(crate) fn print(&self) -> Vec<String> {
        let millis = |at: u64| at as f64 / 1e6;
        let events = self.lines.values().flatten().map(|line| {
            let (at, path) = (millis(line.at), &line.path);
            format!("{at:>12} {path}#{} {}", line.incarnation, line.what)
        });
        let answers = self.answers.iter().map(|(operation, code, at)| {
            format!(
                "{:>12} answer to operation {operation}: {code}",
                millis(*at)
            )
        });
        events
            .chain(answers)
            .chain(self.states.iter().cloned())
            .collect()
    }
}

/// Returns the path of a node's supervisor; empty for the root.
pub(crate) fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _name)| parent)
}
