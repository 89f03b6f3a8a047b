//! What is stored of a build, for builds to come: its figures, and on what they were measured.
//!
//! Times are none of them: between two days the same machine comes out up to twice as fast. Instructions depend on the
//! compiler and on nothing else, memory hardly on more.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Judged;
use crate::machine::Machine;

/// How the names begin of the figures that are stored.
const STORED: [&str; 2] = ["instructions", "memory"];

/// Tells whether a figure means anything on another day.
#[must_use]
pub fn is_stored(figure: &str) -> bool {
    STORED.iter().any(|stored| figure.starts_with(stored))
}

/// The figures of a build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    /// The machine in one line, for people.
    pub on: String,
    /// The machine, the compiler and the commit.
    pub machine: Machine,
    /// The figures of each work, by name.
    pub figures: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Baseline {
    /// Takes what was measured of the build that was judged.
    #[must_use]
    pub fn of(machine: &Machine, rows: &[Judged]) -> Self {
        let mut figures: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for row in rows.iter().filter(|row| is_stored(&row.figure)) {
            let work = figures.entry(row.work.clone()).or_default();
            work.insert(row.figure.clone(), row.current);
        }
        Self {
            on: machine.line(),
            machine: machine.clone(),
            figures,
        }
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// Which file can't be read, and why.
    pub fn read(path: &Path) -> Result<Self, String> {
        let named = |error: String| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| named(error.to_string()))
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    ///
    /// Never, in truth: all of it can be written.
    pub fn text(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        Ok(text + "\n")
    }

    /// Returns a figure.
    #[must_use]
    pub fn figure(&self, work: &str, figure: &str) -> Option<f64> {
        self.figures.get(work)?.get(figure).copied()
    }
}
