//! Claims on a configuration that is reloaded while a program runs.
//!
//! The torture runs for a second, or for 60 s when `PERENNIAL_LONG` is set.
#![cfg(all(unix, feature = "daemon"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it measured, its helpers too"
)]

mod folder;
mod reload;
