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
mod capabilities;
mod claimed;
mod claims;
mod contest;
mod heat;
mod messages;
mod otp;
mod page;
mod process;
mod restart;
mod row;
mod shutdown;
mod tree;

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::page::League;

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
    if let Some(library) = &arguments.alone {
        return claims::be_alone(library);
    }
    if let Some((scene, peer)) = &arguments.scene {
        restart::keep_quiet_about_crashes();
        capabilities::play_one(scene, peer);
        return ExitCode::SUCCESS;
    }
    let league = League::play(&arguments);
    if arguments.is_json {
        print!("{}", league.json());
    } else {
        print!("{}", league.page());
    }
    match arguments.out.as_deref().map(|out| league.write(out)) {
        None | Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("the files can't be written: {error}");
            ExitCode::FAILURE
        }
    }
}
