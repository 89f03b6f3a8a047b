//! `perf-rigs gate`: runs the rigs of two builds in turns and fails when the newer one is worse.
//!
//! ```text
//! perf-rigs gate --base DIR --current DIR [--rounds 9] [--seconds 5] [--waivers FILE] [--out DIR]
//! perf-rigs gate --baseline FILE --current DIR
//! ```
//!
//! Each folder holds the rigs of one build, as `target/release` does. Against a file only what does not depend on the
//! machine of the day is compared: instructions and memory. Exit codes: 0 nothing got worse, 1 something did, 2 wrong
//! arguments or a rig that can't be run, 3 the machine is too noisy to tell.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is a table"
)]

mod arguments;
mod rounds;
mod work;

use std::path::Path;
use std::process::ExitCode;

use perf_rigs::gate::baseline::Baseline;
use perf_rigs::gate::history;
use perf_rigs::gate::{self, Judged, Verdict, Waiver};

use crate::arguments::Arguments;
use crate::rounds::Compared;

fn run() -> Result<ExitCode, String> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let waivers = arguments.waivers.as_deref().map(waivers).transpose()?;
    let mut compared = rounds::compare(&arguments)?;
    gate::waive(&mut compared.rows, &waivers.unwrap_or_default());
    leave(&arguments, &compared)?;
    print!("{}", gate::table(&compared.rows));
    Ok(code(&compared.rows))
}

fn waivers(path: &Path) -> Result<Vec<Waiver>, String> {
    let named = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    gate::waivers(&text).map_err(named)
}

/// Writes the files that were asked for.
fn leave(arguments: &Arguments, compared: &Compared) -> Result<(), String> {
    let text = serde_json::to_string_pretty(&compared.rows).map_err(|error| error.to_string())?;
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    write(&arguments.out.join("gate.json"), text + "\n")?;
    if let Some(file) = &arguments.save {
        write(
            file,
            Baseline::of(&compared.machine, &compared.rows).text()?,
        )?;
    }
    if let Some(file) = &arguments.history {
        let line = history::line(&compared.machine, &compared.base, &compared.rows);
        // A file that is not there yet begins with the head of the table.
        let before = std::fs::read_to_string(file).unwrap_or_else(|_| history::HEAD.to_owned());
        write(file, before + &line)?;
    }
    Ok(())
}

fn code(rows: &[Judged]) -> ExitCode {
    match gate::verdict(rows) {
        Verdict::Worse => ExitCode::from(1),
        Verdict::Noisy => ExitCode::from(3),
        Verdict::Kept => ExitCode::SUCCESS,
    }
}

fn main() -> ExitCode {
    run().unwrap_or_else(|wrong| {
        eprintln!("{wrong}");
        ExitCode::from(2)
    })
}
