//! The parts of the league that are processes of their own run to their end. Whether it is fast is not asked here.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

use std::process::Command;

#[test]
fn a_daemon_that_is_sent_sigterm_says_when_its_task_saw_it() {
    for contender in [
        "perennial",
        "tokio::signal in a task",
        "tokio::signal in main",
    ] {
        let mut league = Command::new(env!("CARGO_BIN_EXE_league"));
        league.args(["--quick", "--one", "SIGTERM to an idle daemon", contender]);
        let output = league.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{contender}: {text}");
        let figures: Vec<f64> = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let [half, most, gone] = figures[..] else {
            panic!("{contender}: {figures:?}");
        };
        let is_plausible = 0.0 < half && half <= most && gone > 0.0;
        assert!(is_plausible, "{contender}: {figures:?}");
    }
}
