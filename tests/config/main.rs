//! Claims on a configuration that is reloaded while a program runs.
#![cfg(all(unix, feature = "daemon"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod folder;
mod reload;
mod sample;
