//! What is taken, what comes back, and what is not kept.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Pool, PoolSizes, PoolStatistics};

fn sizes(initial: usize, max: usize, capacity: usize) -> PoolSizes {
    PoolSizes {
        initial,
        max,
        capacity,
        largest: None,
    }
}

fn counts(kept: usize, made: u64, freed: u64) -> PoolStatistics {
    PoolStatistics { kept, made, freed }
}

#[test]
fn as_many_as_wanted_are_made_ahead_and_never_more_than_are_kept() {
    for (initial, max, kept) in [(0, 4, 0), (3, 4, 3), (9, 4, 4), (2, 0, 1)] {
        let pool = Pool::<String>::new(sizes(initial, max, 8));
        assert_eq!(pool.statistics().kept, kept, "{initial} of {max}");
    }
}

#[test]
fn a_buffer_comes_back_empty_with_its_memory() {
    let pool = Pool::<String>::new(sizes(0, 2, 64));
    let mut first = pool.take();
    assert!(first.capacity() >= 64);
    first.push_str("secret");
    let memory = first.as_ptr();
    drop(first);
    let again = pool.take();
    assert_eq!((again.as_str(), again.as_ptr()), ("", memory));
    assert_eq!(pool.statistics(), counts(0, 1, 0));
}

#[test]
fn none_is_waited_for_and_what_is_too_many_is_freed() {
    let pool = Pool::<Vec<u8>>::new(sizes(1, 2, 8));
    let taken: Vec<_> = (0..5).map(|_| pool.take()).collect();
    assert_eq!(pool.statistics(), counts(0, 5, 0));
    drop(taken);
    assert_eq!(pool.statistics(), counts(2, 5, 3));
}

#[test]
fn one_that_has_grown_too_large_is_freed() {
    let large = PoolSizes {
        largest: Some(100),
        ..sizes(0, 4, 8)
    };
    for (sizes, room, kept) in [
        (large, 100, 1),
        (large, 101, 0),
        (sizes(0, 4, 8), 128, 1),
        (sizes(0, 4, 8), 129, 0),
    ] {
        let pool = Pool::<Vec<u8>>::new(sizes);
        let mut buffer = pool.take();
        buffer.reserve_exact(room);
        drop(buffer);
        assert_eq!(pool.statistics().kept, kept, "{room} in {sizes:?}");
    }
}

#[test]
fn a_limit_below_the_capacity_keeps_what_the_pool_itself_makes() {
    let sizes = PoolSizes {
        largest: Some(1),
        ..sizes(2, 4, 64)
    };
    assert_eq!(Pool::<String>::new(sizes).statistics(), counts(2, 2, 0));
}

#[test]
fn what_is_taken_out_does_not_come_back() {
    let pool = Pool::<Vec<u8>>::new(sizes(0, 4, 8));
    let mut buffer = pool.take();
    buffer.extend([1, 2]);
    assert_eq!(buffer.into_inner(), [1, 2]);
    assert_eq!(pool.statistics(), counts(0, 1, 0));
}

#[test]
fn a_buffer_outlives_its_pool() {
    let pool = Pool::<String>::new(sizes(0, 1, 8));
    let mut buffer = pool.take();
    drop(pool);
    buffer.push('x');
    assert_eq!(*buffer, "x");
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[test]
fn an_element_that_panics_when_it_is_dropped_costs_its_buffer_alone() {
    let pool = Pool::<Vec<Bomb>>::new(sizes(0, 4, 1));
    let mut buffer = pool.take();
    buffer.push(Bomb);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(buffer))).is_err());
    assert_eq!(pool.statistics().kept, 0);
    drop(pool.take());
    assert_eq!(pool.statistics().kept, 1);
}

#[test]
fn threads_share_it_and_no_buffer_is_had_by_two() {
    let pool = Pool::<Vec<u64>>::new(sizes(2, 4, 16));
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let pool = pool.clone();
            scope.spawn(move || {
                for round in 0..2_000 {
                    let mut buffer = pool.take();
                    assert!(buffer.is_empty());
                    buffer.extend([thread, round]);
                    std::thread::yield_now();
                    assert_eq!(*buffer, [thread, round]);
                }
            });
        }
    });
    let counted = pool.statistics();
    assert!(counted.kept <= 4, "{counted:?}");
    assert_eq!(
        counted.made,
        counted.kept as u64 + counted.freed,
        "every buffer is back"
    );
}
