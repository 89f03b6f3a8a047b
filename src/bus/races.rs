//! Claims on publishing, receiving, lag, subscribing and dropping at the same time, in many orders.
//!
//! The relay is the real one, in a thread of its own instead of a task. Closing wakes everybody, so
//! whoever is to show a lost wake-up keeps the bus open until all is received.

use std::future::poll_fn;

use super::relay::Relay;
use super::seat::Place;
use super::subscriber::{ReceiveError, SpawnRelay, Subscriber};
use super::{Bus, Start};
use crate::sync::races::{block_on, check, spawn};

/// What one subscriber came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    last: u64,
    received: u64,
    lagged: u64,
}

impl Tally {
    /// Takes note; false when the bus is closed.
    fn note(&mut self, received: Result<u64, ReceiveError>) -> bool {
        match received {
            Ok(seq) => {
                assert_eq!(seq, self.last + 1, "a gap that nobody told of");
                self.last = seq;
                self.received += 1;
            }
            Err(ReceiveError::Lagged(lost)) => {
                assert!(lost > 0, "a loss of nothing");
                self.last += lost;
                self.lagged += lost;
            }
            Err(ReceiveError::Closed) => return false,
        }
        true
    }
}

/// Receives so many values, of which none is lost.
fn receive_many(mut subscriber: Subscriber<u64>, many: u64) {
    for seq in 1..=many {
        assert_eq!(block_on(subscriber.recv()), Ok(seq));
    }
}

/// Receives until the bus closes.
fn receive(mut subscriber: Subscriber<u64>) -> Tally {
    let mut tally = Tally {
        last: subscriber.last_seq(),
        ..Tally::default()
    };
    while tally.note(block_on(subscriber.recv())) {}
    tally
}

/// How the test runs a relay.
type Runs = fn(Relay);

fn at_once(relay: Relay) {
    spawn(move || block_on(relay.run(|| false)));
}

fn one_by_one(relay: Relay) {
    spawn(move || block_on(relay.run(|| true)));
}

/// Receives one value, among those whom a relay wakes.
fn receive_by_relay(subscriber: &mut Subscriber<u64>, runs: Runs) -> Result<u64, ReceiveError> {
    block_on(poll_fn(|cx| {
        let place = || (Place::Test, Some(Box::new(runs) as SpawnRelay));
        let polled = subscriber.poll_place(cx.waker(), place);
        polled.map(|ready| ready.and_then(|()| subscriber.take_ready().copied()))
    }))
}

fn publish(bus: &Bus<u64>, many: u64) {
    for _ in 0..many {
        bus.publish_with(|seq| seq);
    }
}

#[test]
fn a_subscriber_gets_everything_of_two_publishers_in_order() {
    check(|| {
        let bus = Bus::new(8);
        let subscriber = bus.subscribe("x");
        let publishers = [2, 1].map(|many| {
            let bus = bus.clone();
            spawn(move || publish(&bus, many))
        });
        receive_many(subscriber, 3);
        for publisher in publishers {
            publisher.join().expect("no panic");
        }
    });
}

#[test]
fn two_subscribers_get_everything_in_order() {
    check(|| {
        let bus = Bus::new(8);
        let receiving = [bus.subscribe("x"), bus.subscribe("y")]
            .map(|subscriber| spawn(move || receive_many(subscriber, 3)));
        publish(&bus, 3);
        for one in receiving {
            one.join().expect("no panic");
        }
    });
}

#[test]
fn received_and_lagged_are_all_however_slow_the_subscriber_is() {
    check(|| {
        let bus = Bus::new(1);
        let subscribers = [bus.subscribe("x"), bus.subscribe("y")];
        let receiving = subscribers.map(|subscriber| spawn(move || receive(subscriber)));
        // More than a segment.
        publish(&bus, 6);
        drop(bus);
        for one in receiving {
            let tally = one.join().expect("no panic");
            assert_eq!(tally.received + tally.lagged, 6);
        }
    });
}

#[test]
fn what_one_has_received_lets_another_one_lag() {
    check(|| {
        let bus = Bus::new(1);
        let (mut fast, mut slow) = (bus.subscribe("fast"), bus.subscribe("slow"));
        let publisher = spawn(move || publish(&bus, 2));
        // Whoever has seen the second value knows that the first is gone.
        if block_on(fast.recv()) == Ok(1) && block_on(fast.recv()) == Ok(2) {
            assert_eq!(slow.try_recv(), Err(ReceiveError::Lagged(1)));
        }
        publisher.join().expect("no panic");
    });
}

#[test]
fn one_who_comes_while_others_publish_and_leave_has_no_hole() {
    check(|| {
        let bus = Bus::new(8);
        let leaving = bus.subscribe("leaving");
        let (publisher, newcomer) = (bus.clone(), bus.clone());
        drop(bus);
        let publisher = spawn(move || publish(&publisher, 3));
        let leaving = spawn(move || {
            let mut leaving = leaving;
            assert_ne!(leaving.try_recv(), Err(ReceiveError::Closed));
        });
        let subscriber = newcomer.subscribe_from("new", Start::Next);
        let before = subscriber.last_seq();
        drop(newcomer);
        let tally = receive(subscriber);
        assert_eq!((before + tally.received, tally.lagged), (3, 0));
        publisher.join().expect("no panic");
        leaving.join().expect("no panic");
    });
}

#[test]
fn threads_of_which_the_publisher_calls_one_lose_no_wake_up() {
    check(|| {
        let bus = Bus::new(8);
        // One leaves early, and the others wait for more.
        let receiving = [1, 3, 3].map(|many| {
            let mut subscriber = bus.subscribe("x");
            spawn(move || {
                for seq in 1..=many {
                    assert_eq!(subscriber.recv_blocking(), Ok(seq));
                }
            })
        });
        publish(&bus, 3);
        for one in receiving {
            one.join().expect("no panic");
        }
    });
}

#[expect(
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]
fn no_wake_up_is_lost(runs: Runs) {
    let bus = Bus::new(8);
    let receiving = [bus.subscribe("x"), bus.subscribe("y")].map(|mut subscriber| {
        spawn(move || {
            for seq in 1..=3 {
                assert_eq!(receive_by_relay(&mut subscriber, runs), Ok(seq));
            }
            // Leaving is news for the relay, too: the other one does not leave before it has all.
            subscriber
        })
    });
    publish(&bus, 3);
    let subscribers = receiving.map(|one| one.join().expect("no panic"));
    drop(subscribers);
}

#[test]
fn a_relay_that_wakes_all_at_once_loses_no_wake_up() {
    check(|| no_wake_up_is_lost(at_once));
}

#[test]
fn a_relay_that_wakes_one_by_one_loses_no_wake_up() {
    check(|| no_wake_up_is_lost(one_by_one));
}

#[test]
fn a_relay_that_is_dropped_leaves_nobody_asleep() {
    check(|| no_wake_up_is_lost(drop));
}

#[test]
fn a_filter_lets_a_sleeper_lie_and_wakes_it_for_the_rest() {
    check(|| {
        let bus = Bus::new(8);
        let third = |seq: &u64| seq.is_multiple_of(3);
        let mut subscriber = bus.subscribe_where("third", Start::Next, third);
        let publishers = [2, 1].map(|many| {
            let bus = bus.clone();
            spawn(move || publish(&bus, many))
        });
        assert_eq!(block_on(subscriber.recv()), Ok(3));
        for publisher in publishers {
            publisher.join().expect("no panic");
        }
        assert_eq!(bus.statistics().subscribers[0].received, 1);
    });
}
