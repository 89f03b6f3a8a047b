//! Keys that nobody asked for, and what was probably meant.

use super::Reader;
use super::trail::join;
use crate::config::document::{Node, Table};
use crate::config::origin::{Origin, shorten};
use crate::config::problem::{Problem, ProblemKind, nearest};
use crate::config::renamed;

impl Reader<'_, '_> {
    /// Reports what a struct has no field for.
    pub(super) fn report_unknown(&self, table: &Table, fields: &'static [&'static str]) {
        let is_known = |key: &str| fields.contains(&key);
        for (name, node) in table.iter().filter(|(name, _)| !is_known(name)) {
            let mut findings = self.findings.borrow_mut();
            // To say of each what was meant would take as long as there are keys, each time it is read.
            if findings.problems.len() >= Problem::MOST_SHOWN {
                findings.more += 1;
                continue;
            }
            let path = self.trail.path();
            let known = || fields.iter().chain(self.others).copied();
            let problems = renamed::explain(&path, name, node)
                .unwrap_or_else(|| vec![unknown(join(&path, &shorten(name)), name, node, known())]);
            findings.problems.extend(problems);
        }
        for reserved in fields.iter().filter(|field| self.others.contains(field)) {
            let message =
                "this section is the daemon's own; give the field of the program another name";
            self.findings.borrow_mut().problems.push(Problem {
                key: (*reserved).to_owned(),
                ..Problem::new(ProblemKind::Invalid, message)
            });
        }
    }
}

fn unknown<'de>(
    key: String,
    name: &str,
    node: &Node,
    known: impl Iterator<Item = &'de str> + Clone,
) -> Problem {
    let near = nearest(name, known.clone()).map(|near| format!("did you mean `{near}`?"));
    let all = || {
        let all: Vec<String> = known.map(|name| format!("`{name}`")).collect();
        (!all.is_empty()).then(|| format!("there are {}", all.join(", ")))
    };
    Problem {
        origin: at_key(&node.origin),
        key,
        text: Some(shorten(name)),
        suggestion: near.or_else(all),
        ..Problem::new(ProblemKind::UnknownKey, "unknown key")
    }
}

/// Moves an origin from the value to its key: the value may be a secret, and the key is what is wrong.
pub(in crate::config) fn at_key(origin: &Origin) -> Origin {
    match origin {
        Origin::File(place) => Origin::File(place.at_key()),
        other => other.clone(),
    }
}
