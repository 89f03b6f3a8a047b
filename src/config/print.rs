//! The merged configuration for people: TOML, with the origin of every value beside it.

use super::document::{Node, Table, Value};
use super::reader::join;
use super::secret::REDACTED;
use super::snapshot::{Config, Snapshot};

/// Renders a configuration. Each value is on a line of its own, so that each has its origin; arrays and
/// the tables inside them are one value.
pub(super) fn effective<C: Config>(snapshot: &Snapshot<C>) -> String {
    let mut text = String::new();
    for path in snapshot.searched() {
        let is_read = snapshot.files().iter().any(|file| file == path);
        let what = if is_read { "read" } else { "not read" };
        push(
            &mut text,
            format_args!("# looked for {}: {what}\n", path.display()),
        );
    }
    for path in snapshot.files() {
        if !snapshot.searched().any(|searched| searched == path) {
            push(&mut text, format_args!("# and {}: read\n", path.display()));
        }
    }
    let is_secret = |key: &str| snapshot.is_secret(key);
    let mut printer = Printer {
        text,
        is_secret: &is_secret,
    };
    printer.table("", "", &snapshot.with_defaults());
    printer.text
}

/// Writes tables one after another.
struct Printer<'a> {
    text: String,
    is_secret: &'a dyn Fn(&str) -> bool,
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.push_str(&what.to_string());
}

impl Printer<'_> {
    /// Writes the values of a table, then the tables inside it under their headings.
    fn table(&mut self, path: &str, heading: &str, table: &Table) {
        let is_inside = |node: &Node| node.table().is_some_and(|table| !table.is_empty());
        if !heading.is_empty() && table.values().any(|node| !is_inside(node)) {
            push(&mut self.text, format_args!("\n[{heading}]\n"));
        }
        for (name, node) in table.iter().filter(|(_, node)| !is_inside(node)) {
            let path = join(path, name);
            let shown = match (self.is_secret)(&path) {
                true => quoted(REDACTED),
                false => inline(&path, node, self.is_secret),
            };
            push(
                &mut self.text,
                format_args!("{} = {shown} # {}\n", key(name), node.origin),
            );
        }
        for (name, node) in table {
            if let Some(inside) = node.table().filter(|table| !table.is_empty()) {
                let (path, heading) = (join(path, name), join(heading, &key(name)));
                match (self.is_secret)(&path) {
                    true => push(&mut self.text, format_args!("\n[{heading}] # {REDACTED}\n")),
                    false => self.table(&path, &heading, inside),
                }
            }
        }
    }
}

fn inline(path: &str, node: &Node, is_secret: &dyn Fn(&str) -> bool) -> String {
    if is_secret(path) {
        return quoted(REDACTED);
    }
    match &node.value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => toml::Value::Float(*value).to_string(),
        Value::String(value) => quoted(value),
        Value::Datetime(value) => value.to_string(),
        Value::Array(values) => {
            let shown = values
                .iter()
                .enumerate()
                .map(|(index, value)| inline(&format!("{path}[{index}]"), value, is_secret));
            format!("[{}]", shown.collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) if table.is_empty() => "{}".to_owned(),
        Value::Table(table) => {
            let shown = table.iter().map(|(name, value)| {
                format!(
                    "{} = {}",
                    key(name),
                    inline(&join(path, name), value, is_secret)
                )
            });
            format!("{{ {} }}", shown.collect::<Vec<_>>().join(", "))
        }
    }
}

fn key(name: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// Writes a string on one line, whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            letter if letter.is_control() => {
                push(&mut quoted, format_args!("\\u{:04X}", u32::from(letter)))
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
