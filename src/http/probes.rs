//! Probes: from checks to an answer, by Kubernetes' conventions.
//!
//! 200 or 503; `?verbose` names every check for people, `?exclude=name` leaves one out, and a check can
//! be asked for by itself. An unready answer says when to ask again.

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value};

use super::answer::{Answer, json, text, with};
use super::guard::Access;
use super::{Check, Readiness};

/// What the query of a probe asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish {
    is_verbose: bool,
    excluded: Vec<String>,
    /// Whether the answer says nothing but how it is.
    is_terse: bool,
}

impl Wish {
    pub(super) fn of(query: Option<&str>, access: Access) -> Self {
        let mut wish = Self {
            is_terse: access == Access::Probes,
            ..Self::default()
        };
        for pair in query.unwrap_or_default().split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("verbose", _) => wish.is_verbose = !wish.is_terse,
                ("exclude", names) => wish
                    .excluded
                    .extend(decoded(names).split(',').map(str::to_owned)),
                _ => {}
            }
        }
        wish
    }

    /// Tells whether all checks are wanted, and not only those that fail.
    pub(super) fn wants_all(&self) -> bool {
        self.is_verbose || !self.excluded.is_empty()
    }

    fn counts(&self, check: &Check) -> bool {
        !self.excluded.contains(&check.name)
    }
}

/// Answers whether the program makes progress.
pub(super) fn live(checks: &[Check], wish: &Wish) -> Answer {
    conclude("livez", "unhealthy", checks, wish)
}

/// Answers whether the program can do its work, from what is missing alone.
pub(super) fn ready(readiness: Readiness, wish: &Wish) -> Answer {
    let shutdown = shutdown_check(readiness.is_shutting_down);
    let mut checks = vec![shutdown];
    checks.extend(readiness.missing);
    ready_of(&checks, wish)
}

/// Answers whether the program can do its work, from every check.
pub(super) fn ready_of(checks: &[Check], wish: &Wish) -> Answer {
    let answer = conclude("readyz", "missing", checks, wish);
    match answer.status() {
        StatusCode::OK => answer,
        _ => with(answer, RETRY_AFTER, HeaderValue::from_static("1")),
    }
}

/// Answers for one check, or for all at or below a path; `None` when there is no such.
pub(super) fn one(checks: &[Check], name: &str, wish: &Wish) -> Option<Answer> {
    let path = format!("/{name}");
    let below = format!("{path}/");
    let is_meant =
        |check: &&Check| check.name == name || check.name == path || check.name.starts_with(&below);
    let found: Vec<Check> = checks.iter().filter(is_meant).cloned().collect();
    (!found.is_empty()).then(|| ready_of(&found, wish))
}

/// Makes the check that fails from the beginning of a shutdown on.
pub(super) fn shutdown_check(is_shutting_down: bool) -> Check {
    match is_shutting_down {
        true => Check::failed(SHUTDOWN, "it has begun"),
        false => Check::passed(SHUTDOWN),
    }
}

/// What the check of the shutdown is called.
const SHUTDOWN: &str = "shutdown";

fn conclude(probe: &str, list: &str, checks: &[Check], wish: &Wish) -> Answer {
    let failed = |check: &&Check| check.failure.is_some() && wish.counts(check);
    let failures: Vec<&Check> = checks.iter().filter(failed).collect();
    let status = match failures.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    if wish.is_verbose {
        return text(status, in_words(probe, checks, wish));
    }
    if failures.is_empty() {
        return text(status, "ok");
    }
    if wish.is_terse {
        return text(status, "not ok");
    }
    let is_begun = |check: &&Check| check.name == SHUTDOWN;
    let shutting_down = failures.iter().any(is_begun);
    let names = failures.iter().filter(|check| !is_begun(check));
    let mut body = Map::new();
    body.insert(
        list.to_owned(),
        names.map(|check| Value::from(&*check.name)).collect(),
    );
    if list == "missing" {
        body.insert("shutting_down".to_owned(), shutting_down.into());
    }
    json(status, &body.into())
}

fn in_words(probe: &str, checks: &[Check], wish: &Wish) -> String {
    let mut lines = String::new();
    let mut has_failed = false;
    for check in checks {
        match &check.failure {
            _ if !wish.counts(check) => {
                lines.push_str(&format!("[+]{} excluded: ok\n", check.name))
            }
            None => lines.push_str(&format!("[+]{} ok\n", check.name)),
            Some(reason) => {
                has_failed = true;
                lines.push_str(&format!("[-]{} failed: {reason}\n", check.name));
            }
        }
    }
    for name in &wish.excluded {
        if !checks.iter().any(|check| check.name == *name) {
            lines.push_str(&format!("warn: nothing to exclude is called {name}\n"));
        }
    }
    let outcome = if has_failed { "failed" } else { "passed" };
    lines.push_str(&format!("{probe} check {outcome}\n"));
    lines
}

/// Decodes `%2F` and its like; what is no such code stays as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match code {
            Some((high, low)) => {
                bytes.push(high * 16 + low);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
