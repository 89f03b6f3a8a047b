//! Who spent the time of a shutdown.
//!
//! Each supervisor writes one [`Stopped`] a child as it ends; together they are a tree of the same
//! shape as the supervised one. It is data: printing it as a table is the only thing it does.

use std::fmt;
use std::time::Duration;

use crate::exit::Exit;
use crate::path::Path;
use crate::shutdown::ShutdownReason;
use crate::shutdown::guard::GuardReport;

/// How a child's stop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It stopped by itself when it was asked to.
    Stopped,
    /// It stopped, but its clean-up ended with this error or panic.
    CleanupFailed(Exit),
    /// It did not stop in time and was dropped at an await.
    Killed,
    /// It neither stopped nor died; its task, or something below it, still lives.
    Hung,
    /// It was down before the stop reached it.
    AlreadyDown,
}

impl Outcome {
    /// Every code that [`Outcome::code`] can return, in a fixed order.
    pub const CODES: [&'static str; 5] = [
        "stopped",
        "cleanup_failed",
        "killed",
        "hung",
        "already_down",
    ];

    /// Returns a stable lower-case word for labels and machine-readable output.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::CleanupFailed(_) => "cleanup_failed",
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::AlreadyDown => "already_down",
        }
    }
}

/// One line of a stop report.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// Which child.
    pub path: Path,
    /// How long it was allowed to take.
    pub allotted: Duration,
    /// How long it took.
    pub spent: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Its own children, in the order in which they were stopped.
    pub children: Vec<Stopped>,
}

impl Stopped {
    /// Visits this line and all below it, parents first.
    pub fn visit<'a>(&'a self, depth: usize, see: &mut impl FnMut(usize, &'a Self)) {
        see(depth, self);
        for child in &self.children {
            child.visit(depth + 1, see);
        }
    }
}

/// What a whole tree's shutdown came to.
#[derive(Debug, Clone, PartialEq)]
pub struct StopReport {
    /// Why the tree stopped.
    pub reason: ShutdownReason,
    /// How the root supervisor ended.
    pub exit: Exit,
    /// The root and everything below it.
    pub root: Stopped,
    /// Work outside of the tree that held its end.
    pub guards: Vec<GuardReport>,
}

impl StopReport {
    /// Returns the lines in the order of the tree, with their depth.
    #[must_use]
    pub fn lines(&self) -> Vec<(usize, &Stopped)> {
        let mut lines = Vec::new();
        self.root
            .visit(0, &mut |depth, line| lines.push((depth, line)));
        lines
    }

    /// Returns the paths of everything that still lives, deepest last.
    #[must_use]
    pub fn hung(&self) -> Vec<&Path> {
        let hung = |(_, line): &(usize, &Stopped)| line.outcome == Outcome::Hung;
        self.lines()
            .into_iter()
            .filter(hung)
            .map(|(_, line)| &line.path)
            .collect()
    }

    /// Returns those that took longest to stop, the slowest first, at most `count`: leaves, and supervisors
    /// that had nothing to stop. What took less than 10 ms is not slow.
    #[must_use]
    pub fn slowest(&self, count: usize) -> Vec<&Stopped> {
        let mut slow: Vec<_> = self.lines().into_iter().map(|(_, line)| line).collect();
        slow.retain(|line| line.children.is_empty() && line.spent >= SLOW);
        // Stable: of two that took as long, the one that was stopped first comes first.
        slow.sort_by_key(|line| std::cmp::Reverse(line.spent));
        slow.truncate(count);
        slow
    }

    /// Returns the names of the guards that were not given back in time.
    #[must_use]
    pub fn unreleased(&self) -> Vec<&str> {
        let held = self.guards.iter().filter(|guard| !guard.is_released);
        held.map(|guard| &*guard.name).collect()
    }

    /// Tells whether everything stopped when it was asked to: nothing killed, hung or failing, and no guard
    /// kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let clean = |(_, line): &(usize, &Stopped)| {
            matches!(line.outcome, Outcome::Stopped | Outcome::AlreadyDown)
        };
        self.lines().iter().all(clean) && self.unreleased().is_empty()
    }
}

/// What a person notices among steps of milliseconds.
const SLOW: Duration = Duration::from_millis(10);

/// How many of the slowest are named: who is to blame is rarely more.
const SLOWEST_NAMED: usize = 3;

/// How many children of one supervisor the printed table shows; the rest is summed up in a line.
const TABLE_ROWS_PER_SUPERVISOR: usize = 50;

impl fmt::Display for StopReport {
    /// Prints a table: path, allotted, spent, outcome; below it the guards, and the slowest three.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        table_rows(&self.root, 0, &mut rows);
        let width = rows
            .iter()
            .map(|row| row[0].chars().count())
            .max()
            .unwrap_or(0)
            .max(4);
        writeln!(f, "shutdown ({}): root {}", self.reason, self.exit)?;
        writeln!(
            f,
            "{:<width$}  {:>9}  {:>9}  outcome",
            "path", "allotted", "spent"
        )?;
        for [path, allotted, spent, outcome] in &rows {
            writeln!(f, "{path:<width$}  {allotted:>9}  {spent:>9}  {outcome}")?;
        }
        for guard in &self.guards {
            let outcome = guard.outcome();
            writeln!(
                f,
                "guard {:?}: {outcome} after {}",
                guard.name,
                readable(guard.spent)
            )?;
        }
        let slowest = self.slowest(SLOWEST_NAMED);
        if !slowest.is_empty() {
            writeln!(f, "slowest: {}", named(&slowest))?;
        }
        Ok(())
    }
}

impl GuardReport {
    fn outcome(&self) -> &'static str {
        match self.is_released {
            true => "released",
            false => "still held",
        }
    }
}

/// Names lines with their times, in one line.
pub(crate) fn named(lines: &[&Stopped]) -> String {
    let one = |line: &&Stopped| format!("{} {}", line.path, readable(line.spent));
    lines.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn table_rows(line: &Stopped, depth: usize, rows: &mut Vec<[String; 4]>) {
    let name = if depth == 0 {
        line.path.as_str()
    } else {
        line.path.name()
    };
    let outcome = match &line.outcome {
        Outcome::CleanupFailed(exit) => format!("cleanup_failed: {exit}"),
        outcome => outcome.code().to_owned(),
    };
    let indent = "  ".repeat(depth);
    rows.push([
        format!("{indent}{name}"),
        readable(line.allotted),
        readable(line.spent),
        outcome,
    ]);
    for child in line.children.iter().take(TABLE_ROWS_PER_SUPERVISOR) {
        table_rows(child, depth + 1, rows);
    }
    if let Some(rest) = line
        .children
        .get(TABLE_ROWS_PER_SUPERVISOR..)
        .filter(|rest| !rest.is_empty())
    {
        let slowest = rest.iter().map(|line| line.spent).max().unwrap_or_default();
        let named = format!("{indent}  … {} more", rest.len());
        rows.push([
            named,
            String::new(),
            readable(slowest),
            "(slowest of them)".to_owned(),
        ]);
    }
}

pub(crate) fn readable(duration: Duration) -> String {
    if duration >= Duration::from_secs(1) {
        format!("{:.2} s", duration.as_secs_f64())
    } else {
        format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
    }
}

#[cfg(feature = "serde")]
mod json {
    //! The report as serde values; times in seconds, as everywhere outside the process.

    use serde::ser::{Serialize, SerializeStruct, Serializer};

    use super::{GuardReport, Outcome, SLOWEST_NAMED, StopReport, Stopped};

    impl Serialize for Stopped {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut line = serializer.serialize_struct("Stopped", 6)?;
            line.serialize_field("path", &self.path)?;
            line.serialize_field("allotted_seconds", &self.allotted.as_secs_f64())?;
            line.serialize_field("spent_seconds", &self.spent.as_secs_f64())?;
            line.serialize_field("outcome", self.outcome.code())?;
            let error = match &self.outcome {
                Outcome::CleanupFailed(exit) => Some(exit.to_string()),
                _ => None,
            };
            line.serialize_field("error", &error)?;
            line.serialize_field("children", &self.children)?;
            line.end()
        }
    }

    impl Serialize for StopReport {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut report = serializer.serialize_struct("StopReport", 5)?;
            report.serialize_field("reason", &self.reason.to_string())?;
            report.serialize_field("exit", self.exit.code())?;
            report.serialize_field("root", &self.root)?;
            report.serialize_field("guards", &self.guards)?;
            let slowest: Vec<_> = self
                .slowest(SLOWEST_NAMED)
                .iter()
                .map(|line| &line.path)
                .collect();
            report.serialize_field("slowest", &slowest)?;
            report.end()
        }
    }

    impl Serialize for GuardReport {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut guard = serializer.serialize_struct("GuardReport", 3)?;
            guard.serialize_field("name", &*self.name)?;
            guard.serialize_field("spent_seconds", &self.spent.as_secs_f64())?;
            guard.serialize_field("is_released", &self.is_released)?;
            guard.end()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GuardReport, Outcome, StopReport, Stopped};
    use crate::exit::Exit;
    use crate::path::Path;
    use crate::shutdown::ShutdownReason;
    use std::time::Duration;

    fn line(path: Path, spent: u64, outcome: Outcome, children: Vec<Stopped>) -> Stopped {
        Stopped {
            path,
            allotted: Duration::from_secs(5),
            spent: Duration::from_millis(spent),
            outcome,
            children,
        }
    }

    fn report() -> StopReport {
        let root = Path::root("app");
        let slow = line(root.join("slow"), 4_950, Outcome::Killed, Vec::new());
        let stuck = line(root.join("stuck"), 50, Outcome::Hung, Vec::new());
        StopReport {
            reason: ShutdownReason::Signal(15),
            exit: Exit::Shutdown,
            root: line(root, 5_000, Outcome::Hung, vec![slow, stuck]),
            guards: vec![GuardReport {
                name: "upload".into(),
                spent: Duration::from_millis(20),
                is_released: false,
            }],
        }
    }

    #[test]
    fn the_table_shows_every_child_below_its_parent() {
        let table = report().to_string();
        let rows: Vec<_> = table
            .lines()
            .skip(2)
            .map(|row| row.split_whitespace().collect::<Vec<_>>())
            .collect();
        assert_eq!(rows[0], ["/app", "5.00", "s", "5.00", "s", "hung"]);
        assert_eq!(rows[1], ["slow", "5.00", "s", "4.95", "s", "killed"]);
        assert_eq!(rows[2], ["stuck", "5.00", "s", "50.0", "ms", "hung"]);
        let below: Vec<_> = table.lines().skip(5).collect();
        assert_eq!(
            below,
            [
                "guard \"upload\": still held after 20.0 ms",
                "slowest: /app/slow 4.95 s, /app/stuck 50.0 ms",
            ]
        );
    }

    #[cfg(feature = "serde")]
    #[test]
    fn the_json_has_a_line_for_every_child_with_its_times_in_seconds() {
        let failed = Exit::Failed(crate::exit::ErrorChain::message("no disk"));
        let mut report = report();
        report.root.children[0].outcome = Outcome::CleanupFailed(failed);
        let json = serde_json::to_value(&report).expect("plain data");
        assert_eq!(json["reason"], "SIGTERM");
        assert_eq!(json["exit"], "shutdown");
        let slow = serde_json::json!({
            "path": "/app/slow",
            "allotted_seconds": 5.0,
            "spent_seconds": 4.95,
            "outcome": "cleanup_failed",
            "error": "failed: no disk",
            "children": [],
        });
        assert_eq!(json["root"]["children"][0], slow);
        assert_eq!(json["root"]["children"][1]["outcome"], "hung");
        assert_eq!(json["slowest"][0], "/app/slow");
        assert_eq!(json["guards"][0]["is_released"], false);
        assert_eq!(
            json["root"]["children"][1]["error"],
            serde_json::Value::Null
        );
    }

    #[test]
    fn what_still_lives_is_named() {
        let report = report();
        assert_eq!(
            report.hung(),
            [&Path::root("app"), &Path::root("app").join("stuck")]
        );
        assert!(!report.is_clean());
    }
}
