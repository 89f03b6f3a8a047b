//! Claims on the end of a process: real signals to a small real daemon, its exit code, its report, and
//! that it is gone before the next instant of its ladder.
//!
//! The test binary runs itself again: with `PERENNIAL_TEST_ENDING` set, [`daemon_process`] is the daemon,
//! and without it does nothing.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]
#![cfg(all(target_os = "linux", feature = "daemon"))]

mod process;
mod roles;
// -- the claims --
mod ladder;
mod signals;
mod systemd;

/// The daemon, in a process of its own.
#[test]
fn daemon_process() {
    roles::run();
}
