//! Reads a document into the structs of whoever asked for it.
//!
//! serde asks for fields by name; whoever answers knows which keys nobody asked for, and where each value
//! was written. So the reader is ours: `toml`'s own forgets the place once layers are merged, and drops
//! what a struct does not know.
//!
//! # Invariants
//!
//! 1. A key that a struct does not have is a problem, whether the struct denies unknown fields or not.
//! 2. Nothing that is said of a secret shows its value, nor of what may be one; see [`refused`].
//!
//! What it can't see: the fields of a struct that serde flattens into another, because serde then asks
//! for everything. Such a struct drops unknown keys unless it denies them itself.

mod access;
mod answers;
mod refused;
mod told;
mod trail;
mod unknown;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::de::{DeserializeOwned, DeserializeSeed};

use self::refused::{Asked, Located, Refused};
use self::told::Told;
pub(super) use self::trail::join;
use self::trail::{Step, Trail};
pub(super) use self::unknown::at_key;
use super::document::{self, Node, Table, Value};
use super::origin::{Origin, shorten};
use super::problem::Problem;

/// What was found out beside the value.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Keys that nobody knows, and the like: the first [`Problem::MOST_SHOWN`].
    pub(crate) problems: Vec<Problem>,
    /// How many more there are of these.
    more: usize,
    /// The dotted keys that hold secrets.
    pub(crate) secrets: BTreeSet<String>,
    /// The dotted keys whose type was not asked for: serde puts the value aside, and only later knows
    /// what to read it into (`flatten`, `tag`, `untagged`).
    pub(crate) untyped: BTreeSet<String>,
}

/// Reads a table into a struct; `others` are the names that stand beside its fields and belong to
/// somebody else.
///
/// serde stops at the first value that it can't read. Then that value is taken out and all of it read
/// again, so that the next is found as well.
///
/// # Errors
///
/// The keys that nobody knows, [`Problem::MOST_SHOWN`] of them and how many more there are, and the values of a wrong type, as far as each can be told from what follows
/// from the others.
pub(crate) fn read<T: DeserializeOwned>(
    table: &Table,
    others: &[&'static str],
) -> Result<(T, Findings), Vec<Problem>> {
    let mut root = Node::new(Value::Table(table.clone().into()), Origin::Default);
    let mut told = Told::default();
    loop {
        let (read, mut findings) = read_once::<T>(&root, others);
        told.unknown(std::mem::take(&mut findings.problems), findings.more);
        let refused = match read {
            Ok(value) if told.problems.is_empty() => return Ok((value, findings)),
            Ok(_other_problems) => return Err(told.into_problems()),
            Err(refused) => refused.into_problem(),
        };
        let key = refused.key.split('[').next().unwrap_or_default().to_owned();
        told.refused(refused, &key);
        let is_enough = told.problems.len() >= Problem::MOST_SHOWN;
        if is_enough || !document::take_out(&mut root, &key) {
            return Err(told.into_problems());
        }
        told.taken_out.push(key);
    }
}

fn read_once<T: DeserializeOwned>(
    root: &Node,
    others: &[&'static str],
) -> (Result<T, Refused>, Findings) {
    let findings = RefCell::default();
    let reader = Reader {
        node: root,
        trail: &Trail {
            above: None,
            step: Step::Root,
        },
        others,
        findings: &findings,
    };
    let read = T::deserialize(reader);
    (read, findings.into_inner())
}

/// One value, ready to be asked for.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de, 't> {
    node: &'de Node,
    trail: &'t Trail<'t>,
    /// The names that stand beside the fields and belong to somebody else.
    others: &'t [&'static str],
    findings: &'t RefCell<Findings>,
}

impl<'de> Reader<'de, '_> {
    /// Reads a value inside this one.
    fn read_inside<S: DeserializeSeed<'de>>(
        &self,
        step: Step<'_>,
        node: &'de Node,
        seed: S,
    ) -> Result<S::Value, Refused> {
        let trail = Trail {
            above: Some(self.trail),
            step,
        };
        let inside = Reader {
            node,
            trail: &trail,
            others: &[],
            findings: self.findings,
        };
        // What a type says of what it was given well is at that value, not at the one around it.
        let read = seed.deserialize(inside);
        read.map_err(|refused| inside.locate(refused, Asked::More))
    }

    /// Gives an error its place, unless a value further inside has given it one.
    fn locate(&self, refused: Refused, asked: Asked) -> Refused {
        if refused.located.is_some() {
            return refused;
        }
        let origin = self.node.origin.clone();
        let is_shown = asked == Asked::One && self.is_one();
        let text = || {
            let text = origin.place().map(super::origin::Place::excerpt);
            text.or_else(|| origin.given_text().map(shorten))
        };
        let text = is_shown.then(text).flatten();
        let located = Located {
            key: self.trail.path(),
            text: text.filter(|text| !text.is_empty()),
            origin,
        };
        let refused = if is_shown { refused } else { refused.bare() };
        Refused {
            located: Some(Box::new(located)),
            ..refused
        }
    }

    /// Tells whether it is no table and no list.
    fn is_one(&self) -> bool {
        !matches!(self.node.value, Value::Table(_) | Value::Array(_))
    }
}

#[cfg(test)]
mod tests;
