//! A document of configuration: TOML's values, each with its origin.
//!
//! Not `toml::Value`, which forgets where a value stood as soon as it is read.
//!
//! Tables and arrays are shared: what did not change between two documents is there once, and to compare
//! the two costs nothing where they share.

mod known;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

pub(crate) use self::known::Known;

use super::origin::{Origin, Place, Source};
use super::problem::{Problem, ProblemKind};

/// A table, its keys in alphabetical order.
pub(crate) type Table = BTreeMap<String, Node>;

/// A value and where it was written. Two are equal when their values are, wherever they were written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// What TOML knows.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Datetime(Datetime),
    Array(Arc<Vec<Node>>),
    Table(Arc<Table>),
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Boolean(one), Value::Boolean(other)) => one == other,
            (Value::Integer(one), Value::Integer(other)) => one == other,
            // By bits: what is not a number is no change either.
            (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
            (Value::String(one), Value::String(other)) => one == other,
            (Value::Datetime(one), Value::Datetime(other)) => one == other,
            (Value::Array(one), Value::Array(other)) => Arc::ptr_eq(one, other) || one == other,
            (Value::Table(one), Value::Table(other)) => Arc::ptr_eq(one, other) || one == other,
            _ => false,
        }
    }
}

impl Node {
    pub(crate) fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin }
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}

/// Finds the node at a dotted path.
pub(crate) fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Node> {
    let mut names = path.split('.');
    let first = table.get(names.next()?)?;
    names.try_fold(first, |node, name| node.table()?.get(name))
}

/// Finds the node at a dotted path, or the nearest one around it.
pub(crate) fn find_nearest<'a>(table: &'a Table, path: &str) -> Option<&'a Node> {
    let mut nearest = None;
    let mut inside = Some(table);
    for name in path.split('.') {
        let Some(node) = inside.and_then(|table| table.get(name)) else {
            break;
        };
        nearest = Some(node);
        inside = node.table();
    }
    nearest
}

/// Takes the value at a dotted path out of a table; false when there is none.
pub(crate) fn take_out(root: &mut Node, path: &str) -> bool {
    let (above, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut inside = Some(root);
    for step in above.split('.').filter(|step| !step.is_empty()) {
        inside = inside.and_then(|node| match &mut node.value {
            Value::Table(table) => Arc::make_mut(table).get_mut(step),
            _ => None,
        });
    }
    match inside.map(|node| &mut node.value) {
        Some(Value::Table(table)) => Arc::make_mut(table).remove(name).is_some(),
        _ => false,
    }
}

/// Reads the bytes of a file.
///
/// # Errors
///
/// Every mistake that was found, each with its place.
#[cfg(test)]
pub(crate) fn parse(path: &Path, bytes: Vec<u8>) -> Result<Table, Vec<Problem>> {
    Known::parse(path, bytes).map(|known| known.table().clone())
}

fn parse_source(source: &Arc<Source>) -> Result<Table, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        let problems = errors.iter().take(Problem::MOST_SHOWN);
        return Err(problems.map(|error| syntax(source, error)).collect());
    }
    let origin = |key, value| Origin::File(Place::new(source, key, value));
    take_table(table.get_ref(), &origin).map_err(|problem| vec![*problem])
}

/// Reads the text of a variable or an argument: as TOML, and as plain text where it is none.
///
/// # Errors
///
/// A number that TOML can write and no program can hold.
pub(crate) fn parse_given(text: &str, origin: &Origin) -> Result<Node, Box<Problem>> {
    match DeValue::parse(text) {
        // A value inside a list or a table has its own text, and the whole has all of it.
        Ok(value) => take(&value, 0..0, &|_, span| match span == value.span() {
            true => origin.clone(),
            false => origin.within(text.get(span).unwrap_or_default()),
        }),
        Err(_plain_text) => Ok(Node::new(Value::String(text.to_owned()), origin.clone())),
    }
}

type Range = std::ops::Range<usize>;

type MakeOrigin<'a> = dyn Fn(Range, Range) -> Origin + 'a;

fn take_table(table: &DeTable<'_>, origin: &MakeOrigin<'_>) -> Result<Table, Box<Problem>> {
    let take_entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let name = name.clone().into_owned();
        let taken = take(value, key.span(), origin);
        let taken = taken.map_err(|problem| inside(&name, problem))?;
        Ok((name, taken))
    };
    table.iter().map(take_entry).collect()
}

/// Puts the name of what is around it before the key of a problem.
pub(super) fn inside(name: &str, mut problem: Box<Problem>) -> Box<Problem> {
    problem.key = match problem.key.as_str() {
        "" => name.to_owned(),
        key if key.starts_with('[') => format!("{name}{key}"),
        key => format!("{name}.{key}"),
    };
    problem
}

fn take(
    value: &Spanned<DeValue<'_>>,
    key: Range,
    origin: &MakeOrigin<'_>,
) -> Result<Node, Box<Problem>> {
    let origin_of = || origin(key.clone(), value.span());
    // Without the number: what type is meant is not known yet, and it may be a secret.
    let too_large = || {
        Box::new(Problem {
            origin: origin_of(),
            ..Problem::new(ProblemKind::WrongType, "a number that is out of range")
        })
    };
    let taken = match value.get_ref() {
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Integer(value) => {
            let number = i64::from_str_radix(value.as_str(), value.radix());
            Value::Integer(number.map_err(|_| too_large())?)
        }
        DeValue::Float(value) => {
            let number = value.as_str().parse::<f64>();
            Value::Float(number.map_err(|_| too_large())?)
        }
        DeValue::String(value) => Value::String(value.clone().into_owned()),
        DeValue::Datetime(value) => Value::Datetime(*value),
        DeValue::Array(values) => {
            let taken = values.iter().enumerate().map(|(index, value)| {
                let taken = take(value, value.span(), origin);
                taken.map_err(|problem| inside(&format!("[{index}]"), problem))
            });
            Value::Array(Arc::new(taken.collect::<Result<_, _>>()?))
        }
        DeValue::Table(table) => Value::Table(Arc::new(take_table(table, origin)?)),
    };
    Ok(Node::new(taken, origin_of()))
}

/// Shows the place alone: what stands there may be a secret whose quotes are wrong.
fn syntax(source: &Arc<Source>, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let place = Place::new(source, span.clone(), span);
    Problem {
        origin: Origin::File(place),
        ..Problem::new(ProblemKind::Syntax, error.message().to_owned())
    }
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Problem {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
    let source = Source::new(path, text.into_owned());
    let bad = error.as_bytes().get(valid).copied().unwrap_or_default();
    Problem {
        origin: Origin::File(Place::new(&source, valid..valid, valid..valid)),
        ..Problem::new(
            ProblemKind::Syntax,
            format!("the byte 0x{bad:02x} is not UTF-8"),
        )
    }
}

#[cfg(test)]
mod tests;
