//! Publishers and subscribers against each other, with random stalls: at the end each subscriber's
//! received + lagged = published, exactly, and what it received rose without a gap that it was not
//! told of.

use std::thread;
use std::time::Duration;

use perennial::bus::{Bus, Start};
use perennial::{ReceiveError, Subscriber};
use tokio::runtime::Builder;

/// How many events all publishers publish together.
fn events() -> u64 {
    if crate::is_long() {
        100_000_000
    } else {
        200_000
    }
}

/// Small enough that a stall of a millisecond is a loss.
const CAPACITY: usize = 1_000;

/// How many threads publish.
const PUBLISHERS: u64 = 2;

/// A generator that needs no seed from outside: the same stalls each time.
struct Dice(u64);

impl Dice {
    /// Once in so many throws.
    fn once_in(&mut self, throws: u64) -> bool {
        // xorshift64, from Marsaglia 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.is_multiple_of(throws)
    }
}

/// What one subscriber has counted.
#[derive(Debug, Default)]
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
                assert!(lost > 0);
                self.last += lost;
                self.lagged += lost;
            }
            Err(_) => return false,
        }
        true
    }

    fn assert_adds_up(&self, name: &str) {
        println!("{name}: received {}, lagged {}", self.received, self.lagged);
        assert_eq!(self.received + self.lagged, events(), "{name}");
        assert_eq!(self.last, events(), "{name}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a stall is what is wanted")]
fn stall() {
    thread::sleep(Duration::from_millis(1));
}

/// In a task, one at a time.
async fn one_by_one(mut subscriber: Subscriber<u64>, mut dice: Dice) -> Tally {
    let mut tally = Tally::default();
    while tally.note(subscriber.recv().await) {
        if dice.once_in(100_000) {
            stall();
        } else if dice.once_in(10_000) {
            tokio::task::yield_now().await;
        }
    }
    tally
}

/// In a task, in batches.
async fn in_batches(mut subscriber: Subscriber<u64>, mut dice: Dice) -> Tally {
    let mut tally = Tally::default();
    let mut batch = Vec::new();
    loop {
        let mut each = |seq: &u64| {
            batch.push(*seq);
            // What is lost in the middle of a batch is told after it.
            if dice.once_in(50_000) {
                stall();
            }
        };
        match subscriber.recv_each(300, &mut each).await {
            Ok(_) => batch.drain(..).for_each(|seq| {
                tally.note(Ok(seq));
            }),
            Err(error) => {
                if !tally.note(Err(error)) {
                    return tally;
                }
            }
        }
    }
}

/// In a thread.
fn blocking(mut subscriber: Subscriber<u64>, mut dice: Dice) -> Tally {
    let mut tally = Tally::default();
    while tally.note(subscriber.recv_ref_blocking().copied()) {
        if dice.once_in(100_000) {
            stall();
        }
    }
    tally
}

/// In a thread with a bell.
fn bridged(subscriber: Subscriber<u64>, mut dice: Dice) -> Tally {
    let mut tally = Tally::default();
    let mut bridge = subscriber.into_bridge();
    while tally.note(bridge.recv()) {
        if dice.once_in(100_000) {
            stall();
        }
    }
    tally
}

fn publish(bus: &Bus<u64>, mut dice: Dice) {
    for _ in 0..events() / PUBLISHERS {
        bus.publish_with(|seq| seq);
        // Long enough now and then for everybody to fall asleep.
        if dice.once_in(20_000) {
            stall();
        }
    }
}

#[test]
fn received_and_lagged_are_all_that_was_published() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let bus: Bus<u64> = Bus::new(CAPACITY);
    let threads = [blocking, bridged, blocking, blocking].map(|body| {
        let subscriber = bus.subscribe("thread");
        thread::spawn(move || body(subscriber, Dice(7)))
    });
    let one_by_one = [11, 12, 13].map(|seed| {
        let subscriber = bus.subscribe("one by one");
        runtime.spawn(one_by_one(subscriber, Dice(seed)))
    });
    let in_batches = [21, 22, 23].map(|seed| {
        let subscriber = bus.subscribe("in batches");
        runtime.spawn(in_batches(subscriber, Dice(seed)))
    });
    let rare = bus.subscribe_where("rare", Start::Next, |seq| seq.is_multiple_of(10_000));
    let rare = runtime.spawn(count_all(rare));
    let asleep = bus.subscribe("asleep");
    let publishers = [31, 32].map(|seed| {
        let bus = bus.clone();
        thread::spawn(move || publish(&bus, Dice(seed)))
    });
    for publisher in publishers {
        publisher.join().expect("publishes to the end");
    }
    let counted = bus.statistics();
    assert_eq!(counted.published, events());
    for subscriber in &counted.subscribers {
        println!("{subscriber:?}");
    }
    let sleeper = counted.subscribers.last().expect("it is subscribed");
    assert_eq!(sleeper.lagged, events() - CAPACITY as u64);
    assert_eq!(sleeper.depth, CAPACITY as u64);
    drop((asleep, bus));
    for thread in threads {
        let tally = thread.join().expect("receives to the end");
        tally.assert_adds_up("thread");
    }
    for task in one_by_one.into_iter().chain(in_batches) {
        let tally = runtime.block_on(task).expect("receives to the end");
        tally.assert_adds_up("task");
    }
    let (wanted, lagged) = runtime.block_on(rare).expect("receives to the end");
    println!("rare: received {wanted}, lagged {lagged}");
    assert!(wanted <= events() / 10_000);
    assert!(lagged > 0 || wanted == events() / 10_000);
}

async fn count_all(mut subscriber: Subscriber<u64>) -> (u64, u64) {
    let (mut wanted, mut lagged) = (0, 0);
    loop {
        match subscriber.recv_ref().await {
            Ok(seq) => {
                assert!(seq.is_multiple_of(10_000), "the filter let {seq} through");
                wanted += 1;
            }
            Err(ReceiveError::Lagged(lost)) => lagged += lost,
            Err(_) => return (wanted, lagged),
        }
    }
}
