//! A property: a random script does to a bus what it does to a list of everything ever published.

use std::sync::Arc;

use perennial::bus::{Bus, Start};
use perennial::{ReceiveError, Subscriber};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::RngSeed;

/// One step of a script; subscribers are chosen by their index, modulo how many there are.
#[derive(Debug, Clone)]
enum Step {
    Publish(u8),
    Subscribe(From, Option<u8>),
    Drop(u8),
    Receive(u8),
    ReceiveMany(u8, u8),
    /// Waits once in vain or not, as a future that is polled and dropped.
    Poll(u8),
    Count,
    Close,
}

#[derive(Debug, Clone, Copy)]
enum From {
    Next,
    Oldest,
    /// So many before the next.
    Back(u8),
}

/// A value and its number, so that order and loss can be told apart.
type Value = Arc<u64>;

/// Wants one value of so many.
fn wants(divisor: Option<u8>, value: u64) -> bool {
    divisor.is_none_or(|divisor| value.is_multiple_of(u64::from(divisor)))
}

/// What a subscriber is in the model.
struct Reader {
    seen: u64,
    start: u64,
    divisor: Option<u8>,
    /// It was polled in vain, so it is moved on over what it does not want.
    asleep: bool,
    lagged: u64,
    received: u64,
}

/// Everything ever published is 1, 2, 3 …: its number is its value.
struct Model {
    capacity: u64,
    published: u64,
    closed: bool,
    to_nobody: u64,
    readers: Vec<Reader>,
}

impl Model {
    fn oldest(&self) -> u64 {
        self.published.saturating_sub(self.capacity) + 1
    }

    /// A sleeping or asked subscriber passes what it does not want.
    fn pass(&mut self, index: usize) {
        let (published, oldest) = (self.published, self.oldest());
        let reader = &mut self.readers[index];
        while reader.seen + 1 >= oldest
            && reader.seen < published
            && !wants(reader.divisor, reader.seen + 1)
        {
            reader.seen += 1;
        }
    }

    fn receive(&mut self, index: usize) -> Result<Option<u64>, ReceiveError> {
        self.readers[index].asleep = false;
        self.pass(index);
        let (published, oldest, closed) = (self.published, self.oldest(), self.closed);
        let reader = &mut self.readers[index];
        if reader.seen + 1 < oldest {
            let lost = oldest - 1 - reader.seen;
            reader.seen = oldest - 1;
            reader.lagged += lost;
            return Err(ReceiveError::Lagged(lost));
        }
        if reader.seen == published {
            return match closed {
                true => Err(ReceiveError::Closed),
                false => Ok(None),
            };
        }
        reader.seen += 1;
        reader.received += 1;
        Ok(Some(reader.seen))
    }
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    let from = prop_oneof![
        Just(From::Next),
        Just(From::Oldest),
        (0..40_u8).prop_map(From::Back)
    ];
    let filter = prop_oneof![2 => Just(None), 1 => (1..5_u8).prop_map(Some)];
    let step = prop_oneof![
        6 => (1..20_u8).prop_map(Step::Publish),
        3 => (from, filter).prop_map(|(from, filter)| Step::Subscribe(from, filter)),
        1 => any::<u8>().prop_map(Step::Drop),
        8 => any::<u8>().prop_map(Step::Receive),
        4 => (any::<u8>(), 0..30_u8).prop_map(|(index, limit)| Step::ReceiveMany(index, limit)),
        3 => any::<u8>().prop_map(Step::Poll),
        3 => Just(Step::Count),
    ];
    let steps = proptest::collection::vec(step, 1..80);
    (steps, any::<bool>()).prop_map(|(mut steps, closes)| {
        if closes {
            let at = steps.len() / 2;
            steps.insert(at, Step::Close);
        }
        steps
    })
}

/// The bus beside its model.
struct Pair {
    bus: Option<Bus<Value>>,
    ours: Vec<Subscriber<Value>>,
    model: Model,
}

impl Pair {
    fn new(capacity: usize) -> Self {
        Self {
            bus: Some(Bus::new(capacity)),
            ours: Vec::new(),
            model: Model {
                capacity: capacity as u64,
                published: 0,
                closed: false,
                to_nobody: 0,
                readers: Vec::new(),
            },
        }
    }

    fn step(&mut self, step: &Step) {
        let count = self.ours.len();
        let chosen = |index: u8| usize::from(index) % count;
        match *step {
            Step::Publish(many) => self.publish(many),
            Step::Subscribe(from, divisor) => self.subscribe(from, divisor),
            Step::Close => {
                self.bus = None;
                self.model.closed = true;
            }
            Step::Count => self.count(),
            Step::Drop(_) | Step::Receive(_) | Step::ReceiveMany(..) | Step::Poll(_)
                if count == 0 => {}
            Step::Drop(index) => {
                drop(self.ours.remove(chosen(index)));
                self.model.readers.remove(chosen(index));
            }
            Step::Receive(index) => self.receive(chosen(index)),
            Step::ReceiveMany(index, limit) => {
                self.receive_many(chosen(index), usize::from(limit));
            }
            Step::Poll(index) => self.poll(chosen(index)),
        }
    }

    fn publish(&mut self, many: u8) {
        let Some(bus) = &self.bus else { return };
        for _ in 0..many {
            self.model.published += 1;
            if self.model.readers.is_empty() {
                self.model.to_nobody += 1;
            }
            let seq = bus.publish_with(Arc::new);
            assert_eq!(seq, self.model.published);
            for index in 0..self.model.readers.len() {
                if self.model.readers[index].asleep {
                    self.model.pass(index);
                }
            }
            assert_eq!(bus.last_seq(), seq);
        }
    }

    fn subscribe(&mut self, from: From, divisor: Option<u8>) {
        let Some(bus) = &self.bus else { return };
        let next = self.model.published + 1;
        let (start, seq) = match from {
            From::Next => (Start::Next, next),
            From::Oldest => (Start::Oldest, self.model.oldest()),
            From::Back(by) => {
                let seq = next.saturating_sub(u64::from(by));
                (Start::Seq(seq), seq.max(1))
            }
        };
        self.ours.push(match divisor {
            None => bus.subscribe_from("all", start),
            Some(_) => {
                bus.subscribe_where("some", start, move |value: &Value| wants(divisor, **value))
            }
        });
        self.model.readers.push(Reader {
            seen: seq - 1,
            start: seq - 1,
            divisor,
            asleep: false,
            lagged: 0,
            received: 0,
        });
    }

    fn receive(&mut self, index: usize) {
        let ours = self.ours[index]
            .try_recv()
            .map(|value| value.map(|value| *value));
        assert_eq!(ours, self.model.receive(index));
    }

    fn receive_many(&mut self, index: usize, limit: usize) {
        let mut values = Vec::new();
        let ours = self.ours[index].try_recv_each(limit, |value| values.push(**value));
        let mut expected = Vec::new();
        let mut outcome = Ok(0);
        while expected.len() < limit {
            match self.model.receive(index) {
                Ok(Some(value)) => expected.push(value),
                Ok(None) => break,
                Err(_) if !expected.is_empty() => break,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        assert_eq!(values, expected);
        assert_eq!(ours, outcome.map(|_| expected.len()));
    }

    fn poll(&mut self, index: usize) {
        use futures_util::FutureExt as _;
        let ours = self.ours[index].recv().now_or_never();
        let expected = match self.model.receive(index) {
            Ok(None) => {
                self.model.readers[index].asleep = true;
                None
            }
            Ok(Some(value)) => Some(Ok(Arc::new(value))),
            Err(error) => Some(Err(error)),
        };
        assert_eq!(ours, expected);
    }

    fn count(&mut self) {
        let Some(bus) = &self.bus else { return };
        let counted = bus.statistics();
        assert_eq!(counted.published, self.model.published);
        assert_eq!(counted.to_nobody, self.model.to_nobody);
        assert_eq!(counted.subscribers.len(), self.model.readers.len());
        for (ours, model) in counted.subscribers.iter().zip(&self.model.readers) {
            assert_eq!(ours.received, model.received);
            // One that sleeps was moved on over what it does not want, an awake one was not.
            if model.divisor.is_none() {
                let since = self.model.published - model.start;
                assert_eq!(ours.received + ours.lagged + ours.depth, since);
                let behind = self.model.published - model.seen;
                assert_eq!(ours.depth, behind.min(self.model.capacity));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if crate::is_long() { 100_000 } else { 2_000 },
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_bus_does_what_a_list_of_everything_published_would(
        capacity in prop_oneof![1..12_usize, 30..140_usize],
        steps in script(),
    ) {
        let mut pair = Pair::new(capacity);
        for step in &steps {
            pair.step(step);
        }
    }
}
