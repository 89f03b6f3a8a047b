//! Claims on a configuration that is reloaded while a program runs.
#![cfg(all(unix, feature = "daemon"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

#[allow(
    dead_code,
    reason = "shared with tests/process and tests/torture, which use the rest"
)]
mod folder;
mod reload;
mod sample;
mod secrets;
mod watched;
