//! Runs the rigs, and brings the figures of a round together.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use perf_rigs::gate::baseline::{Baseline, is_stored};
use perf_rigs::gate::{self, Judged, Round};
use perf_rigs::machine::Machine;
use perf_rigs::report::{Better, Figure, Report};

use crate::arguments::{Arguments, Base};
use crate::work::{WORK, Work};

/// Everything that was compared.
pub(crate) struct Compared {
    /// On what the build ran last.
    pub(crate) machine: Machine,
    /// With which commit it was compared.
    pub(crate) base: String,
    pub(crate) rows: Vec<Judged>,
}

/// What one run of a rig brought.
struct Run {
    figures: Vec<Figure>,
    machine: Machine,
}

impl Run {
    fn value(&self, name: &str) -> Option<f64> {
        let same = self.figures.iter().find(|figure| figure.name == name);
        same.map(|same| same.value)
    }
}

/// Does all the work that was asked for, and judges it.
///
/// # Errors
///
/// When a rig can't be run, or what is stored can't be read.
pub(crate) fn compare(arguments: &Arguments) -> Result<Compared, String> {
    let stored = match &arguments.base {
        Base::Build(_) => None,
        Base::Stored(file) => Some(Baseline::read(file)?),
    };
    let mut compared = Compared {
        machine: Machine::here(),
        base: stored
            .as_ref()
            .map_or(String::new(), |stored| stored.machine.commit.clone()),
        rows: Vec::new(),
    };
    for work in WORK.iter().filter(|work| arguments.wants(work.rig)) {
        match (&stored, &arguments.base) {
            (None, Base::Build(base)) => in_turns(arguments, base, work, &mut compared)?,
            (Some(stored), _) if is_worth_a_run(work) => {
                beside(arguments, stored, work, &mut compared)?
            }
            _ => {}
        }
    }
    Ok(compared)
}

/// Tells whether any figure of a work is stored in a baseline.
fn is_worth_a_run(work: &Work) -> bool {
    work.figures.iter().any(|figure| is_stored(figure))
}

/// The figures by their order and name, with their rounds.
type Rounds = BTreeMap<(usize, String), (Better, Vec<Round>)>;

/// Does one work with both builds in turns.
fn in_turns(
    arguments: &Arguments,
    base: &Path,
    work: &Work,
    compared: &mut Compared,
) -> Result<(), String> {
    let mut all = Rounds::new();
    let count = if work.is_counted { 1 } else { arguments.rounds };
    for number in 1..=count {
        eprintln!("{}: round {number} of {count}", work.name);
        let measure = |build: &Path| measure(arguments, build, work);
        let before = measure(base)?;
        let current = measure(&arguments.current)?;
        // What is counted comes out the same.
        let again = (!work.is_counted).then(|| measure(base)).transpose()?;
        for (order, figure) in before.figures.iter().enumerate() {
            let repeated = again
                .as_ref()
                .map_or(Some(figure.value), |again| again.value(&figure.name));
            // A figure that one of the builds does not have is not compared.
            if let (Some(current), Some(again)) = (current.value(&figure.name), repeated) {
                let entry = all.entry((order, figure.name.clone()));
                let (_, rounds) = entry.or_insert_with(|| (figure.better, Vec::new()));
                rounds.push(Round {
                    base: figure.value,
                    current,
                    again,
                });
            }
        }
        compared.base = before.machine.commit;
        compared.machine = current.machine;
    }
    compared.rows.extend(judge(work, all));
    Ok(())
}

/// Does one work with the build alone, and compares it with what is stored.
fn beside(
    arguments: &Arguments,
    stored: &Baseline,
    work: &Work,
    compared: &mut Compared,
) -> Result<(), String> {
    eprintln!("{}: beside what is stored", work.name);
    let current = measure(arguments, &arguments.current, work)?;
    let mut all = Rounds::new();
    for (order, figure) in current.figures.iter().enumerate() {
        if let Some(base) = stored.figure(work.name, &figure.name) {
            let round = Round {
                base,
                current: figure.value,
                again: base,
            };
            all.insert((order, figure.name.clone()), (figure.better, vec![round]));
        }
    }
    compared.machine = current.machine;
    compared.rows.extend(judge(work, all));
    Ok(())
}

fn judge(work: &Work, all: Rounds) -> impl Iterator<Item = Judged> {
    all.into_iter()
        .filter_map(|((_, figure), (better, rounds))| {
            let is_meant = work.figures.iter().any(|meant| figure.starts_with(meant));
            let is_compared = is_meant && better != Better::Neither;
            let threshold = gate::threshold_of(work.rig, &figure).filter(|_| is_compared)?;
            Some(Judged::new((work.name, figure), &rounds, better, threshold))
        })
}

/// Runs one rig of one build.
fn measure(arguments: &Arguments, build: &Path, work: &Work) -> Result<Run, String> {
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
    Ok(Run {
        figures: report.figures.into_iter().chain(used).collect(),
        machine: report.machine,
    })
}
