//! What both sides write down, what may differ on purpose, and both side by side when more does.

use std::slice::from_ref;

use crate::script::{End, Operation, Script};

/// One step of a script: the start of the tree, an operation, the end of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// What began and what ended, in order.
    pub(crate) trace: Vec<String>,
    pub(crate) answer: String,
    /// The tree at rest.
    pub(crate) state: Vec<String>,
}

/// A difference that is meant, and how OTP's or our step is written so that it does not show.
pub(crate) struct Deviation {
    /// As in `docs/otp.md`, where the reason stands beside it.
    pub(crate) what: &'static str,
    normalise: fn(&mut Step, Option<&Operation>, Side),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Otp,
    Ours,
}

/// Where a difference in what was written down is forgiven. What the two sides don't write down the same
/// way to begin with is in `ours.rs`, what is switched off in the scripts instead in `generate.rs`;
/// `docs/otp.md` lists all three.
pub(crate) const DEVIATIONS: [Deviation; 4] = [
    Deviation {
        what: "A supervisor that gives up exits with `Meltdown`, OTP's with `shutdown`",
        normalise: |step, _, _| replace(&mut step.trace, " meltdown", " shutdown"),
    },
    Deviation {
        what: "A leaf that ends by itself ends normally or not; OTP's may say `shutdown`, too",
        normalise: own_shutdown,
    },
    Deviation {
        what: "Ends of several children at once are heard of one by one, between starts and stops",
        normalise: ends_first,
    },
    Deviation {
        what: "The children of a dynamic supervisor stop all at once, here as there, in no order",
        normalise: |step, _, _| sort_stops_at_once(&mut step.trace, 0),
    },
];

fn replace(lines: &mut [String], from: &str, to: &str) {
    for line in lines {
        if let Some(stem) = line.strip_suffix(from) {
            *line = format!("{stem}{to}");
        }
    }
}

/// The ends that an operation itself brings about.
fn ends(operation: Option<&Operation>) -> Vec<(&str, End)> {
    match operation {
        Some(Operation::End(path, end) | Operation::InARow(_, (path, end), _)) => {
            vec![(path, *end)]
        }
        Some(Operation::Together(_, ends)) => {
            ends.iter().map(|(path, end)| (&**path, *end)).collect()
        }
        _ => Vec::new(),
    }
}

fn own_shutdown(step: &mut Step, operation: Option<&Operation>, side: Side) {
    for (path, end) in ends(operation) {
        if side == Side::Otp && matches!(end, End::Shutdown | End::ShutdownWithReason) {
            let line = format!("end {path} shutdown");
            if let Some(own) = step.trace.iter_mut().find(|other| **other == line) {
                *own = format!("end {path} normal");
            }
        }
    }
}

/// Moves the ends of a batch to its beginning, where they happened.
fn ends_first(step: &mut Step, operation: Option<&Operation>, side: Side) {
    let Some(Operation::Together(_, ends)) = operation else {
        return;
    };
    if side == Side::Otp {
        return;
    }
    let mut first = Vec::new();
    for (path, end) in ends {
        let begin = format!("end {path} ");
        if let Some(index) = step.trace.iter().position(|line| line.starts_with(&begin)) {
            let mut line = step.trace.remove(index);
            // Asked to stop before its end was heard of, which then reads as that of a stop.
            if line.ends_with(" shutdown") || line.ends_with(" killed") {
                line = format!("{begin}{}", end.reason());
            }
            first.push(line);
        }
    }
    step.trace.splice(0..0, first);
}

/// Splits the path of an end at the `nth` child of a dynamic supervisor in it. Names of such children
/// begin with a digit, and no others.
fn dynamic_part(line: &str, nth: usize) -> Option<(&str, &str)> {
    let path = line.strip_prefix("end ")?.split(' ').next()?;
    let slashes = path.match_indices('/').map(|(at, _)| at);
    let is_dynamic = |at: &usize| path[at + 1..].starts_with(|first: char| first.is_ascii_digit());
    let at = slashes.filter(is_dynamic).nth(nth)?;
    let child = path[at + 1..].split('/').next()?;
    Some((&path[..at], child))
}

/// Sorts each stretch of ends below one dynamic supervisor by its child; those of one child keep
/// their order, but for dynamic supervisors further below.
fn sort_stops_at_once(trace: &mut [String], nth: usize) {
    let parent = |line: &String| dynamic_part(line, nth).map(|(parent, _)| parent.to_owned());
    for stretch in trace.chunk_by_mut(|a, b| parent(a) == parent(b)) {
        if stretch.first().and_then(parent).is_some() {
            stretch.sort_by_key(|line| dynamic_part(line, nth).map(|(_, child)| child.to_owned()));
            sort_stops_at_once(stretch, nth + 1);
        }
    }
}

/// Writes a run so that what differs on purpose is the same.
pub(crate) fn normalise(script: &Script, steps: &mut [Step], side: Side) {
    for (index, step) in steps.iter_mut().enumerate() {
        let operation = index.checked_sub(1).and_then(|n| script.operations.get(n));
        for deviation in &DEVIATIONS {
            (deviation.normalise)(step, operation, side);
        }
    }
}

/// Compares two runs; returns both side by side if they differ.
pub(crate) fn compare(script: &Script, otp: &[Step], ours: &[Step]) -> Result<(), String> {
    if otp == ours {
        return Ok(());
    }
    // As Erlang reads it, then all of it: what a leaf is on our side is nothing to Erlang.
    let mut page = format!("\n{script}\n\n{script:?}\n\n");
    let empty = Step::default();
    for index in 0..otp.len().max(ours.len()) {
        let left = otp.get(index).unwrap_or(&empty);
        let right = ours.get(index).unwrap_or(&empty);
        let title = match index.checked_sub(1) {
            None => "start".to_owned(),
            Some(n) => script
                .operations
                .get(n)
                .map_or_else(|| "shutdown".to_owned(), ToString::to_string),
        };
        let verdict = if left == right { "" } else { "   <-- differs" };
        page.push_str(&format!("== {title}{verdict}\n"));
        beside(&mut page, &left.trace, &right.trace);
        if left != right {
            beside(&mut page, from_ref(&left.answer), from_ref(&right.answer));
            beside(&mut page, &left.state, &right.state);
            break;
        }
    }
    Err(page)
}

fn beside(page: &mut String, otp: &[String], ours: &[String]) {
    let line = |lines: &[String], index: usize| lines.get(index).cloned().unwrap_or_default();
    for index in 0..otp.len().max(ours.len()) {
        let (left, right) = (line(otp, index), line(ours, index));
        let mark = if left == right { ' ' } else { '|' };
        page.push_str(&format!("  {left:<44} {mark} {right}\n"));
    }
}
