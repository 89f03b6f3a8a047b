//! What a league leaves behind: a page with a table for each topic, the same as JSON, and a plot for each topic.

use std::fmt::Write as _;
use std::path::Path;

use perf_rigs::machine::{Machine, versions_of};
use perf_rigs::ratios::{self, Ratio};

use crate::arguments::Arguments;
use crate::capabilities;
use crate::claimed;
use crate::contest::{self, CONTROL};
use crate::row::{self, Row};

/// With whom it is compared, by the names of their crates.
const PEERS: &[&str] = &[
    "ractor-supervisor",
    "kameo",
    "actix",
    "task-supervisor",
    "taskvisor",
    "rust-tokio-supervisor",
    "tokio-graceful-shutdown",
    "proc-daemon",
    "async-broadcast",
    "flume",
    "kanal",
    "arc-swap",
    "notify",
    "tracing-appender",
];

/// Everything that was found out.
pub(crate) struct League {
    machine: Machine,
    rounds: usize,
    rows: Vec<Row>,
    /// What each library does, where that was asked.
    capabilities: Option<String>,
}

impl League {
    /// Finds out what was asked for.
    pub(crate) fn play(arguments: &Arguments) -> Self {
        Self {
            machine: Machine::here(),
            rounds: arguments.rounds(),
            rows: contest::compete(arguments),
            capabilities: arguments.wants_capabilities().then(capabilities::table),
        }
    }

    /// Returns the rows, each a line of JSON.
    pub(crate) fn json(&self) -> String {
        let lines = self.rows.iter();
        let lines = lines.filter_map(|row| serde_json::to_string(row).ok());
        lines.map(|line| line + "\n").collect()
    }

    /// Returns the topics, in the order of the heats.
    fn topics(&self) -> Vec<&'static str> {
        let mut topics: Vec<&'static str> = self.rows.iter().map(|row| row.topic).collect();
        topics.dedup();
        let mut seen = Vec::new();
        topics.retain(|topic| {
            let is_new = !seen.contains(topic);
            seen.push(*topic);
            is_new
        });
        topics
    }

    /// Returns all of it as Markdown.
    pub(crate) fn page(&self) -> String {
        let mut text = format!(
            "{}. {}.\n",
            self.machine.line(),
            versions_of(PEERS).join(", ")
        );
        if !self.rows.is_empty() {
            let _infallible = writeln!(text, "{}", self.summary());
        }
        for topic in self.topics() {
            let rows = self.rows.iter().filter(|row| row.topic == topic);
            let rows: Vec<&Row> = rows.filter(|row| row.peer_name != CONTROL).collect();
            let _infallible = write!(text, "\n### {topic}\n\n{}", row::table(&rows));
        }
        if let Some(table) = claimed::table(&self.rows) {
            let _infallible = write!(text, "\n### Claimed, and measured here\n\n{table}");
        }
        if let Some(table) = &self.capabilities {
            let _infallible = write!(text, "\n### What each of them does\n\n{table}");
        }
        text
    }

    /// Says how much the table means: of the control pairs, and of what must be.
    fn summary(&self) -> String {
        let control = |row: &&Row| row.peer_name == CONTROL;
        let controls: Vec<&Row> = self.rows.iter().filter(control).collect();
        let near = controls.iter().filter(|row| row.pass).count();
        let ratios = || controls.iter().map(|row| row.ratio);
        let musts = self.rows.iter().filter(|row| !row.must.is_empty());
        let musts: Vec<&Row> = musts.filter(|row| !control(row)).collect();
        let kept = musts.iter().filter(|row| row.pass).count();
        format!(
            "At most {} rounds. Of {} control pairs {near} came out within a tenth of 1, the others between {:.2} and {:.2}. Of {} rows that must keep to something {kept} do.",
            self.rounds,
            controls.len(),
            ratios().fold(f64::INFINITY, f64::min),
            ratios().fold(0.0, f64::max),
            musts.len(),
        )
    }

    /// Writes `league.md`, `league.json` and a plot for each topic into a folder.
    ///
    /// # Errors
    ///
    /// When a file can't be written or a plot not drawn.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("league.md"), self.page())?;
        std::fs::write(folder.join("league.json"), self.json())?;
        for topic in self.topics() {
            let rows = self.rows.iter().filter(|row| row.topic == topic);
            let rows = rows.filter(|row| row.peer_name != CONTROL);
            let rows: Vec<Ratio> = rows.map(ratio).collect();
            let title = format!("{topic}: how many times as good ours is");
            let file = folder.join(format!("league-{topic}.svg"));
            std::fs::write(file, ratios::svg(&title, &rows)?)?;
        }
        Ok(())
    }
}

/// Turns a row so that more is better.
fn ratio(row: &Row) -> Ratio {
    let label = format!("{} ({})", row.measure, row.peer_name);
    let (middle, least, largest) = match row.unit {
        "/s" => (row.ratio, row.least, row.largest),
        _ => (1.0 / row.ratio, 1.0 / row.largest, 1.0 / row.least),
    };
    Ratio {
        label,
        middle,
        least,
        largest,
    }
}
