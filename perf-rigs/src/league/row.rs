//! One line of the table.

use std::fmt::Write as _;

use serde::Serialize;

use crate::heat::Must;

/// Ours against one peer at one measure.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) topic: &'static str,
    pub(crate) measure: String,
    pub(crate) unit: &'static str,
    /// The median of our figures.
    pub(crate) ours: f64,
    /// The median of the peer's.
    pub(crate) peer: f64,
    pub(crate) peer_name: &'static str,
    /// The median of the rounds' ratios, ours to the peer's, with the least and the largest.
    pub(crate) ratio: f64,
    pub(crate) least: f64,
    pub(crate) largest: f64,
    /// What the ratio must be, in words; empty where it is only shown.
    pub(crate) must: String,
    pub(crate) pass: bool,
}

impl Must {
    pub(crate) fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
            Self::Any => true,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("<= {most}"),
            Self::AtLeast(least) => format!(">= {least}"),
            Self::Any => String::new(),
        }
    }
}

/// Lays the rows out as a Markdown table.
pub(crate) fn table(rows: &[&Row]) -> String {
    let mut text = String::from(
        "| measure | ours | peer | | ratio (range) | must | |\n|---|---:|---:|---|---|---|---|\n",
    );
    for row in rows {
        let verdict = match (row.must.is_empty(), row.pass) {
            (true, _) => "",
            (false, true) => "ok",
            (false, false) => "**below**",
        };
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} ({:.2}–{:.2}) | {} | {verdict} |",
            row.measure,
            with_unit(row.ours, row.unit),
            with_unit(row.peer, row.unit),
            row.peer_name,
            row.ratio,
            row.least,
            row.largest,
            row.must,
        );
    }
    text
}

/// Writes nanoseconds and rates in the unit that a reader would choose.
pub(crate) fn with_unit(figure: f64, unit: &str) -> String {
    match unit {
        "ns" if figure >= 1e6 => format!("{:.2} ms", figure / 1e6),
        "ns" if figure >= 1e4 => format!("{:.1} µs", figure / 1e3),
        "ns" if figure >= 1e3 => format!("{:.2} µs", figure / 1e3),
        "bytes" if figure >= 1e6 => format!("{:.2} MB", figure / 1e6),
        "bytes" => format!("{figure:.0} bytes"),
        "/s" if figure >= 1e6 => format!("{:.2} M/s", figure / 1e6),
        "/s" if figure >= 1e3 => format!("{:.1} k/s", figure / 1e3),
        _ => format!("{figure:.1} {unit}"),
    }
}
