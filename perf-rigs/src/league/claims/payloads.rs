//! What a payload costs by its kind: made once, published, and received by eight on one thread.

use std::sync::Arc;

use perennial::Bus;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::heat;
use crate::heat::{Effort, Figures, Heat, Must, nanoseconds};

/// The size of one, in bytes: a page.
const SIZE: usize = 4_096;

/// How many receive it.
const RECEIVERS: usize = 8;

/// How many are published.
const EVENTS: usize = 200_000;

/// How many either bus keeps.
const CAPACITY: usize = 4_096;

/// Returns how long one took, from its making to its last receipt.
fn each<P>(
    effort: Effort,
    make: impl Fn() -> P,
    mut publish: impl FnMut(P),
    mut receive: impl FnMut(usize) -> P,
) -> Option<Figures> {
    let events = effort.of(EVENTS);
    let began = Instant::now();
    for _ in 0..events {
        publish(make());
        for receiver in 0..RECEIVERS {
            drop(std::hint::black_box(receive(receiver)));
        }
    }
    Some(vec![nanoseconds(began.elapsed()) / events as f64])
}

fn ours<P: Clone + Send + Sync + 'static>(effort: Effort, make: impl Fn() -> P) -> Option<Figures> {
    let bus = Bus::new(CAPACITY);
    let mut receivers = [(); RECEIVERS].map(|()| bus.subscribe("receiver"));
    let publish = |value| {
        bus.publish(value);
    };
    each(effort, make, publish, |receiver| {
        let received = receivers[receiver].try_recv();
        received.expect("nothing was lost").expect("it is there")
    })
}

fn tokio_s<P: Clone + Send + 'static>(effort: Effort, make: impl Fn() -> P) -> Option<Figures> {
    let bus = broadcast::Sender::new(CAPACITY);
    let mut receivers = [(); RECEIVERS].map(|()| bus.subscribe());
    let publish = |value| drop(bus.send(value));
    each(effort, make, publish, |receiver| {
        receivers[receiver].try_recv().expect("it is there")
    })
}

fn vec() -> Vec<u8> {
    vec![7; SIZE]
}

fn arc() -> Arc<[u8]> {
    Arc::from([7; SIZE])
}

fn bytes() -> bytes::Bytes {
    bytes::Bytes::from(vec())
}

pub(super) fn heats() -> Vec<Heat> {
    macro_rules! kind {
        ($name:literal, $make:ident) => {
            heat(
                concat!("4 KB to 8 receivers as ", $name),
                ("each", "ns"),
                ("perennial", |effort| ours(effort, $make)),
                vec![(
                    "tokio broadcast",
                    |effort| tokio_s(effort, $make),
                    Must::Any,
                )],
            )
        };
    }
    vec![
        kind!("Vec<u8>", vec),
        kind!("Arc<[u8]>", arc),
        kind!("Bytes", bytes),
    ]
}
