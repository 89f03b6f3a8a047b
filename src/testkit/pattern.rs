//! Patterns: which nodes and which events a test speaks of.

use std::fmt;

use thiserror::Error;

use crate::event::{EventKind, SubsystemEvent};
use crate::exit::Exit;
use crate::shutdown::report::Outcome;

/// Paths in which `*` stands for any part of one name, and a last part `**` for everything below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathPattern(String);

impl PathPattern {
    pub(super) fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let mut names = path.split('/');
        let mut parts = self.0.split('/').peekable();
        while let Some(part) = parts.next() {
            match names.next() {
                Some(_) if part == "**" && parts.peek().is_none() => return true,
                Some(name) if is_name_like(name, part) => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

fn is_name_like(name: &str, part: &str) -> bool {
    let Some((head, tail)) = part.split_once('*') else {
        return name == part;
    };
    let Some(rest) = name.strip_prefix(head) else {
        return false;
    };
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.into_iter().any(|at| is_name_like(&rest[at..], tail))
}

/// Events of some nodes, by the code of their kind, or by that and how a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventPattern {
    path: PathPattern,
    what: String,
}

/// Says that nothing is ever called so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no event is called `{what}`; there are: {}", .known.join(", "))]
pub struct UnknownEvent {
    /// What was asked for.
    pub what: String,
    /// What could have been.
    pub known: Vec<String>,
}

impl UnknownEvent {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "unknown_event"
    }
}

impl EventPattern {
    pub(super) fn try_new(path: &str, what: &str) -> Result<Self, UnknownEvent> {
        let known = names();
        if !known.iter().any(|name| name == what) {
            return Err(UnknownEvent {
                what: what.to_owned(),
                known,
            });
        }
        Ok(Self {
            path: PathPattern::new(path),
            what: what.to_owned(),
        })
    }

    pub(super) fn matches(&self, event: &SubsystemEvent) -> bool {
        let is_kind = || self.what == event.kind.code() || self.what == name_of(&event.kind);
        is_kind() && self.path.matches(event.path.as_str())
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.as_str(), self.what)
    }
}

/// Returns what an event is called: its code, and the code of how a run ended where it says that.
pub(super) fn name_of(kind: &EventKind) -> String {
    let code = kind.code();
    match kind {
        EventKind::Exited { exit, .. } | EventKind::StartFailed { exit } => {
            format!("{code}: {}", exit.code())
        }
        EventKind::Stopped { outcome, .. } => format!("{code}: {}", outcome.code()),
        _ => code.to_owned(),
    }
}

/// Lists everything that an event can be called.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for code in EventKind::CODES {
        let endings: &[&str] = match code {
            "exited" | "start_failed" => &Exit::CODES,
            "stopped" => &Outcome::CODES,
            _ => &[],
        };
        names.push(code.to_owned());
        names.extend(endings.iter().map(|ending| format!("{code}: {ending}")));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{EventPattern, PathPattern};

    #[test]
    fn a_star_stands_for_part_of_a_name_and_two_for_everything_below() {
        let table = [
            ("/app", "/app", true),
            ("/app", "/app/a", false),
            ("/app/*", "/app/a", true),
            ("/app/*", "/app", false),
            ("/app/*", "/app/a/b", false),
            ("/app/conn-*", "/app/conn-7", true),
            ("/app/conn-*", "/app/other", false),
            ("/app/*-a*z", "/app/1-abcz", true),
            ("/app/*-a*z", "/app/1-abc", false),
            ("/app/gr*e", "/app/größe", true),
            ("/*/a", "/app/a", true),
            ("/app/**", "/app/a/b", true),
            ("/app/**", "/app/a", true),
            ("/app/**", "/app", false),
            ("/app/**", "/apple/a", false),
        ];
        for (pattern, path, expected) in table {
            let is_match = PathPattern::new(pattern).matches(path);
            assert_eq!(is_match, expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_name_that_no_event_has_is_refused() {
        for what in ["restart", "exited: panic", "started: panicked", ""] {
            let error = EventPattern::try_new("/app", what).expect_err(what);
            assert_eq!(error.what, what);
        }
        for what in ["restarted", "exited", "exited: panicked", "stopped: hung"] {
            EventPattern::try_new("/app", what).expect(what);
        }
    }
}
