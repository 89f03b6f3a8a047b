//! `perf-rigs gate`: runs the rigs of two builds in turns and fails when the newer one is worse.
//!
//! ```text
//! perf-rigs gate --base DIR --current DIR [--rounds 9] [--seconds 5] [--waivers FILE] [--out DIR]
//! ```
//!
//! Each folder holds the rigs of one build, as `target/release` does. Exit codes: 0 nothing got worse, 1 something
//! did, 2 wrong arguments or a rig that can't be run, 3 the machine is too noisy to tell.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is a table"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use perf_rigs::gate::{self, Judgement, Round, Verdict, Waiver};
use perf_rigs::report::{Better, Figure, Report};
use serde::Serialize;

/// One thing that both builds do.
struct Work {
    /// What it is called in the table and in waivers.
    name: &'static str,
    rig: &'static str,
    arguments: &'static [&'static str],
    /// How the figures begin that mean something in this work.
    figures: &'static [&'static str],
}

/// The work of the gate. Where a rig spins to be on time, or does as much as it can, its processor time says nothing.
const WORK: &[Work] = &[
    Work {
        name: "bus, 50 000/s",
        rig: "perf_bus_fanout",
        arguments: &["--preset", "50k"],
        figures: &["p95", "p99", "memory"],
    },
    Work {
        name: "bus, as fast as it can",
        rig: "perf_bus_fanout",
        arguments: &["--rate", "0", "--burst", "64"],
        figures: &["received"],
    },
    Work {
        name: "bus, 100 000/s by the tick",
        rig: "perf_bus_fanout",
        arguments: &["--preset", "cpu"],
        figures: &["cpu"],
    },
    Work {
        name: "restarts",
        rig: "perf_restart_storm",
        arguments: &["--rate", "0"],
        figures: &["respawn", "restarts", "memory"],
    },
    Work {
        name: "configuration",
        rig: "perf_config_reload",
        arguments: &["--rate", "50"],
        figures: &["swap", "cpu", "memory"],
    },
    Work {
        name: "shutdown of 100",
        rig: "perf_shutdown",
        arguments: &["--preset", "100"],
        figures: &["stop of a child", "memory"],
    },
    Work {
        name: "messages",
        rig: "perf_messages",
        arguments: &[],
        figures: &["handled", "memory"],
    },
];

const USAGE: &str = "usage: perf-rigs gate --base DIR --current DIR [--rounds N] [--seconds S] [--only RIG] [--waivers FILE] [--out DIR]";

struct Arguments {
    base: PathBuf,
    current: PathBuf,
    rounds: usize,
    seconds: String,
    only: Option<String>,
    waivers: Option<PathBuf>,
    out: PathBuf,
}

impl Arguments {
    fn parse(given: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut given = given.into_iter();
        if given.next().as_deref() != Some("gate") {
            return Err(USAGE.to_owned());
        }
        let mut said = BTreeMap::new();
        while let Some(flag) = given.next() {
            let known = [
                "--base",
                "--current",
                "--rounds",
                "--seconds",
                "--only",
                "--waivers",
                "--out",
            ];
            match (known.contains(&flag.as_str()), given.next()) {
                (true, Some(value)) => drop(said.insert(flag, value)),
                _ => {
                    return Err(format!(
                        "`{flag}` is no flag, or its value is missing\n{USAGE}"
                    ));
                }
            }
        }
        let mut take = |flag: &str| said.remove(flag);
        let missing = |flag| format!("{flag} is missing\n{USAGE}");
        let rounds = take("--rounds").unwrap_or_else(|| "9".to_owned());
        let rounds = rounds.parse().ok().filter(|rounds| *rounds > 0);
        Ok(Self {
            base: take("--base").ok_or_else(|| missing("--base"))?.into(),
            current: take("--current")
                .ok_or_else(|| missing("--current"))?
                .into(),
            rounds: rounds.ok_or("--rounds is no number of at least 1")?,
            seconds: take("--seconds").unwrap_or_else(|| "5".to_owned()),
            only: take("--only"),
            waivers: take("--waivers").map(PathBuf::from),
            out: take("--out").unwrap_or_else(|| ".".to_owned()).into(),
        })
    }
}

/// A figure and what became of it.
#[derive(Serialize)]
struct Row {
    work: &'static str,
    figure: String,
    threshold: f64,
    #[serde(flatten)]
    judgement: Judgement,
    /// Why it is accepted although it is worse.
    waived: Option<String>,
}

fn run() -> Result<ExitCode, String> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        gate::waivers(&text).map_err(|wrong| format!("{}: {wrong}", path.display()))
    };
    let waivers = arguments
        .waivers
        .as_ref()
        .map(read)
        .transpose()?
        .unwrap_or_default();
    let mut rows = Vec::new();
    for work in WORK {
        if arguments.only.as_ref().is_none_or(|only| only == work.rig) {
            rows.extend(compare(&arguments, work)?);
        }
    }
    for row in &mut rows {
        row.waived = reason(&waivers, row);
    }
    let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
    std::fs::write(arguments.out.join("gate.json"), text + "\n")
        .map_err(|error| error.to_string())?;
    print!("{}", table(&rows));
    Ok(code(&rows))
}

/// Does one work with both builds in turns.
fn compare(arguments: &Arguments, work: &Work) -> Result<Vec<Row>, String> {
    let mut rounds: BTreeMap<(usize, String), (Better, Vec<Round>)> = BTreeMap::new();
    for number in 0..arguments.rounds {
        eprintln!(
            "{}: round {} of {}",
            work.name,
            number + 1,
            arguments.rounds
        );
        let measure = |build: &Path| measure(arguments, build, work);
        let base = measure(&arguments.base)?;
        let current = measure(&arguments.current)?;
        let again = measure(&arguments.base)?;
        for (order, figure) in base.iter().enumerate() {
            let value = |figures: &[Figure]| {
                let same = figures.iter().find(|other| other.name == figure.name);
                same.map(|same| same.value)
            };
            // A figure that one of the builds does not have is not compared.
            if let (Some(current), Some(again)) = (value(&current), value(&again)) {
                let entry = rounds.entry((order, figure.name.clone()));
                let (_, rounds) = entry.or_insert_with(|| (figure.better, Vec::new()));
                rounds.push(Round {
                    base: figure.value,
                    current,
                    again,
                });
            }
        }
    }
    let judged = rounds
        .into_iter()
        .filter_map(|((_, figure), (better, rounds))| {
            let is_meant = work.figures.iter().any(|meant| figure.starts_with(meant));
            let is_compared = is_meant && better != Better::Neither;
            let threshold = gate::threshold_of(work.rig, &figure).filter(|_| is_compared)?;
            Some(Row {
                work: work.name,
                threshold,
                judgement: gate::judge(&rounds, better, threshold),
                figure,
                waived: None,
            })
        });
    Ok(judged.collect())
}

/// Runs one rig of one build, and returns its figures, with what it used.
fn measure(arguments: &Arguments, build: &Path, work: &Work) -> Result<Vec<Figure>, String> {
    let program = build.join(work.rig);
    let failed = |what: String| format!("{}: {what}", program.display());
    let scratch = arguments.out.join("gate-round");
    let mut command = Command::new(&program);
    command
        .args(work.arguments)
        .args(["--seconds", &arguments.seconds, "--json", "--out"])
        .arg(&scratch);
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let text = std::fs::read_to_string(scratch.join(format!("{}.json", work.rig)));
    std::fs::remove_dir_all(&scratch).map_err(|error| failed(error.to_string()))?;
    let text = text.map_err(|error| failed(error.to_string()))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let used = [
        Figure::lower("cpu", report.usage.cpu_percent, "%"),
        Figure::lower("memory", report.usage.resident_peak_bytes as f64, "bytes"),
    ];
    Ok(report.figures.into_iter().chain(used).collect())
}

fn reason(waivers: &[Waiver], row: &Row) -> Option<String> {
    let fits = |waiver: &&Waiver| waiver.work == row.work && waiver.figure == row.figure;
    waivers
        .iter()
        .find(fits)
        .map(|waiver| waiver.reason.clone())
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| work | figure | ratio, more is worse (quarters) | at most | noise | |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Judgement {
            ratio,
            low,
            high,
            noise,
            verdict,
        } = &row.judgement;
        let verdict = match (verdict, &row.waived) {
            (Verdict::Kept, _) => "kept".to_owned(),
            (Verdict::Worse, Some(reason)) => format!("worse, waived: {reason}"),
            (Verdict::Worse, None) => "**worse**".to_owned(),
            (Verdict::Noisy, _) => "too noisy to tell".to_owned(),
        };
        let line = format!(
            "| {} | {} | {ratio:.2} ({low:.2}–{high:.2}) | {:.2} | {:.0} % | {verdict} |\n",
            row.work,
            row.figure,
            1.0 + row.threshold,
            noise * 100.0,
        );
        text.push_str(&line);
    }
    text
}

fn code(rows: &[Row]) -> ExitCode {
    let is = |wanted| {
        rows.iter()
            .any(|row| row.judgement.verdict == wanted && row.waived.is_none())
    };
    match (is(Verdict::Worse), is(Verdict::Noisy)) {
        (true, _) => ExitCode::from(1),
        (false, true) => ExitCode::from(3),
        (false, false) => ExitCode::SUCCESS,
    }
}

fn main() -> ExitCode {
    run().unwrap_or_else(|wrong| {
        eprintln!("{wrong}");
        ExitCode::from(2)
    })
}
