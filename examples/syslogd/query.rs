//! Counts what the store holds by host, severity and program, for people and for programs.
//!
//! It reads the segment files beside a running collector, without its lock and without changing anything,
//! and so counts what was whole when it looked. It does not select or print single lines.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::message::Severity;
use crate::store::{Entry, StoreError, read_all};

/// The lines under each name.
type LinesByName = BTreeMap<String, u64>;

/// The counts over all segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    lines: u64,
    malformed: u64,
    torn_bytes: u64,
    by_host: LinesByName,
    by_severity: LinesByName,
    by_program: LinesByName,
}

impl Counts {
    /// Counts everything in `dir`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the directory cannot be read or holds damage; a torn tail is counted and no error.
    pub(crate) fn read(dir: &Path) -> Result<Self, StoreError> {
        let mut counts = Self::default();
        counts.torn_bytes = read_all(dir, |entry| counts.add(entry))?.torn_bytes;
        Ok(counts)
    }

    /// Formats the counts as aligned columns, the most lines first.
    pub(crate) fn to_table(&self) -> String {
        let mut table = format!("lines {}, malformed {}", self.lines, self.malformed);
        if self.torn_bytes > 0 {
            table.push_str(&format!(
                ", unfinished at the end {} bytes",
                self.torn_bytes
            ));
        }
        table.push('\n');
        for (title, lines) in self.sections() {
            push_section(&mut table, title, lines);
        }
        table
    }

    /// Formats the counts as one JSON object, the most lines first in each list.
    pub(crate) fn to_json(&self) -> String {
        let mut object = json!({
            "lines": self.lines,
            "malformed": self.malformed,
            "torn_bytes": self.torn_bytes,
        });
        for (title, lines) in self.sections() {
            let list = sorted(lines)
                .into_iter()
                .map(|(name, lines)| json!({ "name": name, "lines": lines }));
            object[format!("by_{title}")] = Value::Array(list.collect());
        }
        object.to_string()
    }

    fn add(&mut self, entry: Entry) {
        self.lines += 1;
        self.malformed += u64::from(entry.malformed);
        let severity = entry.severity.map_or("-", Severity::name).to_owned();
        *self.by_host.entry(entry.host).or_default() += 1;
        *self.by_severity.entry(severity).or_default() += 1;
        *self.by_program.entry(entry.program).or_default() += 1;
    }

    fn sections(&self) -> [(&'static str, &LinesByName); 3] {
        [
            ("host", &self.by_host),
            ("severity", &self.by_severity),
            ("program", &self.by_program),
        ]
    }
}

fn push_section(table: &mut String, title: &str, lines: &LinesByName) {
    let rows: Vec<(String, u64)> = sorted(lines)
        .into_iter()
        .map(|(name, lines)| (printable(name), lines))
        .collect();
    let names = rows.iter().map(|(name, _)| name.chars().count());
    let name_width = names.chain([title.len()]).max().unwrap_or_default();
    let counts = rows.iter().map(|(_, lines)| lines.to_string().len());
    let count_width = counts.chain(["lines".len()]).max().unwrap_or_default();
    table.push_str(&format!(
        "\n{title:name_width$}  {:>count_width$}\n",
        "lines"
    ));
    for (name, lines) in rows {
        table.push_str(&format!("{name:name_width$}  {lines:>count_width$}\n"));
    }
}

/// The most lines first; names break ties, so that two runs over the same data agree.
fn sorted(lines: &LinesByName) -> Vec<(&str, u64)> {
    let mut rows: Vec<(&str, u64)> = lines
        .iter()
        .map(|(name, lines)| (name.as_str(), *lines))
        .collect();
    rows.sort_by_key(|&(name, lines)| (Reverse(lines), name));
    rows
}

/// Shows control characters as escapes: a name comes from the network and the table goes to a terminal.
fn printable(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
