//! What a rig leaves behind: figures for a gate, a series for a plot, and what both were measured on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::usage::Usage;

/// Which way a figure should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is better: a time, a count of losses.
    Lower,
    /// More is better: a rate.
    Higher,
    /// It is what it is: how much work was done.
    Neither,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// A stable name, for gates.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
    /// Which way it should go.
    pub better: Better,
    /// What it is meant to keep to, if anything is claimed of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
}

impl Figure {
    /// A figure of which less is better.
    #[must_use]
    pub fn lower(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self::new(name, value, unit, Better::Lower)
    }

    /// A figure of which more is better.
    #[must_use]
    pub fn higher(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self::new(name, value, unit, Better::Higher)
    }

    /// A figure that says how much was done.
    #[must_use]
    pub fn plain(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self::new(name, value, unit, Better::Neither)
    }

    fn new(name: impl Into<String>, value: f64, unit: &str, better: Better) -> Self {
        Self {
            name: name.into(),
            value,
            unit: unit.to_owned(),
            better,
            objective: None,
        }
    }

    /// Says what it is meant to keep to: at most so much, or at least, as is better.
    #[must_use]
    pub fn objective(mut self, objective: f64) -> Self {
        self.objective = Some(objective);
        self
    }

    /// Tells whether it keeps to its objective; `None` where it has none.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let objective = self.objective?;
        Some(match self.better {
            Better::Lower => self.value <= objective,
            Better::Higher => self.value >= objective,
            Better::Neither => true,
        })
    }
}

/// Values over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What the moments are counted in.
    pub x: String,
    /// The unit of what is drawn.
    pub unit: String,
    /// The names of the columns; those that are drawn come first.
    pub columns: Vec<String>,
    /// How many are drawn.
    pub drawn: usize,
    /// The moments, and a value for each column.
    pub rows: Vec<(f64, Vec<f64>)>,
}

impl Series {
    /// Makes one without moments. `drawn` share `unit`; the others stand in the CSV alone.
    #[must_use]
    pub fn new(x: &str, unit: &str, drawn: &[&str], others: &[&str]) -> Self {
        let columns = drawn.iter().chain(others);
        Self {
            x: x.to_owned(),
            unit: unit.to_owned(),
            columns: columns.map(|column| (*column).to_owned()).collect(),
            drawn: drawn.len(),
            rows: Vec::new(),
        }
    }

    /// Adds a moment.
    ///
    /// # Panics
    ///
    /// When there is not one value for each column.
    pub fn push(&mut self, x: f64, values: Vec<f64>) {
        assert_eq!(values.len(), self.columns.len(), "a value for each column");
        self.rows.push((x, values));
    }

    /// Tells whether a column is drawn.
    #[must_use]
    pub fn is_drawn(&self, column: usize) -> bool {
        column < self.drawn
    }

    /// Returns a column with its moments, of those at or after `from`.
    #[must_use]
    pub fn column(&self, name: &str, from: f64) -> Vec<(f64, f64)> {
        let Some(column) = self.columns.iter().position(|known| known == name) else {
            return Vec::new();
        };
        let rows = self.rows.iter().filter(|row| row.0 >= from);
        rows.map(|row| (row.0, row.1[column])).collect()
    }

    /// Writes it as CSV.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = format!("{},{}\n", self.x, self.columns.join(","));
        for (x, values) in &self.rows {
            let values = std::iter::once(x).chain(values).map(f64::to_string);
            text.push_str(&values.collect::<Vec<_>>().join(","));
            text.push('\n');
        }
        text
    }
}

/// What the load itself found out.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The figures, in the order in which they are read.
    pub figures: Vec<Figure>,
    /// What is drawn.
    pub series: Series,
}

/// Everything that a rig leaves behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Which rig.
    pub rig: String,
    /// With which settings, the defaults among them.
    pub settings: BTreeMap<String, String>,
    /// On what.
    pub machine: Machine,
    /// For what.
    pub usage: Usage,
    /// With what result.
    pub figures: Vec<Figure>,
    /// And how that came.
    pub series: Series,
}

impl Report {
    /// Returns a figure by its name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        let figure = self.figures.iter().find(|figure| figure.name == name);
        figure.map(|figure| figure.value)
    }

    /// Writes the figures as a Markdown table, with the machine above it.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{}: {}\n\n| figure | | objective | |\n|---|---:|---:|---|\n",
            self.rig,
            self.machine.line()
        );
        let usage = [
            Figure::plain("CPU", self.usage.cpu_percent, "% of one"),
            Figure::plain(
                "resident, at most",
                self.usage.resident_peak_bytes as f64 / 1e6,
                "MB",
            ),
        ];
        for figure in self.figures.iter().chain(&usage) {
            let sign = if figure.better == Better::Higher {
                ">="
            } else {
                "<="
            };
            let objective = figure
                .objective
                .map(|objective| format!("{sign} {objective}"));
            let verdict = match figure.is_met() {
                None => "",
                Some(true) => "ok",
                Some(false) => "**missed**",
            };
            let _infallible = writeln!(
                text,
                "| {} | {} {} | {} | {verdict} |",
                figure.name,
                digits(figure.value),
                figure.unit,
                objective.unwrap_or_default(),
            );
        }
        text
    }
}

/// Writes a number with as many digits as mean something.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 || value.fract() == 0.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Series};

    #[test]
    fn an_objective_is_met_on_its_own_side() {
        for (figure, met) in [
            (Figure::lower("p50", 19.0, "µs").objective(20.0), Some(true)),
            (
                Figure::lower("p50", 21.0, "µs").objective(20.0),
                Some(false),
            ),
            (
                Figure::higher("rate", 21.0, "/s").objective(20.0),
                Some(true),
            ),
            (
                Figure::higher("rate", 19.0, "/s").objective(20.0),
                Some(false),
            ),
            (Figure::lower("p50", 19.0, "µs"), None),
        ] {
            assert_eq!(figure.is_met(), met, "{figure:?}");
        }
    }

    #[test]
    fn a_series_is_a_table() {
        let mut series = Series::new("seconds", "/s", &["a"], &["b"]);
        series.push(0.5, vec![1.0, 2.0]);
        series.push(1.0, vec![3.0, 4.5]);
        assert_eq!(series.csv(), "seconds,a,b\n0.5,1,2\n1,3,4.5\n");
        assert_eq!(series.column("b", 0.6), [(1.0, 4.5)]);
        assert_eq!(series.column("c", 0.0), []);
    }
}
