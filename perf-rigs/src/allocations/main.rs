//! Counts what is allocated: for a publish, a tell, an ask, a restart, for a child at rest, and for what stands around
//! a tree.
//! `cargo run --release -p perf-rigs --bin allocations`.
//!
//! A program of its own, because its allocator counts and would slow the league. Counts are exact and
//! the same in every run, so that each is taken once, on one thread, after enough rounds for what is
//! allocated once to vanish in the mean.

#![allow(clippy::print_stdout, reason = "its output is a table")]
#![allow(clippy::expect_used, reason = "what fails is no measurement")]
#![allow(clippy::panic, reason = "what is restarted has crashed")]

mod children;
mod events;
mod messages;
mod process;
mod restarts;

use std::future::Future;

use allocation_counter::AllocationInfo;

/// A row: what was done, by whom, how often, and what that took.
struct Row {
    what: &'static str,
    whose: &'static str,
    rounds: u64,
    taken: AllocationInfo,
}

/// Runs `work` on a runtime of this thread's and counts what it allocates.
fn count(work: impl Future<Output = ()>) -> AllocationInfo {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let taken = allocation_counter::measure(|| runtime.block_on(work));
    // What waits for ever in there is ended with the process.
    std::mem::forget(runtime);
    taken
}

/// Counts what `rounds` more rounds allocate than half as many: what is allocated once is in both.
fn count_rounds<F: Future<Output = ()>>(
    what: &'static str,
    whose: &'static str,
    rounds: u64,
    work: impl Fn(u64) -> F,
) -> Row {
    let some = count(work(rounds));
    let more = count(work(2 * rounds));
    let difference = |of: fn(&AllocationInfo) -> u64| of(&more).saturating_sub(of(&some));
    let taken = AllocationInfo {
        count_total: difference(|info| info.count_total),
        bytes_total: difference(|info| info.bytes_total),
        count_current: more.count_current - some.count_current,
        bytes_current: more.bytes_current - some.bytes_current,
        ..AllocationInfo::default()
    };
    Row {
        what,
        whose,
        rounds,
        taken,
    }
}

fn main() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Thousands that are meant would fill the terminal, and be counted.
        if info.payload().downcast_ref::<&str>() != Some(&restarts::ON_PURPOSE) {
            print(info);
        }
    }));
    println!("| what | whose | allocations | bytes | of them kept |");
    println!("|---|---|---:|---:|---:|");
    let rows = [
        events::rows(),
        messages::rows(),
        restarts::rows(),
        children::rows(),
        process::rows(),
    ];
    for row in rows.into_iter().flatten() {
        let each = |total: f64| total / row.rounds as f64;
        println!(
            "| {} | {} | {:.2} | {:.0} | {:.0} |",
            row.what,
            row.whose,
            each(row.taken.count_total as f64),
            each(row.taken.bytes_total as f64),
            each(row.taken.bytes_current as f64),
        );
    }
}
