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
mod refused;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Visitor};

use self::access::{Elements, Entries, Variant};
use self::refused::{Asked, Located, Refused};
use super::document::{self, Node, Table, Value};
use super::origin::{Origin, shorten};
use super::problem::{Problem, ProblemKind, nearest};
use super::renamed;
use super::secret::{SECRET, WRONG_SECRET};

/// How `toml` marks a date; see `toml_datetime`.
const DATETIME: &str = "$__toml_private_Datetime";

/// What was found out beside the value.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
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
/// All keys that nobody knows, and the values of a wrong type, as far as each can be told from what follows
/// from the others.
pub(crate) fn read<T: DeserializeOwned>(
    table: &Table,
    others: &[&'static str],
) -> Result<(T, Findings), Vec<Problem>> {
    let mut root = Node::new(Value::Table(table.clone()), Origin::Default);
    let mut told = Told::default();
    loop {
        let (read, mut findings) = read_once::<T>(&root, others);
        told.unknown(std::mem::take(&mut findings.problems));
        let refused = match read {
            Ok(value) if told.problems.is_empty() => return Ok((value, findings)),
            Ok(_other_problems) => return Err(told.problems),
            Err(refused) => refused.into_problem(),
        };
        let key = refused.key.split('[').next().unwrap_or_default().to_owned();
        told.refused(refused, &key);
        let is_enough = told.problems.len() >= Problem::MOST_SHOWN;
        if is_enough || !document::take_out(&mut root, &key) {
            return Err(told.problems);
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

/// What is wrong, each once.
#[derive(Default)]
struct Told {
    problems: Vec<Problem>,
    /// The keys that are not read any more, because they were refused.
    taken_out: Vec<String>,
}

impl Told {
    /// Takes the keys that nobody knows, which are found again each time.
    fn unknown(&mut self, found: Vec<Problem>) {
        for problem in found {
            let is_known =
                |known: &Problem| (&known.key, &known.message) == (&problem.key, &problem.message);
            if !self.problems.iter().any(is_known) {
                self.problems.push(problem);
            }
        }
    }

    /// Takes what was refused, unless that follows from what was taken out of it.
    fn refused(&mut self, problem: Problem, key: &str) {
        let is_inside = |taken: &String| {
            taken
                .strip_prefix(key)
                .is_some_and(|rest| key.is_empty() || rest.starts_with('.'))
        };
        if !self.taken_out.iter().any(is_inside) {
            self.problems.push(problem);
        }
    }
}

/// Where in the document the reader is.
#[derive(Clone, Copy)]
pub(super) struct Trail<'t> {
    above: Option<&'t Trail<'t>>,
    step: Step<'t>,
}

/// One step from a value to one inside it.
#[derive(Clone, Copy)]
pub(super) enum Step<'t> {
    Root,
    Key(&'t str),
    Index(usize),
}

impl Trail<'_> {
    fn path(&self) -> String {
        let above = self.above.map(Trail::path).unwrap_or_default();
        match self.step {
            Step::Root => above,
            Step::Key(name) => join(&above, name),
            Step::Index(index) => format!("{above}[{index}]"),
        }
    }
}

/// Joins a key to those around it.
pub(crate) fn join(above: &str, name: &str) -> String {
    match above {
        "" => name.to_owned(),
        above => format!("{above}.{name}"),
    }
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
    pub(super) fn read_inside<S: DeserializeSeed<'de>>(
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

    /// Answers with what there is.
    fn ask<V: Visitor<'de>>(self, asked: Asked, visitor: V) -> Result<V::Value, Refused> {
        self.visit(visitor)
            .map_err(|refused| self.locate(refused, asked))
    }

    fn visit<V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Refused> {
        match &self.node.value {
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::Datetime(value) => {
                let value = toml::Value::Datetime(*value);
                value.deserialize_any(visitor).map_err(Refused::custom_of)
            }
            Value::Array(values) => visitor.visit_seq(Elements::new(*self, values)),
            Value::Table(table) => visitor.visit_map(Entries::new(*self, table, None)),
        }
    }

    /// Reports what a struct has no field for.
    fn report_unknown(&self, table: &Table, fields: &'static [&'static str]) {
        let path = self.trail.path();
        let is_known = |key: &str| fields.contains(&key);
        for (name, node) in table.iter().filter(|(name, _)| !is_known(name)) {
            let known = || fields.iter().chain(self.others).copied();
            let problems = renamed::explain(&path, name, node)
                .unwrap_or_else(|| vec![unknown(join(&path, name), name, node, known())]);
            self.findings.borrow_mut().problems.extend(problems);
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
pub(super) fn at_key(origin: &Origin) -> Origin {
    match origin {
        Origin::File(place) => Origin::File(place.at_key()),
        other => other.clone(),
    }
}

/// Answers with what there is, whatever is asked for; what was decides what an error shows.
macro_rules! answered {
    ($($asked:ident: $($ask:ident($($hint:ty),*)),*;)*) => {$($(
        fn $ask<V: Visitor<'de>>(self, $(_: $hint,)* visitor: V) -> Result<V::Value, Refused> {
            self.ask(Asked::$asked, visitor)
        }
    )*)*};
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // What is inside a table or a list is asked for one by one.
        if self.is_one() {
            self.findings.borrow_mut().untyped.insert(self.trail.path());
        }
        self.ask(Asked::More, visitor)
    }

    answered! {
        One: deserialize_bool(), deserialize_i8(), deserialize_i16(), deserialize_i32(), deserialize_i64(),
            deserialize_i128(), deserialize_u8(), deserialize_u16(), deserialize_u32(),
            deserialize_u64(), deserialize_u128(), deserialize_f32(), deserialize_f64(),
            deserialize_char();
        More: deserialize_bytes(), deserialize_byte_buf(), deserialize_unit(),
            deserialize_unit_struct(&'static str), deserialize_seq(), deserialize_tuple(usize),
            deserialize_tuple_struct(&'static str, usize), deserialize_map(), deserialize_identifier();
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // A variable that reads as a number is text where text is asked for.
        match (&self.node.value, self.node.origin.given_text()) {
            (Value::String(_) | Value::Table(_) | Value::Array(_), _) | (_, None) => {
                self.ask(Asked::One, visitor)
            }
            (_, Some(text)) => {
                let visited = visitor.visit_str(text);
                visited.map_err(|refused| self.locate(refused, Asked::One))
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name != SECRET {
            return visitor.visit_newtype_struct(self);
        }
        let path = self.trail.path();
        self.findings.borrow_mut().secrets.insert(path.clone());
        visitor
            .visit_newtype_struct(self)
            .map_err(|_shows_it| Refused {
                message: WRONG_SECRET.to_owned(),
                bare: None,
                located: Some(Box::new(Located {
                    key: path,
                    origin: self.node.origin.clone(),
                    text: None,
                })),
            })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name == DATETIME
            && let Value::Datetime(value) = &self.node.value
        {
            let read = toml::Value::Datetime(*value).deserialize_struct(name, fields, visitor);
            return read.map_err(|error| self.locate(Refused::custom_of(error), Asked::More));
        }
        let Value::Table(table) = &self.node.value else {
            return self.ask(Asked::More, visitor);
        };
        self.report_unknown(table, fields);
        let read = visitor.visit_map(Entries::new(self, table, Some(fields)));
        read.map_err(|refused| self.locate(refused, Asked::More))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (name, read) = match &self.node.value {
            Value::String(name) => {
                let name_alone = StringDeserializer::<Refused>::new(name.clone());
                (name, visitor.visit_enum(name_alone))
            }
            Value::Table(table) => match table.iter().next() {
                Some((name, node)) if table.len() == 1 => {
                    (name, visitor.visit_enum(Variant::new(self, name, node)))
                }
                _ => {
                    let several = "expected a table with one key, the name of a variant";
                    return Err(self.locate(de::Error::custom(several), Asked::More));
                }
            },
            _ => return self.ask(Asked::More, visitor),
        };
        read.map_err(|refused| match nearest(name, variants.iter().copied()) {
            // A slip of the finger: what is that near to a variant is no secret.
            Some(near) if refused.located.is_none() => {
                self.locate(refused.suggest(near), Asked::One)
            }
            _ => self.locate(refused, Asked::More),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests;
