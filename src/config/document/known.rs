//! A file that was read before, and what another text of it changes.
//!
//! To parse a file costs more than all that follows, and what people change in one is most often a value
//! here and there. So the text is held against the one that is known: where they differ in nothing but
//! values that stand on one line, those values alone are parsed, and everything else is shared with the
//! document that is known. Any other text is parsed as a whole.
//!
//! # Invariants
//!
//! 1. What is made of two texts is what parsing the second would make, places included: no value that
//!    stands behind a changed one on its line is taken over, and no line is added or removed.
//! 2. What is known is always one parsed text and never a change upon a change, so a document holds on to
//!    two texts at most, however often its file changes.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use toml::de::DeValue;

use super::{Node, Table, Value, not_utf8, parse_source, take};
use crate::config::origin::{Origin, Source};
use crate::config::problem::Problem;

/// How many bytes are compared at once.
const CHUNK_BYTES: usize = 64;

/// A file that was parsed.
#[derive(Clone)]
pub(crate) struct Known {
    source: Arc<Source>,
    table: Table,
    /// Where the values are that are neither tables nor lists, in the order of the text; looked for when
    /// another text comes.
    values: OnceLock<Vec<Range<usize>>>,
}

/// A value that is another one in the other text.
struct Change {
    /// Where it begins in the text that is known.
    known_at: usize,
    /// Where it stands in the other one.
    range: Range<usize>,
    value: Value,
}

impl Known {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// Every mistake that was found, each with its place.
    pub(crate) fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, Vec<Problem>> {
        let text = String::from_utf8(bytes).map_err(|error| vec![not_utf8(path, &error)])?;
        let source = Source::new(path, text);
        Ok(Self {
            table: parse_source(&source)?,
            source,
            values: OnceLock::new(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.source.path()
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Makes the document of another text; `None` when that has to be parsed as a whole.
    pub(crate) fn changed_to(&self, bytes: &[u8]) -> Option<Table> {
        let text = std::str::from_utf8(bytes).ok()?;
        let changes = self.changes(text)?;
        if changes.is_empty() {
            return Some(self.table.clone());
        }
        let source = Source::new(self.path(), text.to_owned());
        changed_table(&self.table, &changes, &source)
    }

    /// Lists the values that are others in a text which is the same besides.
    fn changes(&self, text: &str) -> Option<Vec<Change>> {
        let known = self.source.text();
        let mut values = self.values().iter();
        let mut changes = Vec::new();
        let (mut known_at, mut at) = (0, 0);
        loop {
            let (known_rest, rest) = (known.get(known_at..)?, text.get(at..)?);
            let Some(same) = first_difference(known_rest.as_bytes(), rest.as_bytes()) else {
                return Some(changes);
            };
            let differs_at = known_at + same;
            let range = values.find(|range| range.end >= differs_at)?;
            let before = range.start.checked_sub(known_at)?;
            if before > same {
                return None;
            }
            let begin = at + before;
            let end = begin + length_of_value(text.get(begin..)?)?;
            let (old, new) = (known.get(range.clone())?, text.get(begin..end)?);
            if old == new || old.contains('\n') || !is_last_of_line(known.get(range.end..)?) {
                return None;
            }
            changes.push(Change {
                known_at: range.start,
                range: begin..end,
                value: parse_value(new)?,
            });
            (known_at, at) = (range.end, end);
        }
    }

    fn values(&self) -> &[Range<usize>] {
        self.values.get_or_init(|| {
            let mut found = Vec::new();
            self.table
                .values()
                .for_each(|node| find_values(node, &mut found));
            found.sort_unstable_by_key(|range| range.start);
            found
        })
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

fn find_values(node: &Node, found: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::Table(table) => table.values().for_each(|node| find_values(node, found)),
        Value::Array(nodes) => nodes.iter().for_each(|node| find_values(node, found)),
        _ => found.extend(node.origin.place().map(|place| place.value().clone())),
    }
}

/// Returns where two texts begin to differ; the end of one is a difference.
fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    if one == other {
        return None;
    }
    let pairs = one.chunks(CHUNK_BYTES).zip(other.chunks(CHUNK_BYTES));
    let same = CHUNK_BYTES * pairs.take_while(|(one, other)| one == other).count();
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    Some(same + rest.take_while(|(one, other)| one == other).count())
}

/// Returns how long the value is with which a text begins; `None` for one that may have several lines.
fn length_of_value(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.first()?;
    if !matches!(quote, b'"' | b'\'') {
        let is_end =
            |byte: &u8| matches!(byte, b',' | b']' | b'}' | b'#') || byte.is_ascii_whitespace();
        return Some(bytes.iter().position(is_end).unwrap_or(bytes.len()));
    }
    if bytes.get(..3) == Some(&[quote; 3]) {
        return None;
    }
    let mut is_escaped = false;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match *byte {
            b'\n' => return None,
            _ if is_escaped => is_escaped = false,
            b'\\' if quote == b'"' => is_escaped = true,
            byte if byte == quote => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// Tells whether neither a key nor a value follows on the line.
fn is_last_of_line(rest: &str) -> bool {
    let line = rest.split('\n').next().unwrap_or_default();
    let is_closing =
        |letter: char| matches!(letter, ']' | '}' | ',') || letter.is_ascii_whitespace();
    let behind = line.trim_start_matches(is_closing);
    behind.is_empty() || behind.starts_with('#')
}

/// Reads a value that is neither a table nor a list.
fn parse_value(text: &str) -> Option<Value> {
    let parsed = DeValue::parse(text).ok()?;
    if matches!(parsed.get_ref(), DeValue::Array(_) | DeValue::Table(_)) {
        return None;
    }
    let node = take(&parsed, 0..0, &|_, _| Origin::Default).ok()?;
    Some(node.value)
}

/// Makes a table with the changes that are in it; `None` when there are none.
fn changed_table(table: &Table, changes: &[Change], source: &Arc<Source>) -> Option<Table> {
    let mut changed = None;
    for (name, node) in table {
        if let Some(node) = changed_node(node, changes, source) {
            let table = changed.get_or_insert_with(|| table.clone());
            table.insert(name.clone(), node);
        }
    }
    changed
}

fn changed_node(node: &Node, changes: &[Change], source: &Arc<Source>) -> Option<Node> {
    let value = match &node.value {
        Value::Table(table) => Value::Table(Arc::new(changed_table(table, changes, source)?)),
        Value::Array(nodes) => {
            let mut changed = None;
            for (index, node) in nodes.iter().enumerate() {
                if let Some(node) = changed_node(node, changes, source) {
                    changed.get_or_insert_with(|| nodes.to_vec())[index] = node;
                }
            }
            Value::Array(Arc::new(changed?))
        }
        _ => {
            let place = node.origin.place()?;
            let at = place.value().start;
            let index = changes.binary_search_by_key(&at, |change| change.known_at);
            let change = changes.get(index.ok()?)?;
            let place = place.moved(source, change.range.clone());
            return Some(Node::new(change.value.clone(), Origin::File(place)));
        }
    };
    Some(Node::new(value, node.origin.clone()))
}

#[cfg(test)]
mod tests;
