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
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;

use crate::world::Record;

/// How many seeds an ordinary run tries.
const SEEDS: u64 = 1_000;
/// How many a long one does.
const LONG_SEEDS: u64 = 1_000_000;

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

fn check(seed: u64) -> Record {
    let record = world::run(seed);
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
        let mut events = 0;
        while let seed = next.fetch_add(1, Ordering::Relaxed)
            && seed < first + seeds
        {
            events += check(seed).events.len();
        }
        events
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let events: usize = std::thread::scope(|scope| {
        let checking: Vec<_> = (0..threads).map(|_| scope.spawn(check_some)).collect();
        let join = |thread: ScopedJoinHandle<'_, usize>| thread.join().expect("all is kept");
        checking.into_iter().map(join).sum()
    });
    println!("{seeds} seeds, {events} events");
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
