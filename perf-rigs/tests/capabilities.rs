//! What each library does, beside what `docs/performance.md` says that it does. Without the feature `peers` that is
//! perennial and ractor.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::process::Command;

#[test]
fn the_page_says_of_each_library_what_it_was_seen_to_do() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_league"));
    let output = command.args(["--only", "capabilities"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = include_str!("../../docs/performance.md");
    let seen = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<&str> = seen.lines().filter(|line| line.starts_with('|')).collect();
    let libraries = if cfg!(feature = "peers") { 11 } else { 3 };
    // Above them stand the heads and the line below those.
    assert_eq!(rows.len(), 2 + libraries, "{seen}");
    for row in rows {
        assert!(page.contains(row), "docs/performance.md has no row\n{row}");
    }
}
