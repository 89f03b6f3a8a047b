//! Claims on what a subscriber receives, and how.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::StreamExt as _;
use perennial::ReceiveError;
use perennial::bus::{Bus, Start};

#[test]
fn the_capacity_is_exactly_what_was_asked_for() {
    for capacity in [1, 2, 3, 5, 7, 100, 1_000] {
        let bus = Bus::new(capacity);
        let mut reader = bus.subscribe("reader");
        let capacity = capacity as u64;
        assert_eq!(bus.capacity(), capacity);
        (0..capacity + 3).for_each(|value| {
            bus.publish(value);
        });
        assert_eq!(reader.try_recv(), Err(ReceiveError::Lagged(3)));
        for value in 3..capacity + 3 {
            assert_eq!(reader.try_recv(), Ok(Some(value)));
        }
        assert_eq!(reader.try_recv(), Ok(None));
    }
    assert_eq!(Bus::<u8>::new(0).capacity(), 1);
}

#[test]
fn a_late_subscriber_begins_where_it_wants_to() {
    let bus = Bus::new(4);
    (1..=10).for_each(|value: u64| {
        bus.publish(value);
    });
    let first = |start| bus.subscribe_from("late", start).try_recv();
    assert_eq!(first(Start::Next), Ok(None));
    assert_eq!(first(Start::Oldest), Ok(Some(7)));
    assert_eq!(first(Start::Seq(9)), Ok(Some(9)));
    assert_eq!(first(Start::Seq(7)), Ok(Some(7)));
    assert_eq!(first(Start::Seq(6)), Err(ReceiveError::Lagged(1)));
    assert_eq!(first(Start::Seq(0)), Err(ReceiveError::Lagged(6)));
    assert_eq!(first(Start::Seq(11)), Ok(None));
    let mut beyond = bus.subscribe_from("beyond", Start::Seq(99));
    bus.publish(11);
    assert_eq!(beyond.try_recv(), Ok(Some(11)));
}

#[test]
fn what_is_kept_can_be_had_after_the_last_publisher_is_gone() {
    let bus = Bus::new(4);
    let mut reader = bus.subscribe("reader");
    let other = bus.clone();
    drop(bus);
    other.publish(1);
    drop(other);
    assert_eq!(reader.try_recv(), Ok(Some(1)));
    assert_eq!(reader.try_recv(), Err(ReceiveError::Closed));
    assert_eq!(reader.try_recv(), Err(ReceiveError::Closed));
}

/// Counts how many of it are alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn subscribers_that_never_read_keep_no_more_than_a_segment_each() {
    let alive = Arc::new(AtomicUsize::new(0));
    let bus = Bus::new(64);
    let mut sleepers = Vec::new();
    for _ in 0..20 {
        // Each stands in a segment of its own.
        sleepers.push(bus.subscribe("sleeper"));
        (0..1_000).for_each(|_| {
            bus.publish(Counted::new(&alive));
        });
    }
    assert!(alive.load(Ordering::Relaxed) <= 64 + 8 + 20 * 8);
    drop(sleepers);
    assert!(alive.load(Ordering::Relaxed) <= 64 + 8);
    let mut last = bus.subscribe_from("last", Start::Oldest);
    assert!(last.try_recv_ref().is_ok_and(|value| value.is_some()));
    drop(bus);
    drop(last);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn a_value_may_use_the_bus_when_it_is_dropped() {
    struct Talkative(Bus<Option<Self>>);
    impl Drop for Talkative {
        fn drop(&mut self) {
            self.0.publish(None);
        }
    }
    let bus = Bus::new(1);
    for _ in 0..100 {
        bus.publish(Some(Talkative(bus.clone())));
    }
    assert!(bus.last_seq() > 150);
}

#[test]
fn a_publisher_whose_value_panics_has_published_nothing() {
    let bus = Bus::new(4);
    let mut reader = bus.subscribe("reader");
    let publishes = || bus.publish_with(|_seq| panic!("on purpose"));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(publishes)).expect_err("it panics");
    assert_eq!(bus.publish(7), 1);
    assert_eq!(reader.try_recv(), Ok(Some(7)));
}

#[test]
fn a_value_is_handed_out_without_being_cloned() {
    struct NotClone(Cell<u8>);
    let bus = Bus::new(4);
    let mut reader = bus.subscribe("reader");
    bus.publish(NotClone(Cell::new(1)));
    bus.publish(NotClone(Cell::new(2)));
    bus.publish(NotClone(Cell::new(3)));
    let first = reader.try_recv_ref().expect("open").expect("published");
    assert_eq!(first.0.get(), 1);
    let mut sum = 0;
    assert_eq!(reader.try_recv_each(9, |value| sum += value.0.get()), Ok(2));
    assert_eq!(sum, 5);
}

#[tokio::test]
async fn a_batch_holds_what_is_there_and_no_more_than_asked_for() {
    let bus = Bus::new(8);
    let mut reader = bus.subscribe("reader");
    (0..6).for_each(|value| {
        bus.publish(value);
    });
    let mut batch = vec![99];
    assert_eq!(reader.recv_many(&mut batch, 4).await, Ok(4));
    assert_eq!(reader.recv_many(&mut batch, 4).await, Ok(2));
    assert_eq!(batch, [99, 0, 1, 2, 3, 4, 5]);
    assert_eq!(reader.recv_many(&mut batch, 0).await, Ok(0));
    (0..10).for_each(|value| {
        bus.publish(value);
    });
    let lagged = Err(ReceiveError::Lagged(2));
    assert_eq!(reader.recv_many(&mut batch, 4).await, lagged);
    assert_eq!(batch.len(), 7);
}

#[tokio::test]
async fn a_subscriber_is_a_stream_that_ends_with_the_bus() {
    let bus = Bus::new(2);
    let reader = bus.subscribe("reader");
    (0..4).for_each(|value| {
        bus.publish(value);
    });
    drop(bus);
    let all: Vec<_> = reader.collect().await;
    assert_eq!(all, [Err(ReceiveError::Lagged(2)), Ok(2), Ok(3)]);
}

#[test]
fn a_thread_blocks_until_there_is_something() {
    let bus = Bus::new(8);
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut reader = bus.subscribe("thread");
            thread::spawn(move || {
                let mut sum = 0;
                while let Ok(value) = reader.recv_blocking() {
                    sum += value;
                }
                sum
            })
        })
        .collect();
    (1..=8).for_each(|value| {
        bus.publish(value);
    });
    drop(bus);
    for reader in readers {
        assert_eq!(reader.join().expect("it ends"), 36);
    }
}

#[test]
fn a_bridge_rings_and_can_be_selected_on() {
    let bus = Bus::new(8);
    bus.publish(1);
    let mut bridge = bus.subscribe_from("bridge", Start::Oldest).into_bridge();
    bridge.bell().recv().expect("rings for what is there");
    assert_eq!(bridge.try_recv(), Ok(Some(1)));
    assert_eq!(bridge.try_recv(), Ok(None));
    let publisher = bus.clone();
    let thread = thread::spawn(move || publisher.publish(2));
    bridge.bell().recv().expect("rings for what comes");
    assert_eq!(bridge.recv(), Ok(2));
    assert_eq!(bridge.recv_timeout(Duration::from_millis(1)), Ok(None));
    thread.join().expect("it publishes");
    drop(bus);
    assert_eq!(bridge.recv(), Err(ReceiveError::Closed));
}

#[test]
fn of_the_first_lap_as_much_is_lost_as_of_any_other_whoever_has_read_before() {
    for capacity in 1..=40 {
        for early in 1..=capacity {
            let bus = Bus::new(capacity as usize);
            (1..=early).for_each(|number: u64| _ = bus.publish(number));
            let mut subscriber = bus.subscribe_from("oldest", Start::Oldest);
            (early + 1..=capacity + 1).for_each(|number| _ = bus.publish(number));
            let case = format!("capacity {capacity}, {early} before");
            assert_eq!(
                subscriber.try_recv(),
                Err(ReceiveError::Lagged(1)),
                "{case}"
            );
            assert_eq!(subscriber.try_recv(), Ok(Some(2)), "{case}");
        }
    }
}
