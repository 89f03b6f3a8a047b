//! A line for each time that the gate was run, in a Markdown table that only grows.

use std::time::SystemTime;

use super::{Judged, Verdict, verdict};
use crate::machine::Machine;

/// How the table begins.
pub const HEAD: &str = "# What the gate has said

A line for each run of `perf-rigs gate --history`, the newest last. Ratios are the build's to the base's, turned so
that more is worse.

| day | build | base | machine | verdict | figures beyond their threshold | worst of each work |
|---|---|---|---|---|---|---|
";

/// Returns the line of one run.
#[must_use]
pub fn line(machine: &Machine, base: &str, rows: &[Judged]) -> String {
    let beyond: Vec<String> = rows
        .iter()
        .filter(|row| row.judgement.verdict != Verdict::Kept)
        .map(|row| format!("{}, {} {}", row.work, row.figure, row.says()))
        .collect();
    let mut works: Vec<&Judged> = Vec::new();
    for row in rows {
        match works.iter_mut().find(|work| work.work == row.work) {
            Some(worst) if row.judgement.ratio > worst.judgement.ratio => *worst = row,
            Some(_) => {}
            None => works.push(row),
        }
    }
    let works: Vec<String> = works
        .iter()
        .map(|row| format!("{}: {} {:.2}", row.work, row.figure, row.judgement.ratio))
        .collect();
    let said = match verdict(rows) {
        Verdict::Kept => "kept",
        Verdict::Worse => "**worse**",
        Verdict::Noisy => "too noisy to tell",
    };
    format!(
        "| {} | {} | {base} | {} × {}, load {}, {} | {said} | {} | {} |\n",
        day(SystemTime::now()),
        machine.commit,
        machine.processors,
        machine.processor,
        machine.load,
        machine.rustc,
        beyond.join("; "),
        works.join("; "),
    )
}

/// Writes a day as `2026-11-21`, in UTC.
fn day(at: SystemTime) -> String {
    let seconds = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day of the calendar that is so many after 1970-01-01: Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn a_day_is_that_of_the_calendar() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_453, (2025, 12, 31)),
            (20_778, (2026, 11, 21)),
        ] {
            assert_eq!(civil(days), date);
        }
    }
}
