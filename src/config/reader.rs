//! Reads a document into the structs of whoever asked for it.
//!
//! serde asks for fields by name; whoever answers knows which keys nobody asked for, and where each value
//! was written. So the reader is ours: `toml`'s own forgets the place once layers are merged, and drops
//! what a struct does not know.
//!
//! # Invariants
//!
//! 1. A key that a struct does not have is a problem, whether the struct denies unknown fields or not.
//! 2. Nothing that is said of a secret shows its value.
//!
//! What it can't see: the fields of a struct that serde flattens into another, because serde then asks
//! for everything. Such a struct drops unknown keys unless it denies them itself.

mod access;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use self::access::{Elements, Entries, Variant};
use super::document::{Node, Table, Value};
use super::origin::{Origin, shorten};
use super::problem::{Problem, ProblemKind, nearest};
use super::renamed;
use super::secret::SECRET;

/// How `toml` marks a date; see `toml_datetime`.
const DATETIME: &str = "$__toml_private_Datetime";

/// What was found out beside the value.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    /// The dotted keys that hold secrets.
    pub(crate) secrets: BTreeSet<String>,
}

/// Reads a table into a struct; `others` are the names that stand beside its fields and belong to
/// somebody else.
///
/// # Errors
///
/// All keys that nobody knows, and the first value of a wrong type.
pub(crate) fn read<T: DeserializeOwned>(
    table: &Table,
    others: &[&'static str],
) -> Result<(T, BTreeSet<String>), Vec<Problem>> {
    let root = Node::new(Value::Table(table.clone()), Origin::Default);
    let findings = RefCell::default();
    let reader = Reader {
        node: &root,
        trail: &Trail {
            above: None,
            step: Step::Root,
        },
        others,
        findings: &findings,
    };
    let read = T::deserialize(reader);
    let mut findings = findings.into_inner();
    match read {
        Ok(value) if findings.problems.is_empty() => Ok((value, findings.secrets)),
        Ok(_unknown_keys) => Err(findings.problems),
        Err(refused) => {
            findings.problems.push(refused.into_problem());
            Err(findings.problems)
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
        seed.deserialize(Reader {
            node,
            trail: &trail,
            others: &[],
            findings: self.findings,
        })
    }

    /// Gives an error its place, unless a value further inside has given it one.
    fn locate(&self, mut refused: Refused) -> Refused {
        if refused.located.is_none() {
            let origin = self.node.origin.clone();
            let text = origin.place().map(super::origin::Place::excerpt);
            let text = text.or_else(|| origin.given_text().map(shorten));
            refused.located = Some(Located {
                key: self.trail.path(),
                // A table is no text that offends: what it lacks does.
                text: text.filter(|text| !text.is_empty() && self.node.table().is_none()),
                origin,
            });
        }
        refused
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

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.visit(visitor).map_err(|refused| self.locate(refused))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // A variable that reads as a number is text where text is asked for.
        match (&self.node.value, self.node.origin.given_text()) {
            (Value::String(_) | Value::Table(_) | Value::Array(_), _) | (_, None) => {
                self.deserialize_any(visitor)
            }
            (_, Some(text)) => {
                let visited = visitor.visit_str(text);
                visited.map_err(|refused| self.locate(refused))
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
                message: "a secret of the wrong type".to_owned(),
                located: Some(Located {
                    key: path,
                    origin: self.node.origin.clone(),
                    text: None,
                }),
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
            return read.map_err(|error| self.locate(Refused::custom_of(error)));
        }
        let Value::Table(table) = &self.node.value else {
            return self.deserialize_any(visitor);
        };
        self.report_unknown(table, fields);
        let read = visitor.visit_map(Entries::new(self, table, Some(fields)));
        read.map_err(|refused| self.locate(refused))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let read = match &self.node.value {
            Value::String(name) => visitor
                .visit_enum(StringDeserializer::<Refused>::new(name.clone()))
                .map_err(|refused| refused.suggest(nearest(name, variants.iter().copied()))),
            Value::Table(table) => match table.iter().next() {
                Some((name, node)) if table.len() == 1 => {
                    visitor.visit_enum(Variant::new(self, name, node))
                }
                _ => Err(de::Error::custom(
                    "expected a table with one key, the name of a variant",
                )),
            },
            _ => return self.deserialize_any(visitor),
        };
        read.map_err(|refused| self.locate(refused))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier
    }
}

/// Why a value could not be read.
#[derive(Debug)]
pub(super) struct Refused {
    message: String,
    located: Option<Located>,
}

#[derive(Debug)]
struct Located {
    key: String,
    origin: Origin,
    text: Option<String>,
}

impl Refused {
    fn custom_of(error: impl fmt::Display) -> Self {
        Self {
            message: error.to_string(),
            located: None,
        }
    }

    fn suggest(mut self, near: Option<&str>) -> Self {
        if let Some(near) = near {
            self.message.push_str(&format!("; did you mean `{near}`?"));
        }
        self
    }

    fn into_problem(self) -> Problem {
        let problem = Problem::new(ProblemKind::WrongType, self.message);
        match self.located {
            Some(located) => Problem {
                key: located.key,
                origin: located.origin,
                text: located.text,
                ..problem
            },
            None => problem,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::custom_of(message)
    }
}

#[cfg(test)]
mod tests;
