//! The library against a reference model: random scripts on both, compared after every operation.
//!
//! `PERENNIAL_MODEL_SCRIPTS` says how many scripts, `PERENNIAL_LONG=1` asks for 100 000, and
//! `PERENNIAL_SEED` runs the one script of that seed.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod compare;
mod model;
mod ours;
mod script;
mod trace;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::compare::{difference, keep_quiet_about_what_was_told};

/// How many scripts an ordinary run draws.
const SCRIPTS: u64 = 10_000;
/// How many a long one does.
const LONG_SCRIPTS: u64 = 100_000;
/// How often a script that fails is made simpler at most.
const SIMPLER: usize = 3_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), rng)
}

/// Runs the script of a seed; prints both sides of the simplest one that differs.
fn check(seed: u64) -> Option<&'static str> {
    let operations = if seed.is_multiple_of(10) { 200 } else { 40 };
    let drawn = script::script(operations).new_tree(&mut runner(seed));
    let mut tree = drawn.expect("every script fits");
    let (mut found, murky) = difference(&tree.current());
    if found.is_none() {
        return murky;
    }
    let mut simplest = tree.current();
    for _ in 0..SIMPLER {
        match difference(&tree.current()).0 {
            Some(what) => {
                found = Some(what);
                simplest = tree.current();
                if !tree.simplify() {
                    break;
                }
            }
            None if tree.complicate() => {}
            None => break,
        }
    }
    let what = found.unwrap_or_default();
    panic!(
        "{}\nthe two differ at {what}\nagain: PERENNIAL_SEED={seed} cargo test --test model",
        simplest.print()
    );
}

#[test]
fn the_library_does_what_the_model_does() {
    keep_quiet_about_what_was_told();
    if let Some(seed) = number("PERENNIAL_SEED") {
        check(seed);
        return;
    }
    let long = number("PERENNIAL_LONG").map(|_| LONG_SCRIPTS);
    let scripts = number("PERENNIAL_MODEL_SCRIPTS")
        .or(long)
        .unwrap_or(SCRIPTS);
    let first = number("PERENNIAL_FIRST_SEED").unwrap_or(1);
    let seeds = first..first + scripts;
    println!("seeds {seeds:?}");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(first);
    let check_some = || {
        let mut cut = BTreeMap::new();
        while let seed = next.fetch_add(1, Ordering::Relaxed)
            && seeds.contains(&seed)
        {
            if let Some(why) = check(seed) {
                *cut.entry(why).or_insert(0u64) += 1;
            }
        }
        cut
    };
    std::thread::scope(|scope| {
        let checking: Vec<_> = (0..threads).map(|_| scope.spawn(check_some)).collect();
        for thread in checking {
            let cut = thread.join().expect("the two sides agree");
            println!("a thread is done; compared in part: {cut:?}");
        }
    });
    println!("{scripts} scripts agree");
}
