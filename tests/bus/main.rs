//! Claims on the bus: what its subscribers receive, however they wait and wherever they begin.
//!
//! `model` compares random scripts with a slow obvious model, `stress` runs publishers and subscribers
//! against each other until every number has to add up, `receiving` and `waking` are the single claims.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod model;
mod receiving;
mod stress;
mod waking;

/// Whether there is time for the whole size.
fn is_long() -> bool {
    std::env::var_os("PERENNIAL_LONG").is_some()
}
