//! Claims on the bus: order, exact lag, counting without the subscriber's help.

use super::Bus;
use super::subscriber::ReceiveError;

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
