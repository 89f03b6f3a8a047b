//! What each library does, beside what `docs/performance.md` says that it does. Without the feature `peers` that is
//! perennial and ractor.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

use std::process::Command;

/// On a machine that is too busy a library may be late in a scene, and be seen so: then all are played again.
const PLAYS: usize = 3;

/// Plays all scenes and returns the rows that `docs/performance.md` does not have.
fn surprises() -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_league"));
    let output = command.args(["--only", "capabilities"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = include_str!("../../docs/performance.md");
    let seen = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<&str> = seen.lines().filter(|line| line.starts_with('|')).collect();
    let libraries = if cfg!(feature = "peers") { 11 } else { 3 };
    // Above them stand the heads and the line below those.
    assert_eq!(rows.len(), 2 + libraries, "{seen}");
    let unknown = rows.into_iter().filter(|row| !page.contains(row));
    unknown.map(str::to_owned).collect()
}

#[test]
fn the_page_says_of_each_library_what_it_was_seen_to_do() {
    let mut seen = Vec::new();
    for _play in 0..PLAYS {
        let surprises = surprises();
        if surprises.is_empty() {
            return;
        }
        seen.push(surprises);
    }
    panic!("docs/performance.md says otherwise: {seen:#?}");
}
