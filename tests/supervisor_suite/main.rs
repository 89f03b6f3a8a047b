//! The scenarios of OTP's own tests of `supervisor`, as claims on the public API.
//!
//! Each test names the case of OTP's `supervisor_SUITE` that it stands for. Nothing is translated:
//! what a case is about is said anew for a tree, its handles and its events, under the paused clock
//! and with the backoff off, since OTP has none. `docs/otp.md` maps every case of the suite to its
//! test, here or in another file, or says why it has no meaning here.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod by_hand;
mod dynamic;
mod limits;
mod loops;
mod nested;
mod order;
mod page;
mod restart_types;
mod significant;
mod stage;
mod starts;
mod stops;
mod strategies;
