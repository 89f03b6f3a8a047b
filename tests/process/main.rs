//! Claims on a daemon's configuration, log, lock and limits as a process: real files, real signals, its
//! exit code.
//!
//! The test binary runs itself again: with `PERENNIAL_TEST_ROLE` set, [`daemon_process`] is the daemon, and
//! without it does nothing.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]
#![cfg(all(target_os = "linux", feature = "daemon"))]

#[allow(dead_code, reason = "shared with tests/config, which uses the rest")]
#[path = "../config/folder.rs"]
mod folder;
mod harness;
// -- the claims --
mod admin;
mod configuration;
mod http;
mod logs;
mod reload;
mod resources;

/// The daemon, in a process of its own.
#[test]
fn daemon_process() {
    harness::run_role();
}
