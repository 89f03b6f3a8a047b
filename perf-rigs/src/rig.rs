//! Runs a rig from its arguments to its files, and watches it meanwhile.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::arguments::{Arguments, Rig};
use crate::machine::Machine;
use crate::plot;
use crate::report::{Measured, Report, Series};
use crate::usage::{self, Usage};

/// How often a rig is looked at.
const STEP: Duration = Duration::from_secs(1);

/// How many moments a plot has at least, however short a run is.
const LEAST_STEPS: u32 = 10;

/// How many it has at most, however long a run is: what is kept of them must not look like a leak of what is watched.
const MOST_STEPS: u32 = 600;

/// Does everything that the rigs have in common around `load`, the one thing they have not.
///
/// Returns 2 when the arguments are wrong, 1 when a file can't be written. Whether an objective is met is said and
/// is no failure: it was set for another machine.
pub fn run(rig: &Rig, load: impl AsyncFnOnce(&Arguments) -> Measured) -> ExitCode {
    match Arguments::parse(rig, std::env::args().skip(1)) {
        Ok(arguments) => finish(rig, &arguments, load),
        Err(help) => {
            tell(&help);
            ExitCode::from(2)
        }
    }
}

fn finish(
    rig: &Rig,
    arguments: &Arguments,
    load: impl AsyncFnOnce(&Arguments) -> Measured,
) -> ExitCode {
    let machine = Machine::here();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    let before = usage::now();
    let measured = runtime.block_on(load(arguments));
    let report = Report {
        rig: rig.name.to_owned(),
        settings: arguments.values(),
        machine,
        usage: Usage::since(&before),
        figures: measured.figures,
        series: measured.series,
    };
    runtime.shutdown_timeout(Duration::ZERO);
    say(&report.table());
    match write(&report, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("{}: {error}", arguments.out.display()));
            ExitCode::FAILURE
        }
    }
}

fn write(report: &Report, arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let files = arguments.files;
    if files.json || files.csv || files.svg {
        std::fs::create_dir_all(&arguments.out)?;
    }
    let path = |ending| Path::new(&arguments.out).join(format!("{}.{ending}", report.rig));
    if files.json {
        std::fs::write(path("json"), serde_json::to_string_pretty(report)? + "\n")?;
    }
    if files.csv {
        std::fs::write(path("csv"), report.series.csv())?;
    }
    if files.svg {
        std::fs::write(path("svg"), plot::svg(&report.rig, &report.series)?)?;
    }
    Ok(())
}

/// Looks at a load once a second until its time is over, and says on stderr how far it is: more often in a short run,
/// less often in one of hours.
pub async fn watch(
    rig: &Rig,
    duration: Duration,
    mut series: Series,
    mut look: impl FnMut() -> Vec<f64>,
) -> Series {
    let step = step(duration);
    series.rows.reserve(MOST_STEPS as usize + 1);
    let began = Instant::now();
    let mut due = began;
    loop {
        due = (due + step).min(began + duration);
        sleep_until(due).await;
        let seconds = began.elapsed().as_secs_f64();
        let values = look();
        let now = series
            .columns
            .iter()
            .zip(&values)
            .map(|(name, value)| format!("{name} {value:.0}"));
        let now: Vec<String> = now.collect();
        tell(&format!(
            "{}: {seconds:.1} of {:.1} s, {}",
            rig.name,
            duration.as_secs_f64(),
            now.join(", ")
        ));
        series.push(seconds, values);
        if due >= began + duration {
            return series;
        }
    }
}

/// How long it is from one look to the next in a run of this length.
fn step(duration: Duration) -> Duration {
    STEP.max(duration / MOST_STEPS)
        .min(duration / LEAST_STEPS)
        .max(Duration::from_millis(1))
}

/// Turns a count that only grows into how much it grew each second.
#[derive(Debug)]
pub struct PerSecond {
    last: (Instant, f64),
}

impl PerSecond {
    /// Begins to count at 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            last: (Instant::now(), 0.0),
        }
    }

    /// Returns the growth since the last call, for each second.
    pub fn of(&mut self, count: u64) -> f64 {
        let (at, before) = self.last;
        self.last = (Instant::now(), count as f64);
        (self.last.1 - before) / (self.last.0 - at).as_secs_f64().max(1e-9)
    }
}

impl Default for PerSecond {
    fn default() -> Self {
        Self::new()
    }
}

/// Says nothing of panics; a rig that crashes a child means to.
pub fn keep_quiet_about_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// Says on stderr how far a rig is.
#[allow(clippy::print_stderr, reason = "progress is for whoever waits")]
pub fn tell(text: &str) {
    eprintln!("{text}");
}

#[allow(clippy::print_stdout, reason = "the table is what the program is for")]
fn say(text: &str) {
    print!("{text}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::step;

    #[test]
    fn a_short_run_is_looked_at_more_often_and_a_long_one_less() {
        for (seconds, millis) in [(0, 1), (1, 100), (30, 1_000), (600, 1_000), (3_900, 6_500)] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(step(duration), Duration::from_millis(millis), "{seconds} s");
        }
    }
}
