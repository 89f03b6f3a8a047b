//! Real OTP, where `erl` is installed: one node for each run, which prints its figures.

use std::process::Command;

use crate::heat::Figures;

const PROGRAM: &str = include_str!("otp.erl");

fn run(arguments: &[&str]) -> Option<Figures> {
    let folder = std::env::temp_dir().join(format!("perf-rigs-otp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the module");
    std::fs::write(folder.join("otp.erl"), PROGRAM).expect("the module is written");
    let compiled = Command::new("erlc")
        .arg("otp.erl")
        .current_dir(&folder)
        .output();
    let output = compiled
        .ok()
        .filter(|output| output.status.success())
        .map(|_| {
            Command::new("erl")
                .args(["-noshell", "+P", "1000000", "-s", "otp", "main"])
                .args(["-extra"])
                .args(arguments)
                .current_dir(&folder)
                .output()
        });
    std::fs::remove_dir_all(&folder).expect("the folder is removed");
    let output = output?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    Some(serde_json::from_str(last).unwrap_or_else(|_| panic!("OTP printed {text}")))
}

/// Restarts of a `gen_server` under `supervisor`: p50, p99, and in a storm the rate.
pub(crate) fn restarts(pace: &str, count: usize) -> Option<Figures> {
    run(&["restarts", pace, &count.to_string()])
}

/// A flat tree of so many `gen_server`s: start, ordered stop, bytes, each per child.
pub(crate) fn tree(children: usize) -> Option<Figures> {
    run(&["tree", &children.to_string()])
}

/// Casts to a `gen_server`, a second.
pub(crate) fn tell(messages: usize) -> Option<Figures> {
    run(&["tell", &messages.to_string()])
}

/// Calls of a `gen_server`: p50 and p99.
pub(crate) fn ask(messages: usize) -> Option<Figures> {
    run(&["ask", &messages.to_string()])
}

/// How a few children of a `supervisor` stop: `n` when the n-th begins, `-n` when it has ended.
#[cfg(test)]
pub(crate) fn stops() -> Option<Figures> {
    run(&["stops"])
}
