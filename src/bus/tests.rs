//! Claims on the bus: order, exact lag, counting without the subscriber's help.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use super::seat::Place;
use super::subscriber::{ReceiveError, SpawnRelay};
use super::{Bus, Start};
use crate::exit::catch_blocking;

#[tokio::test]
async fn every_subscriber_receives_every_value_in_order() {
    let bus = Bus::new(8);
    let (mut one, mut two) = (bus.subscribe("one"), bus.subscribe("two"));
    for value in 0..5 {
        bus.publish(value);
    }
    for value in 0..5 {
        assert_eq!(one.recv().await, Ok(value));
        assert_eq!(two.recv().await, Ok(value));
    }
    assert_eq!(one.try_recv(), Ok(None));
    drop(bus);
    assert_eq!(one.recv().await, Err(ReceiveError::Closed));
}

#[tokio::test]
async fn lag_is_exact_and_then_the_oldest_kept_follows() {
    let bus = Bus::new(4);
    let mut slow = bus.subscribe("slow");
    for value in 0..10 {
        bus.publish(value);
    }
    assert_eq!(slow.recv().await, Err(ReceiveError::Lagged(6)));
    assert_eq!(slow.recv().await, Ok(6));
}

#[test]
fn lag_is_counted_without_the_subscribers_help() {
    let bus = Bus::new(4);
    bus.publish(0);
    let mut sleeper = bus.subscribe("sleeper");
    for value in 0..10 {
        bus.publish(value);
    }
    let seen = |bus: &Bus<i32>| bus.statistics().subscribers.remove(0);
    let before = seen(&bus);
    assert_eq!((before.received, before.lagged, before.depth), (0, 6, 4));
    assert_eq!(sleeper.try_recv(), Err(ReceiveError::Lagged(6)));
    assert_eq!(sleeper.try_recv(), Ok(Some(6)));
    let after = seen(&bus);
    assert_eq!((after.received, after.lagged, after.depth), (1, 6, 3));
    assert_eq!(bus.statistics().published, 11);
    assert_eq!(bus.statistics().to_nobody, 1);
}

#[test]
fn a_value_knows_its_sequence_number() {
    let bus = Bus::new(4);
    let mut reader = bus.subscribe("reader");
    assert_eq!(bus.publish_with(|seq| seq), 1);
    assert_eq!(bus.publish_with(|seq| seq), 2);
    assert_eq!(
        (reader.try_recv(), reader.try_recv()),
        (Ok(Some(1)), Ok(Some(2)))
    );
    assert_eq!(bus.last_seq(), 2);
}

#[test]
fn a_dropped_subscriber_is_forgotten() {
    let bus: Bus<u8> = Bus::new(4);
    drop(bus.subscribe("gone"));
    assert_eq!(bus.statistics().subscribers, []);
}

/// Counts how often it is called.
#[derive(Default)]
struct Called(AtomicU32);

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker that publishes when it is dropped: between sitting down, where a new one takes its place, and
/// the word that somebody waits.
struct PublishesWhenDropped(Bus<u8>);

impl Wake for PublishesWhenDropped {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PublishesWhenDropped {
    fn drop(&mut self) {
        self.0.publish(1);
    }
}

fn in_a_thread() -> (Place, Option<SpawnRelay>) {
    (Place::Thread, None)
}

#[test]
fn a_thread_that_is_called_before_it_sleeps_calls_the_other_threads() {
    let bus = Bus::new(4);
    let (mut first, mut other) = (bus.subscribe("first"), bus.subscribe("other"));
    let publishes = Waker::from(Arc::new(PublishesWhenDropped(bus.clone())));
    assert!(first.poll_place(&publishes, in_a_thread).is_pending());
    drop(publishes);
    let called = Arc::new(Called::default());
    let waker = Waker::from(Arc::clone(&called));
    assert!(other.poll_place(&waker, in_a_thread).is_pending());
    assert!(first.poll_place(Waker::noop(), in_a_thread).is_ready());
    assert_eq!(called.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_thread_that_is_called_and_leaves_calls_the_other_threads() {
    let bus = Bus::new(4);
    let (mut first, mut other) = (bus.subscribe("first"), bus.subscribe("other"));
    assert!(first.poll_place(Waker::noop(), in_a_thread).is_pending());
    let called = Arc::new(Called::default());
    let waker = Waker::from(Arc::clone(&called));
    assert!(other.poll_place(&waker, in_a_thread).is_pending());
    bus.publish(1);
    assert_eq!(called.0.load(Ordering::Relaxed), 0, "the first one calls");
    drop(first);
    assert_eq!(called.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_filter_that_panics_does_so_in_its_own_subscriber_alone() {
    let bus = Bus::new(4);
    let panics = |_: &u8| -> bool { panic!("on purpose") };
    let mut filtered = bus.subscribe_where("filtered", Start::Next, panics);
    let mut other = bus.subscribe("other");
    let elsewhere = || (Place::Elsewhere, None);
    let called = [Arc::new(Called::default()), Arc::new(Called::default())];
    let [one, two] = called.clone().map(Waker::from);
    assert!(filtered.poll_place(&one, elsewhere).is_pending());
    assert!(other.poll_place(&two, elsewhere).is_pending());
    bus.publish(1);
    assert_eq!(
        called.map(|called| called.0.load(Ordering::Relaxed)),
        [1; 2]
    );
    assert_eq!(other.try_recv(), Ok(Some(1)));
    catch_blocking(|| filtered.try_recv()).expect_err("it is its own");
}

#[test]
fn what_one_has_lost_who_is_gone_is_known_by_its_name() {
    let bus = Bus::new(4);
    for times in 1..=2 {
        let gone = bus.subscribe("gone");
        let well = bus.subscribe("well");
        for value in 0..10 {
            bus.publish(value);
        }
        let before = bus.statistics();
        assert_eq!(before.subscribers[0].lagged, 6);
        drop((gone, bus.subscribe("fresh")));
        let after = bus.statistics();
        assert_eq!(after.lagged_by_gone.get("gone"), Some(&(6 * times)));
        assert_eq!(after.lagged_by_gone.get("fresh"), None, "it lost nothing");
        assert_eq!(after.lost, before.lost);
        drop(well);
    }
    for number in 0..1_000 {
        let _gone = bus.subscribe_from(number.to_string(), Start::Seq(1));
    }
    assert_eq!(bus.statistics().lagged_by_gone.len(), 256);
}
