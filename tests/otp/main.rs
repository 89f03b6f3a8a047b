//! Proven against Erlang: generated scripts run on OTP's own `supervisor` and on this crate, and what
//! they write down must be equal.
//!
//! Needs `erl` and `erlc` on the PATH and says that it is skipped where there are none, unless
//! `PERENNIAL_REQUIRE_ERLANG` is set. 2 000 scripts, or 50 000 when `PERENNIAL_LONG` is set, or
//! `PERENNIAL_OTP_SCRIPTS`; `PERENNIAL_OTP_SEED` is the number of another sequence of them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the helpers of a test may fail by panicking and say what they saw, as the test may"
)]

mod script;
mod generate;
mod trace;
mod node;
mod leaf;
mod ours;
mod tally;
// -- the claims --
mod regressions;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::script::Script;
use crate::tally::Tally;
use crate::trace::{Side, Step};

/// Half a minute's worth.
const SCRIPTS: u32 = 2_000;
const SCRIPTS_IN_A_LONG_RUN: u32 = 50_000;

/// Runs a script on both sides; returns what ours came to, or both traces if they differ.
fn agreed(script: &Script) -> Result<Vec<Step>, String> {
    let (mut otp, mut ours) = std::thread::scope(|scope| {
        let otp = scope.spawn(|| node::run(script));
        let ours = ours::run(script);
        (otp.join().expect("said above what went wrong"), ours)
    });
    let seen = ours.clone();
    trace::normalise(script, &mut otp, Side::Otp);
    trace::normalise(script, &mut ours, Side::Ours);
    trace::compare(script, &otp, &ours)?;
    Ok(seen)
}

#[test]
fn what_differs_on_purpose_is_listed_with_its_reason() {
    let page = include_str!("../../docs/otp.md").replace("\n", " ");
    for deviation in &trace::DEVIATIONS {
        assert!(page.contains(deviation.what), "missing: {}", deviation.what);
    }
}

fn number(variable: &str, otherwise: u32) -> u32 {
    let set = std::env::var(variable).ok();
    set.map_or(otherwise, |set| set.parse().expect("a number"))
}

#[test]
fn generated_scripts_run_as_they_do_on_otp() {
    if !node::is_there() {
        return;
    }
    let seed = number("PERENNIAL_OTP_SEED", 0);
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let usual = match std::env::var_os("PERENNIAL_LONG") {
        Some(_) => SCRIPTS_IN_A_LONG_RUN,
        None => SCRIPTS,
    };
    let config = Config {
        cases: number("PERENNIAL_OTP_SCRIPTS", usual),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let tally = RefCell::new(Tally::default());
    let outcome = runner.run(&generate::scripts(), |script| {
        let steps = agreed(&script).map_err(TestCaseError::fail)?;
        tally.borrow_mut().count(&script, &steps);
        Ok(())
    });
    match outcome {
        Ok(()) => tally.into_inner().conclude(),
        Err(TestError::Fail(reason, _)) => panic!("OTP on the left, ours on the right:{reason}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
