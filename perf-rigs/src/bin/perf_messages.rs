//! Sends messages to workers or actors from several tasks, and says how many were handled, how long each took and how
//! many were turned away.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::{
    Actor, ActorProcessingErr, ActorRef, CallError, Child, Handle, Inbox, Reply, Supervisor,
};
use perf_rigs::arguments::{Arguments, Opt, Preset, Rig};
use perf_rigs::durations::Durations;
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::rig::{self, PerSecond};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep_until};

const RIG: Rig = Rig {
    name: "perf_messages",
    about: "messages through handles: sent, awaited or answered",
    seconds: "10",
    rate: "0",
    options: &[
        Opt::word("kind", &["worker", "actor"], "worker or actor"),
        Opt::word(
            "how",
            &["send", "cast", "call"],
            "send waits for room; cast is turned away; call waits for the answer",
        ),
        Opt::count("senders", "2", "tasks that send"),
        Opt::count("receivers", "1", "children that receive, in turns"),
        Opt::count("mailbox", "16384", "messages that may wait for one"),
        Opt::count("size", "32", "bytes of a message"),
    ],
    presets: &[
        Preset {
            name: "ask",
            sets: &[("how", "call"), ("senders", "1")],
        },
        Preset {
            name: "flood",
            sets: &[("how", "cast"), ("senders", "8")],
        },
    ],
};

/// One in so many messages is timed: two readings of the clock would be half of what is measured.
const TIMED: u64 = 64;

struct Message {
    sent: Option<Instant>,
    body: Box<[u8]>,
    reply: Option<Reply<usize>>,
}

#[derive(Default)]
struct Counts {
    handled: AtomicU64,
    turned_away: AtomicU64,
    took: Mutex<Durations>,
}

impl Counts {
    fn handle(&self, message: Message) {
        self.handled.fetch_add(1, Ordering::Relaxed);
        if let Some(sent) = message.sent {
            let took = sent.elapsed();
            self.took
                .lock()
                .expect("nobody panics with it")
                .record(took);
        }
        if let Some(reply) = message.reply {
            // Fails only when nobody waits for the answer any more.
            reply.send(message.body.len()).unwrap_or_default();
        }
    }
}

struct Listener(Arc<Counts>);

impl Actor for Listener {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.handle(message);
        Ok(())
    }
}

fn child(name: String, kind: &str, counts: Arc<Counts>) -> Child<Message> {
    match kind {
        "worker" => Child::worker(name, move |_cx, mut inbox: Inbox<Message>| {
            let counts = Arc::clone(&counts);
            async move {
                while let Some(message) = inbox.recv().await {
                    counts.handle(message);
                }
                Ok(())
            }
        }),
        _ => Child::actor(name, move |_cx| (Listener(Arc::clone(&counts)), ())),
    }
}

#[derive(Clone, Copy)]
enum How {
    Send,
    Cast,
    Call,
}

impl How {
    fn parse(text: &str) -> Self {
        match text {
            "send" => Self::Send,
            "cast" => Self::Cast,
            _ => Self::Call,
        }
    }

    /// Sends one message; false when it was turned away.
    async fn deliver(self, to: &Handle<Message>, message: Message) -> bool {
        match self {
            Self::Send => to.send(message).await.is_ok(),
            Self::Cast => to.cast(message).is_ok(),
            Self::Call => {
                let answer: Result<usize, CallError> = to
                    .call(|reply| Message {
                        reply: Some(reply),
                        ..message
                    })
                    .await;
                answer.is_ok()
            }
        }
    }
}

async fn send(arguments: Arguments, handles: Vec<Handle<Message>>, counts: Arc<Counts>) {
    let how = How::parse(arguments.text("how"));
    let senders: f64 = arguments.number("senders");
    let body: Box<[u8]> = vec![7; arguments.number("size")].into();
    let each = if arguments.rate() > 0.0 {
        senders / arguments.rate()
    } else {
        0.0
    };
    let began = Instant::now();
    let mut due = began;
    for (number, to) in (0_u64..).zip(handles.iter().cycle()) {
        if number % TIMED == 0 || each > 0.0 {
            if began.elapsed() >= arguments.duration() {
                return;
            }
            due += Duration::from_secs_f64(each);
            if each >= 0.001 {
                sleep_until(due).await;
            }
        }
        while each > 0.0 && Instant::now() < due {
            yield_now().await;
        }
        let sent = (number % TIMED == 0).then(Instant::now);
        let message = Message {
            sent,
            body: body.clone(),
            reply: None,
        };
        if !how.deliver(to, message).await {
            counts.turned_away.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    }
}

async fn load(arguments: &Arguments) -> Measured {
    let counts = Arc::new(Counts::default());
    let mut supervisor = Supervisor::one_for_one("app");
    let mut handles = Vec::new();
    for number in 0..arguments.number::<u32>("receivers").max(1) {
        let child = child(
            format!("receiver-{number}"),
            arguments.text("kind"),
            Arc::clone(&counts),
        );
        let child = child.mailbox(arguments.number("mailbox"));
        handles.push(child.handle());
        supervisor = supervisor.child(child);
    }
    let running = supervisor.start().await.expect("it starts");
    let mut senders = JoinSet::new();
    for _ in 0..arguments.number::<u32>("senders") {
        senders.spawn(send(
            arguments.clone(),
            handles.clone(),
            Arc::clone(&counts),
        ));
    }
    let series = Series::new(
        "seconds",
        "messages/s",
        &["handled", "turned away"],
        &["waiting"],
    );
    let mut each = [PerSecond::new(), PerSecond::new()];
    let series = rig::watch(&RIG, arguments.duration(), series, || {
        let snapshot = running.snapshot();
        let waiting = snapshot
            .root
            .children
            .iter()
            .filter_map(|child| child.mailbox_depth);
        let waiting: usize = waiting.sum();
        let [handled, away] = &mut each;
        vec![
            handled.of(counts.handled.load(Ordering::Relaxed)),
            away.of(counts.turned_away.load(Ordering::Relaxed)),
            waiting as f64,
        ]
    });
    let series = series.await;
    let handled = counts.handled.load(Ordering::Relaxed) as f64;
    let away = counts.turned_away.load(Ordering::Relaxed) as f64;
    while let Some(sent) = senders.join_next().await {
        sent.expect("a sender does not fail");
    }
    drop(running.stop(Duration::from_secs(10)).await);
    let seconds = arguments.duration().as_secs_f64();
    let took = counts.took.lock().expect("nobody panics with it");
    let figures = vec![
        Figure::higher("handled a second", handled / seconds, "/s"),
        Figure::plain("handled in all", handled, "messages"),
        Figure::plain("turned away", away, "messages"),
        Figure::lower("p50", took.micros(0.5), "µs"),
        Figure::lower("p95", took.micros(0.95), "µs"),
        Figure::lower("p99", took.micros(0.99), "µs"),
    ];
    Measured { figures, series }
}

fn main() -> ExitCode {
    rig::run(&RIG, load)
}
