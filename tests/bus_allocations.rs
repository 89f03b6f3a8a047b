//! Counts what a bus allocates. In a program of its own: the allocator counts for all of it.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::alloc::System;

use perennial::Bus;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How much the bus keeps: less than is published before anything is counted.
const CAPACITY: usize = 1_024;

/// How many allocations `work` makes when it is done for the hundred-thousandth time.
fn allocations(mut work: impl FnMut()) -> usize {
    for _ in 0..100_000 {
        work();
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..100_000 {
        work();
    }
    let change = region.change();
    change.allocations + change.reallocations
}

/// All in one test: two would count each other's.
#[test]
fn a_bus_that_is_full_allocates_nothing_however_it_is_read() {
    let bus = Bus::new(CAPACITY);
    let nobody_reads = allocations(|| {
        bus.publish([0_u64; 16]);
    });
    let mut reader = bus.subscribe("reader");
    let one_by_one = allocations(|| {
        bus.publish([0; 16]);
        reader.try_recv_ref().expect("open").expect("published");
    });
    let in_batches = allocations(|| {
        for _ in 0..7 {
            bus.publish([0; 16]);
        }
        assert_eq!(reader.try_recv_each(usize::MAX, |_value| ()), Ok(7));
    });
    assert_eq!([nobody_reads, one_by_one, in_batches], [0, 0, 0]);
}
