//! The command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Every flag takes a value.
const FLAGS: &[&str] = &[
    "--base",
    "--baseline",
    "--current",
    "--rounds",
    "--seconds",
    "--only",
    "--waivers",
    "--save",
    "--history",
    "--out",
];

const USAGE: &str = "usage: perf-rigs gate (--base DIR | --baseline FILE) --current DIR [--rounds N] [--seconds S] [--only RIG,..]
                      [--waivers FILE] [--save FILE] [--history FILE] [--out DIR]";

/// With what a build is compared.
#[derive(Debug, PartialEq)]
pub(crate) enum Base {
    /// The rigs of another build, run in turns with the build's own.
    Build(PathBuf),
    /// What was stored of one: only figures that don't depend on the machine of the day.
    Stored(PathBuf),
}

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) base: Base,
    pub(crate) current: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) seconds: String,
    /// Only these rigs; all of them when empty.
    only: Vec<String>,
    pub(crate) waivers: Option<PathBuf>,
    /// Where the figures of the build are stored, as a baseline.
    pub(crate) save: Option<PathBuf>,
    /// The table to which a line is added.
    pub(crate) history: Option<PathBuf>,
    pub(crate) out: PathBuf,
}

impl Arguments {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    ///
    /// What is wrong with them, and the usage.
    pub(crate) fn parse(given: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}\n{USAGE}");
        let mut given = given.into_iter();
        if given.next().as_deref() != Some("gate") {
            return Err(USAGE.to_owned());
        }
        let mut said = BTreeMap::new();
        while let Some(flag) = given.next() {
            match (FLAGS.contains(&flag.as_str()), given.next()) {
                (true, Some(value)) => drop(said.insert(flag, value)),
                _ => {
                    return Err(wrong(&format!(
                        "`{flag}` is no flag, or its value is missing"
                    )));
                }
            }
        }
        let mut take = |flag: &str| said.remove(flag);
        let base = match (take("--base"), take("--baseline")) {
            (Some(build), None) => Base::Build(build.into()),
            (None, Some(file)) => Base::Stored(file.into()),
            _ => {
                return Err(wrong(
                    "one of --base and --baseline says what to compare with",
                ));
            }
        };
        let rounds = take("--rounds").unwrap_or_else(|| "9".to_owned());
        let rounds = rounds.parse().ok().filter(|rounds| *rounds > 0);
        let only = take("--only").unwrap_or_default();
        Ok(Self {
            base,
            current: take("--current")
                .ok_or_else(|| wrong("--current is missing"))?
                .into(),
            rounds: rounds.ok_or("--rounds is no number of at least 1")?,
            seconds: take("--seconds").unwrap_or_else(|| "5".to_owned()),
            only: only
                .split(',')
                .filter(|rig| !rig.is_empty())
                .map(str::to_owned)
                .collect(),
            waivers: take("--waivers").map(PathBuf::from),
            save: take("--save").map(PathBuf::from),
            history: take("--history").map(PathBuf::from),
            out: take("--out").unwrap_or_else(|| ".".to_owned()).into(),
        })
    }

    /// Tells whether the work of a rig was asked for.
    pub(crate) fn wants(&self, rig: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == rig)
    }
}
