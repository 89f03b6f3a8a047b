//! Compares what came with what was expected, and writes both down where they differ.

use std::fmt::Write;

use tokio::time::Instant;

use super::observed::line_of;
use super::pattern::{EventPattern, PathPattern, name_of};
use crate::event::SubsystemEvent;

/// Checks that the expected events came in their order, with others between them.
pub(super) fn check_order(
    seen: &[SubsystemEvent],
    expected: &[(&str, &str)],
    zero: Instant,
) -> Result<(), String> {
    let patterns = patterns(expected)?;
    let mut rest = seen.iter();
    let mut found = Vec::new();
    for pattern in &patterns {
        match rest.find(|event| pattern.matches(event)) {
            Some(event) => found.push(event),
            None => break,
        }
    }
    if found.len() == patterns.len() {
        return Ok(());
    }
    let mut text = String::from("the events did not come in this order:");
    for (index, pattern) in patterns.iter().enumerate() {
        // Writing to a string can't fail.
        let _ok = match found.get(index) {
            Some(event) => write!(text, "\n    {pattern}\n        {}", line_of(event, zero)),
            None if index == found.len() => write!(text, "\n  > {pattern}\n        not after that"),
            None => write!(text, "\n    {pattern}"),
        };
    }
    text.push_str("\nwhat came:");
    for event in seen {
        let _ok = write!(text, "\n    {}", line_of(event, zero));
    }
    Err(text)
}

fn patterns(expected: &[(&str, &str)]) -> Result<Vec<EventPattern>, String> {
    let pattern = |(path, what): &(&str, &str)| {
        EventPattern::try_new(path, what).map_err(|unknown| unknown.to_string())
    };
    expected.iter().map(pattern).collect()
}

/// Checks that the events of some nodes are the expected ones.
pub(super) fn check_exactly(
    seen: &[SubsystemEvent],
    path: &str,
    expected: &[&str],
) -> Result<(), String> {
    let expected: Vec<_> = expected.iter().map(|what| (path, *what)).collect();
    let patterns = patterns(&expected)?;
    let is_of = PathPattern::new(path);
    let seen: Vec<_> = seen
        .iter()
        .filter(|event| is_of.matches(event.path.as_str()))
        .collect();
    let fits = |index: usize| match (patterns.get(index), seen.get(index)) {
        (Some(pattern), Some(event)) => pattern.matches(event),
        (pattern, event) => pattern.is_none() && event.is_none(),
    };
    let rows = patterns.len().max(seen.len());
    if (0..rows).all(fits) {
        return Ok(());
    }
    let width = expected.iter().map(|(_, what)| what.len()).max();
    let width = width.unwrap_or_default().max("expected".len());
    let mut text = format!("the events of {path} are others:");
    // Writing to a string can't fail.
    let _ok = write!(text, "\n    {:width$}  came", "expected");
    for index in 0..rows {
        let mark = if fits(index) { ' ' } else { '>' };
        let expected = expected.get(index).map_or("-", |(_, what)| what);
        let came = seen.get(index).map(|event| name_of(&event.kind));
        let came = came.unwrap_or_else(|| "-".to_owned());
        let _ok = write!(text, "\n  {mark} {expected:width$}  {came}");
    }
    Err(text)
}
