//! Prints how `perennial` does beside its peers, in one run:
//! `cargo run --release -p perf-rigs --features peers --bin league`.
//!
//! A topic is a folder here; a contender is one file in it, and each does the same work with another
//! library.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is a table"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a contender that fails is no measurement"
)]

mod arguments;
mod bus;
mod contest;
mod heat;
mod messages;
mod otp;
mod process;
mod restart;
mod row;
mod shutdown;
mod tree;

use std::process::ExitCode;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    if let Some((heat, contender)) = &arguments.one {
        if heat == shutdown::DAEMON {
            shutdown::be_a_daemon(contender);
            return ExitCode::SUCCESS;
        }
        restart::keep_quiet_about_crashes();
        contest::run_one(heat, contender, arguments.effort);
        return ExitCode::SUCCESS;
    }
    let rows = contest::compete(&arguments);
    if arguments.is_json {
        let lines = rows
            .iter()
            .filter_map(|row| serde_json::to_string(row).ok());
        lines.for_each(|line| println!("{line}"));
    } else {
        print!("{}", row::table(&rows));
    }
    ExitCode::SUCCESS
}
