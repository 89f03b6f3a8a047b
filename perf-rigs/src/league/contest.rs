//! Runs the rounds of a heat and compares.

use std::collections::{HashMap, HashSet};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

use crate::arguments::Arguments;
use crate::heat::{Effort, Figures, Heat, Measure, Must, heats};
use crate::row::Row;

/// How far apart the same program may come out from itself before its rows mean nothing.
const NOISE: f64 = 0.1;

/// A middle needs as many.
const LEAST_ROUNDS: usize = 3;

/// What stands in the place of a peer where ours ran twice.
pub(crate) const CONTROL: &str = "control: ours again";

/// Runs one contender once, in this process, and prints its figures.
///
/// # Panics
///
/// When there is no such heat or contender.
pub(crate) fn run_one(heat: &str, contender: &str, effort: Effort) {
    let heats = heats();
    let found = heats.iter().find(|known| known.name == heat);
    let contender = found.and_then(|heat| heat.contender(contender));
    let figures = (contender.expect("a contender of this heat").run)(effort);
    println!("{}", serde_json::to_string(&figures).expect("numbers"));
}

/// Runs all heats that were asked for; says on stderr how far it is.
pub(crate) fn compete(arguments: &Arguments) -> Vec<Row> {
    let wanted = heats()
        .into_iter()
        .filter(|heat| arguments.wants(heat.topic));
    let wanted: Vec<Heat> = wanted.collect();
    let rounds = arguments.rounds();
    let mut progress = Progress::of(&wanted, rounds, arguments.budget());
    let mut rows = Vec::new();
    for heat in &wanted {
        rows.extend(hold(heat, arguments.effort, rounds, &mut progress));
    }
    rows
}

/// How far a league is.
struct Progress {
    began: Instant,
    /// How long all may take.
    budget: Option<Duration>,
    heats: (usize, usize),
    runs: (usize, usize),
}

impl Progress {
    fn of(heats: &[Heat], rounds: usize, budget: Option<Duration>) -> Self {
        // Ours runs twice: the second time it is the control.
        let runs = heats.iter().map(|heat| (heat.peers.len() + 2) * rounds);
        Self {
            began: Instant::now(),
            budget,
            heats: (0, heats.len()),
            runs: (0, runs.sum()),
        }
    }

    /// Begins with a heat, and returns when it should be over: it has its share of the time that is left.
    fn begin(&mut self) -> Option<Instant> {
        let heats = u32::try_from(self.heats.1 - self.heats.0).unwrap_or(u32::MAX);
        self.heats.0 += 1;
        let left = self.budget?.saturating_sub(self.began.elapsed());
        Some(Instant::now() + left / heats.max(1))
    }

    /// Says which round begins, and when all is likely to be over.
    fn say(&self, heat: &Heat, round: usize, rounds: usize) {
        let spent = self.began.elapsed().as_secs_f64();
        let ((number, heats), (done, runs)) = (self.heats, self.runs);
        let left = match done {
            0 => String::new(),
            _ => format!(
                ", about {:.0} s to go",
                spent / done as f64 * (runs - done) as f64
            ),
        };
        eprintln!(
            "{number} of {heats}, {}: {}: round {round} of {rounds}; {spent:.0} s{left}",
            heat.topic, heat.name
        );
    }
}

fn hold(heat: &Heat, effort: Effort, rounds: usize, progress: &mut Progress) -> Vec<Row> {
    let peers = heat.peers.iter().map(|(peer, _)| peer.name);
    let mut names: Vec<&'static str> = std::iter::once(heat.ours.name).chain(peers).collect();
    let mut figures: HashMap<&str, Vec<Figures>> = HashMap::new();
    // Libraries that give their child up, which costs the patience of a round each time.
    let mut out = HashSet::new();
    let until = progress.begin();
    let began = Instant::now();
    for round in 1..=rounds {
        let spent = began.elapsed();
        let next = spent / u32::try_from(round - 1).unwrap_or(0).max(1);
        let is_late = until.is_some_and(|until| Instant::now() + next > until);
        if is_late && round > LEAST_ROUNDS {
            progress.runs.1 -= (heat.peers.len() + 2) * (rounds + 1 - round);
            break;
        }
        progress.say(heat, round, rounds);
        // Whoever runs first in one round runs last in the next.
        names.reverse();
        for name in &names {
            progress.runs.0 += 1;
            if out.contains(name) {
                continue;
            }
            match in_a_process(heat.name, name, effort) {
                Some(measured) => figures.entry(name).or_default().push(measured),
                None => drop(out.insert(*name)),
            }
        }
        progress.runs.0 += 1;
        if let Some(again) = in_a_process(heat.name, heat.ours.name, effort) {
            figures.entry(CONTROL).or_default().push(again);
        }
    }
    let nothing = vec![Must::Any; heat.measures.len()];
    let peers = heat.peers.iter().map(|(peer, musts)| (peer.name, musts));
    let compared = peers.chain([(CONTROL, &nothing)]);
    let ours = figures.get(heat.ours.name).map_or(&[][..], Vec::as_slice);
    compared
        .filter_map(|(name, musts)| Some((name, figures.get(name)?, musts)))
        .flat_map(|(name, peer, musts)| rows(heat, (ours, peer), name, musts))
        .collect()
}

/// Runs this program again for one run of one contender.
fn in_a_process(heat: &str, contender: &str, effort: Effort) -> Option<Figures> {
    let program = std::env::current_exe().expect("this program");
    let effort = match effort {
        Effort::Quick => "--quick",
        Effort::Full => "--full",
    };
    let mut command = Command::new(program);
    command.args([effort, "--one", heat, contender]);
    // A backtrace for each error would be all that is measured.
    command.env("RUST_BACKTRACE", "0");
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    assert!(output.status.success(), "{heat} of {contender}: {text}");
    serde_json::from_str(last).expect("figures")
}

fn rows(
    heat: &Heat,
    (ours, peer): (&[Figures], &[Figures]),
    peer_name: &'static str,
    musts: &[Must],
) -> Vec<Row> {
    let row = |(index, (measure, must)): (usize, (&Measure, &Must))| {
        let column = |figures: &[Figures]| -> Vec<f64> {
            let figure = |figures: &Figures| figures.get(index).copied();
            figures.iter().filter_map(figure).collect()
        };
        let [ours, peer] = [ours, peer].map(column);
        let ratios: Vec<f64> = ours
            .iter()
            .zip(&peer)
            .map(|(ours, peer)| ours / peer)
            .collect();
        let ratio = median(&ratios);
        let is_control = peer_name == CONTROL;
        let must = match is_control {
            true => format!("within {NOISE}, else too noisy to tell"),
            false => must.text(),
        };
        Row {
            topic: heat.topic,
            measure: format!("{}: {}", heat.name, measure.name),
            unit: measure.unit,
            ours: median(&ours),
            peer: median(&peer),
            peer_name,
            ratio,
            least: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            largest: ratios.iter().copied().fold(0.0, f64::max),
            must,
            pass: match is_control {
                true => (ratio - 1.0).abs() <= NOISE,
                false => musts.get(index).is_none_or(|must| must.holds(ratio)),
            },
        }
    };
    heat.measures
        .iter()
        .zip(musts)
        .enumerate()
        .map(row)
        .collect()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
