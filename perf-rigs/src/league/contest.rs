//! Runs the rounds of a heat and compares.

use std::collections::{HashMap, HashSet};
use std::process::{Command, Stdio};

use crate::arguments::Arguments;
use crate::heat::{Effort, Figures, Heat, Measure, Must, heats};
use crate::row::Row;

/// How far apart the same program may come out from itself before its rows mean nothing.
const NOISE: f64 = 0.1;
const CONTROL: &str = "control: ours again";

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
    wanted
        .flat_map(|heat| hold(&heat, arguments.effort))
        .collect()
}

fn hold(heat: &Heat, effort: Effort) -> Vec<Row> {
    let peers = heat.peers.iter().map(|(peer, _)| peer.name);
    let mut names: Vec<&'static str> = std::iter::once(heat.ours.name).chain(peers).collect();
    let mut figures: HashMap<&str, Vec<Figures>> = HashMap::new();
    // Libraries that give their child up, which costs the patience of a round each time.
    let mut out = HashSet::new();
    for round in 0..effort.rounds() {
        eprintln!("{}: round {}", heat.name, round + 1);
        // Whoever runs first in one round runs last in the next.
        names.reverse();
        for name in &names {
            if out.contains(name) {
                continue;
            }
            match in_a_process(heat.name, name, effort) {
                Some(measured) => figures.entry(name).or_default().push(measured),
                None => drop(out.insert(*name)),
            }
        }
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
