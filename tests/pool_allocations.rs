//! Counts what a pool allocates. In a program of its own: the allocator counts for all of it.

use std::alloc::System;

use perennial::pool::{Pool, PoolSizes};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// All in one test: two would count each other's.
#[test]
fn a_pool_that_has_a_buffer_allocates_nothing_to_lend_it() {
    let strings = Pool::<String>::new(PoolSizes {
        initial: 1,
        ..PoolSizes::default()
    });
    let bytes = Pool::<Vec<u8>>::new(PoolSizes {
        initial: 1,
        ..PoolSizes::default()
    });
    // The test program's main thread may allocate beside it, but not each time.
    let fewest = (0..10).map(|_| {
        let region = Region::new(ALLOCATOR);
        for _ in 0..1_000 {
            strings.take().push_str("a line that fits");
            bytes.take().extend_from_slice(&[7; 512]);
        }
        let change = region.change();
        change.allocations + change.reallocations + change.deallocations
    });
    assert_eq!(fewest.min(), Some(0));
}
