//! The example `syslogd` as a process: what it acknowledged is stored exactly once, whatever crashes, hangs
//! or is blocked, and what it reports of that adds up.
//!
//! 10 000 lines under crashes, or 100 000 when `PERENNIAL_LONG` is set.
#![cfg(all(unix, feature = "daemon"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the helpers of a test may fail by panicking and say what they saw, as the test may"
)]

mod client;
mod collector;
mod report;
mod watch;
// -- the claims --
mod chaos;
mod faults;
mod lines;

use std::process::Command;

#[test]
fn a_question_about_the_configuration_is_answered_and_nothing_starts() {
    let ask = |level: &str| {
        Command::new(collector::binary())
            .args(["--dir", "/nonexistent/none", "--check-config"])
            .env("SYSLOGD__LOGGING__LEVEL", level)
            .output()
            .expect("it runs")
    };
    let valid = ask("debug");
    let said = String::from_utf8_lossy(&valid.stdout);
    assert_eq!(said, "syslogd: the configuration is valid\n");
    assert!(valid.status.success(), "{valid:?}");
    let wrong = ask("debugg");
    assert_eq!(wrong.status.code(), Some(78), "{wrong:?}");
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(said.contains("logging.level"), "{said}");
}

#[test]
fn a_wrong_command_line_exits_with_64() {
    let output = Command::new(collector::binary())
        .arg("--nonsense")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--nonsense"));
}
