//! Compares two builds by the figures of their rigs: is the one slower, or is the machine noisy?
//!
//! Both are run in turns, so that whatever the machine does befalls both; the ratios of one round are compared and
//! no figures of different rounds. The base runs twice in each round: how far it comes out from itself is what a
//! ratio of this machine means. A figure counts as worse when the middle ratio is past its threshold *and* three
//! quarters of the rounds say so of its direction beyond that noise. It is too noisy to tell when the base itself
//! came out further from itself than the threshold, unless the ratios say that nothing got worse at all.

pub mod baseline;
pub mod history;

use serde::{Deserialize, Serialize};

use crate::report::{Better, digits};

/// By how much a figure may get worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Which rig's; `*` for every one.
    pub rig: &'static str,
    /// How the figure's name begins.
    pub figure: &'static str,
    /// As a share: 0.1 is a tenth.
    pub share: f64,
}

/// What is compared, the first that fits a figure. What fits none is not compared.
pub const THRESHOLDS: &[Threshold] = &[
    // Counted: nothing but a change of the program, or of the compiler, changes them.
    // It came out up to 4 % apart from itself.
    threshold(
        "perf_instructions",
        "instructions of a start and stop",
        0.10,
    ),
    threshold("perf_instructions", "instructions", 0.05),
    threshold("perf_bus_fanout", "p95", 0.10),
    threshold("perf_bus_fanout", "p99", 0.15),
    threshold("perf_bus_fanout", "received", 0.10),
    threshold("perf_restart_storm", "respawn p95", 0.20),
    threshold("perf_restart_storm", "respawn p50", 0.20),
    threshold("perf_restart_storm", "restarts", 0.10),
    threshold("perf_config_reload", "swap p95", 0.20),
    threshold("perf_messages", "handled", 0.10),
    threshold("perf_shutdown", "stop of a child", 0.20),
    threshold("*", "cpu", 0.15),
    threshold("*", "memory", 0.15),
];

const fn threshold(rig: &'static str, figure: &'static str, share: f64) -> Threshold {
    Threshold { rig, figure, share }
}

/// Returns by how much a figure may get worse; `None` where it is not compared.
#[must_use]
pub fn threshold_of(rig: &str, figure: &str) -> Option<f64> {
    let fits = |known: &&Threshold| {
        (known.rig == "*" || known.rig == rig) && figure.starts_with(known.figure)
    };
    THRESHOLDS.iter().find(fits).map(|known| known.share)
}

/// One figure in one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// What the base measured.
    pub base: f64,
    /// What the build measured that is judged.
    pub current: f64,
    /// What the base measured when it ran again.
    pub again: f64,
}

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No worse than it may be.
    Kept,
    /// Worse.
    Worse,
    /// Nobody can tell: the base came out further from itself than the figure may get worse.
    Noisy,
}

/// A figure that was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What became of it.
    pub verdict: Verdict,
    /// The middle of the ratios, turned so that more than 1 is worse.
    pub ratio: f64,
    /// The quarter of them that says the least bad.
    pub low: f64,
    /// The quarter of them that says the worst.
    pub high: f64,
    /// How far the base came out from itself, as a share: the middle of the rounds.
    pub noise: f64,
}

/// Judges one figure.
#[must_use]
pub fn judge(rounds: &[Round], better: Better, share: f64) -> Judgement {
    let worse = |base: f64, current: f64| match better {
        Better::Higher => ratio(base, current),
        Better::Lower | Better::Neither => ratio(current, base),
    };
    let ratios: Vec<f64> = rounds
        .iter()
        .map(|round| worse((round.base * round.again).sqrt(), round.current))
        .collect();
    let apart: Vec<f64> = rounds
        .iter()
        .map(|round| ratio(round.again, round.base).ln().abs().exp_m1())
        .collect();
    let (low, ratio, high) = (
        quantile(&ratios, 0.25),
        quantile(&ratios, 0.5),
        quantile(&ratios, 0.75),
    );
    let noise = quantile(&apart, 0.5);
    // The base is the mean of two runs, and so is as far off as one of them divided by the root of two.
    let is_beyond_noise = low > 1.0 + noise / 2.0;
    let is_past = ratio > 1.0 + share;
    let verdict = if is_past && is_beyond_noise {
        Verdict::Worse
    } else if is_past || (noise > share && high > 1.0) {
        Verdict::Noisy
    } else {
        Verdict::Kept
    };
    Judgement {
        verdict,
        ratio,
        low,
        high,
        noise,
    }
}

/// A figure of one work, what it came to, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Which work, by the name in the table.
    pub work: String,
    /// Which figure of it.
    pub figure: String,
    /// The middle of what the base measured.
    pub base: f64,
    /// The middle of what the build measured that is judged.
    pub current: f64,
    /// By how much it may get worse.
    pub threshold: f64,
    /// How it compares.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// Why it is accepted although it is worse.
    pub waived: Option<String>,
}

impl Judged {
    /// Judges a figure by its rounds.
    #[must_use]
    pub fn new(
        (work, figure): (&str, String),
        rounds: &[Round],
        better: Better,
        threshold: f64,
    ) -> Self {
        let middle = |of: fn(&Round) -> f64| {
            let values: Vec<f64> = rounds.iter().map(of).collect();
            quantile(&values, 0.5)
        };
        Self {
            work: work.to_owned(),
            figure,
            base: middle(|round| round.base),
            current: middle(|round| round.current),
            threshold,
            judgement: judge(rounds, better, threshold),
            waived: None,
        }
    }

    /// Says what became of it, with the ratio.
    #[must_use]
    pub fn says(&self) -> String {
        let ratio = self.judgement.ratio;
        match (self.judgement.verdict, &self.waived) {
            (Verdict::Kept, _) => "kept".to_owned(),
            (Verdict::Worse, Some(reason)) => format!("{ratio:.2}, waived: {reason}"),
            (Verdict::Worse, None) => format!("{ratio:.2}, **worse**"),
            (Verdict::Noisy, _) => format!("{ratio:.2}, too noisy to tell"),
        }
    }
}

/// Accepts what is waived.
pub fn waive(rows: &mut [Judged], waivers: &[Waiver]) {
    for row in rows {
        let fits = |waiver: &&Waiver| waiver.work == row.work && waiver.figure == row.figure;
        let waiver = waivers.iter().find(fits);
        row.waived = waiver.map(|waiver| waiver.reason.clone());
    }
}

/// Returns the worst that was said of a figure that nobody waived.
#[must_use]
pub fn verdict(rows: &[Judged]) -> Verdict {
    let is = |wanted| {
        rows.iter()
            .any(|row| row.judgement.verdict == wanted && row.waived.is_none())
    };
    match (is(Verdict::Worse), is(Verdict::Noisy)) {
        (true, _) => Verdict::Worse,
        (false, true) => Verdict::Noisy,
        (false, false) => Verdict::Kept,
    }
}

/// Lays figures out as a Markdown table.
#[must_use]
pub fn table(rows: &[Judged]) -> String {
    let mut text = String::from(
        "| work | figure | base | build | ratio, more is worse (quarters) | at most | noise | |\n|---|---|---:|---:|---|---|---|---|\n",
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
            "| {} | {} | {} | {} | {ratio:.3} ({low:.3}–{high:.3}) | {:.2} | {:.0} % | {verdict} |\n",
            row.work,
            row.figure,
            digits(row.base),
            digits(row.current),
            1.0 + row.threshold,
            noise * 100.0,
        );
        text.push_str(&line);
    }
    text
}

/// Divides; two zeros are equal, and something beside nothing is very much more.
fn ratio(above: f64, below: f64) -> f64 {
    const LEAST: f64 = 1e-9;
    above.max(LEAST) / below.max(LEAST)
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// A figure that may be worse, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// In which work of the gate, by the name in its table.
    pub work: String,
    /// Which figure, by its whole name.
    pub figure: String,
    /// Why that is accepted.
    pub reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waivers {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

/// Reads a file of `[[waiver]]` tables with `work`, `figure` and `reason`.
///
/// # Errors
///
/// What is wrong with it; a waiver without a reason is.
pub fn waivers(text: &str) -> Result<Vec<Waiver>, String> {
    let read: Waivers = toml::from_str(text).map_err(|error| error.to_string())?;
    match read
        .waiver
        .iter()
        .find(|waiver| waiver.reason.trim().is_empty())
    {
        Some(waiver) => Err(format!(
            "the waiver of {}, {} has no reason; say why it may be worse",
            waiver.work, waiver.figure
        )),
        None => Ok(read.waiver),
    }
}

#[cfg(test)]
mod tests;
