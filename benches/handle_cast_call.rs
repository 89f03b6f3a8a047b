//! What a message costs through a `Handle`: a cast to a worker and to an actor until it is handled, a call until it
//! is answered.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Child, Handle, Inbox, Reply, Running, Supervisor,
};
use tokio::sync::Notify;
use tokio::time::Instant;

/// More than any sample sends: nobody is turned away.
const MAILBOX: usize = 1 << 30;

enum Message {
    Work,
    /// Behind all work that was sent.
    Over(Arc<Notify>),
    Ask(Reply<u64>),
}

fn take(message: Message) {
    match message {
        Message::Work => {}
        Message::Over(over) => over.notify_one(),
        // Fails only when nobody waits for the answer any more.
        Message::Ask(reply) => reply.send(42).unwrap_or_default(),
    }
}

struct Listener;

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
        take(message);
        Ok(())
    }
}

async fn start(child: Child<Message>) -> (Handle<Message>, Running) {
    let child = child.mailbox(MAILBOX);
    let handle = child.handle();
    let running = Supervisor::one_for_one("bench").child(child).start().await;
    (handle, running.expect("it starts"))
}

async fn cast(handle: &Handle<Message>, count: u64) -> Duration {
    let over = Arc::new(Notify::new());
    let began = Instant::now();
    for _ in 0..count {
        handle.cast(Message::Work).expect("it runs");
    }
    handle
        .cast(Message::Over(Arc::clone(&over)))
        .expect("it runs");
    over.notified().await;
    began.elapsed()
}

async fn call(handle: &Handle<Message>, count: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..count {
        handle.call(Message::Ask).await.expect("an answer");
    }
    began.elapsed()
}

fn bench(criterion: &mut Criterion) {
    let runtime = setting::runtime();
    let mut group = criterion.benchmark_group("handle_cast_call");
    let worker = || {
        Child::worker("child", |_cx, mut inbox: Inbox<Message>| async move {
            while let Some(message) = inbox.recv().await {
                take(message);
            }
            Ok(())
        })
    };
    let actor = || Child::actor("child", |_cx| (Listener, ()));
    for (name, child) in [("worker", worker()), ("actor", actor())] {
        let (handle, running) = runtime.block_on(start(child));
        group.bench_function(format!("cast, {name}"), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(cast(&handle, count)));
        });
        group.bench_function(format!("call, {name}"), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(call(&handle, count)));
        });
        runtime.block_on(running.stop(Duration::from_secs(10)));
    }
    group.finish();
}

fn main() {
    setting::run(bench);
}
