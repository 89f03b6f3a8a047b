//! Brings events from N publishers to M receivers at a steady rate, and says how long each took and how many were lost.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use perennial::{Bus, ReceiveError, Subscriber};
use perf_rigs::arguments::{Arguments, Opt, Preset, Rig};
use perf_rigs::durations::Durations;
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::rig::{self, PerSecond};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

const RIG: Rig = Rig {
    name: "perf_bus_fanout",
    about: "events from publishers to receivers, paced, with the time each took and what was lost",
    seconds: "30",
    rate: "100000",
    options: &[
        Opt::word(
            "bus",
            &["perennial", "tokio"],
            "perennial, or tokio for its broadcast",
        ),
        Opt::count("publishers", "1", "how many share the rate"),
        Opt::count("receivers", "8", "how many each receive everything"),
        Opt::count("capacity", "4096", "events that are kept for the slow"),
        Opt::word("payload", &["arc", "vec", "bytes"], "arc, vec or bytes"),
        Opt::count("size", "128", "bytes of a payload"),
        Opt::count("burst", "1", "events that are published back to back"),
        Opt::word(
            "pace",
            &["spin", "tick"],
            "spin: punctual, on a processor of its own; tick: what is due each millisecond",
        ),
        Opt::count(
            "stall-every",
            "0",
            "a receiver stalls about once in so many events; 0: never",
        ),
        Opt::count("stall-ms", "10", "for up to so long"),
        Opt::count("seed", "1", "of the stalls"),
    ],
    presets: &[
        Preset {
            name: "cpu",
            sets: &[("rate", "100000"), ("receivers", "8"), ("pace", "tick")],
        },
        Preset {
            name: "50k",
            sets: &[("rate", "50000"), ("receivers", "8")],
        },
        Preset {
            name: "100k",
            sets: &[("rate", "100000"), ("receivers", "8")],
        },
        Preset {
            name: "250k",
            sets: &[("rate", "250000"), ("receivers", "8")],
        },
    ],
};

/// How exactly a timer of tokio's is on time.
const TICK: Duration = Duration::from_millis(1);

/// What is carried beside the time at which it was published.
#[derive(Clone)]
enum Payload {
    Shared(Arc<[u8]>),
    Owned(Vec<u8>),
    Counted(Bytes),
}

impl Payload {
    fn new(kind: &str, size: usize) -> Self {
        let bytes = vec![7; size];
        match kind {
            "arc" => Self::Shared(bytes.into()),
            "vec" => Self::Owned(bytes),
            _ => Self::Counted(bytes.into()),
        }
    }

    fn first(&self) -> Option<u8> {
        match self {
            Self::Shared(bytes) => bytes.first().copied(),
            Self::Owned(bytes) => bytes.first().copied(),
            Self::Counted(bytes) => bytes.first().copied(),
        }
    }
}

#[derive(Clone)]
struct Event {
    published: Instant,
    payload: Payload,
}

#[derive(Clone)]
enum Publisher {
    Ours(Bus<Event>),
    Tokio(broadcast::Sender<Event>),
}

enum Receiver {
    Ours(Subscriber<Event>),
    Tokio(broadcast::Receiver<Event>),
}

enum News {
    Event(Event),
    Lost(u64),
    Closed,
}

impl Publisher {
    fn new(kind: &str, capacity: usize) -> Self {
        match kind {
            "perennial" => Self::Ours(Bus::new(capacity)),
            _ => Self::Tokio(broadcast::Sender::new(capacity)),
        }
    }

    fn publish(&self, event: Event) {
        match self {
            Self::Ours(bus) => drop(bus.publish(event)),
            Self::Tokio(sender) => drop(sender.send(event)),
        }
    }

    fn subscribe(&self, number: usize) -> Receiver {
        match self {
            Self::Ours(bus) => Receiver::Ours(bus.subscribe(format!("receiver-{number}"))),
            Self::Tokio(sender) => Receiver::Tokio(sender.subscribe()),
        }
    }
}

impl Receiver {
    async fn recv(&mut self) -> News {
        match self {
            Self::Ours(subscriber) => match subscriber.recv().await {
                Ok(event) => News::Event(event),
                Err(ReceiveError::Lagged(lost)) => News::Lost(lost),
                Err(_) => News::Closed,
            },
            Self::Tokio(receiver) => match receiver.recv().await {
                Ok(event) => News::Event(event),
                Err(RecvError::Lagged(lost)) => News::Lost(lost),
                Err(RecvError::Closed) => News::Closed,
            },
        }
    }
}

/// What is read while it runs.
#[derive(Default)]
struct Counts {
    published: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
}

/// When a receiver stalls, and for how long.
struct Stalls {
    every: u64,
    longest: Duration,
    random: fastrand::Rng,
}

impl Stalls {
    async fn maybe(&mut self) {
        if self.every > 0 && self.random.u64(..self.every) == 0 {
            sleep(self.longest.mul_f64(self.random.f64())).await;
        }
    }
}

async fn receive(
    mut receiver: Receiver,
    counts: Arc<Counts>,
    mut stalls: Stalls,
) -> (Durations, u64) {
    let mut durations = Durations::default();
    let mut received = 0;
    loop {
        match receiver.recv().await {
            News::Event(event) => {
                durations.record(event.published.elapsed());
                std::hint::black_box(event.payload.first());
                received += 1;
                counts.received.fetch_add(1, Ordering::Relaxed);
                stalls.maybe().await;
            }
            News::Lost(lost) => drop(counts.lost.fetch_add(lost, Ordering::Relaxed)),
            News::Closed => return (durations, received),
        }
    }
}

/// Waits until something is due that is done every `interval`.
async fn wait_until_due(due: Instant, interval: Duration, is_spun: bool) {
    if interval >= TICK || !is_spun {
        // A timer counts in milliseconds: what is due more often comes several at a time.
        sleep_until(due).await;
        return;
    }
    yield_now().await;
    while Instant::now() < due {
        // Whoever waits for its turn lets the others have theirs.
        yield_now().await;
    }
}

/// Publishes `burst` events each time that they are due, until the time is over.
async fn publish(publisher: Publisher, arguments: Arguments, counts: Arc<Counts>) {
    let burst: u32 = arguments.number("burst");
    let publishers: f64 = arguments.number("publishers");
    let payload = Payload::new(arguments.text("payload"), arguments.number("size"));
    let is_spun = arguments.text("pace") == "spin";
    let rate = arguments.rate() / publishers / f64::from(burst);
    let interval = if rate > 0.0 {
        Duration::from_secs_f64(1.0 / rate)
    } else {
        Duration::ZERO
    };
    let began = Instant::now();
    let mut due = began;
    while began.elapsed() < arguments.duration() {
        due += interval;
        wait_until_due(due, interval, is_spun).await;
        for _ in 0..burst {
            publisher.publish(Event {
                published: Instant::now(),
                payload: payload.clone(),
            });
        }
        counts
            .published
            .fetch_add(u64::from(burst), Ordering::Relaxed);
    }
}

async fn load(arguments: &Arguments) -> Measured {
    let bus = Publisher::new(arguments.text("bus"), arguments.number("capacity"));
    let counts = Arc::new(Counts::default());
    let mut receivers = JoinSet::new();
    for number in 0..arguments.number("receivers") {
        let stalls = Stalls {
            every: arguments.number("stall-every"),
            longest: arguments.milliseconds("stall-ms"),
            random: fastrand::Rng::with_seed(arguments.number::<u64>("seed") + number as u64),
        };
        receivers.spawn(receive(bus.subscribe(number), Arc::clone(&counts), stalls));
    }
    let began = Instant::now();
    for _ in 0..arguments.number("publishers") {
        tokio::spawn(publish(bus.clone(), arguments.clone(), Arc::clone(&counts)));
    }
    // Closes with the last publisher.
    drop(bus);
    let series = Series::new(
        "seconds",
        "events/s",
        &["published", "received", "lost"],
        &[],
    );
    let mut each = [PerSecond::new(), PerSecond::new(), PerSecond::new()];
    let now = Arc::clone(&counts);
    let series = rig::watch(&RIG, arguments.duration(), series, move || {
        let read =
            [&now.published, &now.received, &now.lost].map(|count| count.load(Ordering::Relaxed));
        each.iter_mut()
            .zip(read)
            .map(|(each, count)| each.of(count))
            .collect()
    });
    let series = series.await;
    let mut durations = Durations::default();
    let mut shares = Vec::new();
    while let Some(received) = receivers.join_next().await {
        let (own, count) = received.expect("it receives to the end");
        durations.add(&own);
        shares.push(count);
    }
    Measured {
        figures: figures(arguments, &counts, &durations, (&shares, began.elapsed())),
        series,
    }
}

fn figures(
    arguments: &Arguments,
    counts: &Counts,
    durations: &Durations,
    (shares, time): (&[u64], Duration),
) -> Vec<Figure> {
    let [published, received, lost] = [&counts.published, &counts.received, &counts.lost]
        .map(|count| count.load(Ordering::Relaxed) as f64);
    let seconds = time.as_secs_f64();
    let least = shares.iter().min().copied().unwrap_or(0) as f64;
    let most = shares.iter().max().copied().unwrap_or(0).max(1) as f64;
    let rate = Figure::higher("published a second", published / seconds, "/s");
    vec![
        // Nobody publishes exactly as often as was asked for.
        rate.objective(arguments.rate() * 0.97),
        Figure::plain("published", published, "events"),
        Figure::higher("received a second", received / seconds, "/s"),
        Figure::plain("received in all", received, "events"),
        Figure::plain("lost", lost, "events"),
        Figure::lower("lost share", lost / (received + lost).max(1.0), "").objective(0.000_1),
        Figure::higher("least of a receiver to the most", least / most, ""),
        Figure::lower("p50", durations.micros(0.5), "µs").objective(20.0),
        Figure::lower("p95", durations.micros(0.95), "µs").objective(60.0),
        Figure::lower("p99", durations.micros(0.99), "µs").objective(200.0),
        Figure::lower("longest", durations.micros(1.0), "µs"),
    ]
}

fn main() -> ExitCode {
    rig::run(&RIG, load)
}
