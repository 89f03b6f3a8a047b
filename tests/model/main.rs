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

mod model;
mod ours;
mod script;
mod trace;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::script::Script;
use crate::trace::Step;

/// How many scripts an ordinary run draws.
const SCRIPTS: u64 = 10_000;
/// How many a long one does.
const LONG_SCRIPTS: u64 = 100_000;
/// How often a script that fails is made simpler at most.
const SIMPLER: usize = 3_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Returns the first difference, printed; `None` when both sides agree.
fn difference(script: &Script) -> (Option<String>, Option<&'static str>) {
    let (model, murky) = model::run(script);
    let ours = ours::run(script);
    for (index, (model, ours)) in model.steps.iter().zip(&ours.steps).enumerate() {
        if model != ours {
            let (model, ours) = (beside(model, ours), beside(ours, model));
            let what = format!("operation {index}\n  the model:\n{model}\n  the library:\n{ours}");
            return (Some(what), None);
        }
    }
    if murky.is_none() && model.end != ours.end {
        let what = format!("the end\n  model: {}\n  ours: {}", model.end, ours.end);
        return (Some(what), None);
    }
    (None, murky.map(|(_, why)| why))
}

/// Prints one side; what the other side has not is marked.
fn beside(step: &Step, other: &Step) -> String {
    let other = other.print();
    let mark = |line: String| match other.contains(&line) {
        true => format!("    {line}"),
        false => format!(" ≠  {line}"),
    };
    let lines: Vec<_> = step.print().into_iter().map(mark).collect();
    lines.join("\n")
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

/// Returns what a panic says.
fn text(payload: &dyn Any) -> Option<&str> {
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned)
}

/// Panics of leaves are part of a script and are not printed.
fn keep_quiet_about_what_was_told() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if text(info.payload()) != Some("told to") {
            print(info);
        }
    }));
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
