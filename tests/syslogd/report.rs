//! The stop report as it stands on stderr, read back and added up.
//!
//! The table rounds, so each time is a range; a sum is compared with what it may be at most.

use std::collections::BTreeMap;

use crate::collector::STATIC_PATHS;

/// The supervisor whose children stop all at once.
const DYNAMIC: &str = "/syslogd/connections";

/// `MAX_KILL_GRACE` of `shutdown/plan.rs`, in milliseconds: how late the verdict on a killed child may be.
const KILL_GRACE: f64 = 50.0;

/// A time in milliseconds, with what the table rounded off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    least: f64,
    most: f64,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) path: String,
    allotted: Time,
    spent: Time,
    pub(crate) outcome: String,
}

/// The whole table.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) title: String,
    rows: Vec<Row>,
}

impl Report {
    /// Finds the report in what a process wrote on stderr.
    pub(crate) fn read(log: &str) -> Self {
        let mut lines = log
            .lines()
            .skip_while(|line| !line.starts_with("shutdown ("));
        let title = lines.next().unwrap_or_else(|| panic!("no report:\n{log}"));
        let head = lines.next().unwrap_or_default();
        assert!(head.starts_with("path"), "no head of a table: {head}");
        let mut parents: Vec<String> = Vec::new();
        let mut rows = Vec::new();
        let is_row = |line: &&str| !line.starts_with("syslogd:") && !line.starts_with("slowest:");
        for line in lines.take_while(is_row) {
            let depth = (line.len() - line.trim_start().len()) / 2;
            parents.truncate(depth);
            let row = read_row(line, parents.last()).unwrap_or_else(|| panic!("no row: {line}"));
            parents.push(row.path.clone());
            rows.push(row);
        }
        let title = title.to_owned();
        Self { title, rows }
    }

    /// The outcome of a path.
    pub(crate) fn outcome(&self, path: &str) -> &str {
        let row = self.rows.iter().find(|row| row.path == path);
        &row.unwrap_or_else(|| panic!("{path} is not in {self:?}"))
            .outcome
    }

    /// Every path with this outcome, in the order of the table.
    pub(crate) fn paths(&self, outcome: &str) -> Vec<&str> {
        let wanted = self.rows.iter().filter(|row| row.outcome == outcome);
        wanted.map(|row| row.path.as_str()).collect()
    }

    /// Checks what holds for every report: each declared child is there once, in the order of stopping;
    /// none was given more than its parent, or took more than it was given; and together the children of a
    /// supervisor took no more than it did itself.
    pub(crate) fn assert_adds_up(&self) {
        let declared = self
            .rows
            .iter()
            .map(|row| row.path.as_str())
            .filter(|path| STATIC_PATHS.contains(path));
        let declared: Vec<_> = declared.collect();
        assert_eq!(declared, STATIC_PATHS, "{self:?}");
        let mut taken: BTreeMap<&str, f64> = BTreeMap::new();
        for row in &self.rows {
            assert!(row.spent.least <= row.allotted.most + KILL_GRACE, "{row:?}");
            let Some((parent, _)) = row
                .path
                .rsplit_once('/')
                .filter(|(parent, _)| !parent.is_empty())
            else {
                continue;
            };
            let above = self.rows.iter().find(|row| row.path == parent);
            let above = above.unwrap_or_else(|| panic!("{row:?} has no parent"));
            assert!(
                row.allotted.least <= above.allotted.most,
                "{row:?} below {above:?}"
            );
            let sum = taken.entry(parent).or_default();
            if parent == DYNAMIC {
                *sum = sum.max(row.spent.least);
            } else {
                *sum += row.spent.least;
            }
            assert!(
                *sum <= above.spent.most,
                "{sum} ms below {above:?} in {self:?}"
            );
        }
    }

    /// Checks that the root ended inside the budget that a daemon has when nothing was set.
    pub(crate) fn assert_in_budget(&self) {
        let root = &self.rows[0];
        assert!(root.allotted.most <= 5_005.0, "{root:?}");
        assert!(root.spent.least <= root.allotted.most, "{root:?}");
    }
}

fn read_row(line: &str, parent: Option<&String>) -> Option<Row> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let path = parent.map_or_else(|| name.to_owned(), |parent| format!("{parent}/{name}"));
    let allotted = read_time(words.next()?, words.next()?)?;
    let spent = read_time(words.next()?, words.next()?)?;
    let outcome = words.collect::<Vec<_>>().join(" ");
    Some(Row {
        path,
        allotted,
        spent,
        outcome,
    })
}

/// Reads `4.59 s` or `0.3 ms`, whose last digit was rounded.
fn read_time(number: &str, unit: &str) -> Option<Time> {
    let number: f64 = number.parse().ok()?;
    let (milliseconds, rounding) = match unit {
        "s" => (number * 1_000.0, 5.0),
        "ms" => (number, 0.05),
        _ => return None,
    };
    Some(Time {
        least: milliseconds - rounding,
        most: milliseconds + rounding,
    })
}
