//! Whole trees under a paused clock, each decided by one number, and what must hold of every run.
//!
//! A run is a line of text for each event. The same seed gives the same text, byte for byte, so that a
//! failure is replayed by its seed: `PERENNIAL_SEED`. `PERENNIAL_SIMULATION_SEEDS` says how many seeds
//! to try, and `PERENNIAL_LONG=1` asks for a million.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod behaviour;
mod invariants;
mod world;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use perennial::EventKind;

use crate::world::Record;

/// How many seeds an ordinary run tries.
const SEEDS: u64 = 1_000;
/// How many a long one does.
const LONG_SEEDS: u64 = 1_000_000;

/// What so many runs may not lack, so that nothing is promised of runs in which nothing happens.
const EXPECTED: [&str; 18] = [
    "backing_off",
    "exited: failed",
    "exited: meltdown",
    "exited: normal",
    "exited: panicked",
    "exited: shutdown",
    "meltdown",
    "quarantined",
    "restarted",
    "shutdown_began",
    "shutdown_ended",
    "stable",
    "start_failed: failed",
    "start_failed: panicked",
    "start_failed: start_timed_out",
    "stopped: cleanup_failed",
    "stopped: killed",
    "stopped: stopped",
];

/// Says what an event is, and how a run ended.
fn what(kind: &EventKind) -> String {
    let code = kind.code();
    match kind {
        EventKind::Exited { exit, .. } | EventKind::StartFailed { exit } => {
            format!("{code}: {}", exit.code())
        }
        EventKind::Stopped { outcome, .. } => format!("{code}: {}", outcome.code()),
        _ => code.to_owned(),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Returns what a panic says.
fn text(payload: &dyn Any) -> Option<&str> {
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned)
}

/// Panics of the simulated children are part of a run and are not printed.
fn keep_quiet_about_the_simulated() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if text(info.payload()) != Some(behaviour::PANIC) {
                print(info);
            }
        }));
    });
}

/// Names the seed of a run that panics, for which there is no record to print.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            println!("again: PERENNIAL_SEED={seed} cargo test --test simulation");
        }
    }
}

fn check(seed: u64) -> Record {
    let running = Seed(seed);
    let record = world::run(seed);
    std::mem::forget(running);
    if let Err(what) = invariants::check(&record) {
        panic!(
            "{}\n{what}\nagain: PERENNIAL_SEED={seed} cargo test --test simulation",
            record.print()
        );
    }
    record
}

#[test]
fn every_run_keeps_what_is_promised() {
    keep_quiet_about_the_simulated();
    if let Some(seed) = number("PERENNIAL_SEED") {
        println!("{}", check(seed).print());
        return;
    }
    let long = number("PERENNIAL_LONG").map(|_| LONG_SEEDS);
    let seeds = number("PERENNIAL_SIMULATION_SEEDS")
        .or(long)
        .unwrap_or(SEEDS);
    let first = number("PERENNIAL_FIRST_SEED").unwrap_or(1);
    println!("seeds {first}..{}", first + seeds);
    let next = AtomicU64::new(first);
    let check_some = || {
        let mut seen = BTreeMap::new();
        while let seed = next.fetch_add(1, Ordering::Relaxed)
            && seed < first + seeds
        {
            for event in check(seed).events {
                *seen.entry(what(&event.kind)).or_insert(0_u64) += 1;
            }
        }
        seen
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut seen = BTreeMap::new();
    std::thread::scope(|scope| {
        let checking: Vec<_> = (0..threads).map(|_| scope.spawn(check_some)).collect();
        for thread in checking {
            for (what, count) in thread.join().expect("all is kept") {
                *seen.entry(what).or_insert(0) += count;
            }
        }
    });
    println!("{seeds} seeds: {seen:#?}");
    if seeds >= SEEDS {
        for what in EXPECTED {
            assert!(seen.contains_key(what), "no run came to: {what}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    keep_quiet_about_the_simulated();
    for seed in 0..50 {
        let (first, second) = (world::run(seed).print(), world::run(seed).print());
        assert_eq!(first, second, "seed {seed}");
    }
    assert_ne!(world::run(1).print(), world::run(2).print());
}
