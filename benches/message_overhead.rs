//! What supervision adds to a message, beside the same thing by hand: a bounded `mpsc`, and a ractor actor that
//! nobody supervises.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use perennial::{Actor, ActorProcessingErr, ActorRef, Child, Inbox, Supervisor};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// A batch that fits where there is a bound.
const BATCH: u64 = 1_024;
const MAILBOX: usize = 4_096;

/// Some work; with a bell behind the last of a batch.
type Message = Option<Arc<Notify>>;

struct Listener(mpsc::Sender<ActorRef<Message>>);

impl Actor for Listener {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, itself: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        self.0.send(itself).await?;
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

fn take(message: Message) {
    if let Some(over) = message {
        over.notify_one();
    }
}

/// Sends batches, and waits for the end of each.
async fn send(tell: &(dyn Fn(Message) + Sync), count: u64) -> Duration {
    let over = Arc::new(Notify::new());
    let began = Instant::now();
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        for _ in 1..batch {
            tell(None);
        }
        tell(Some(Arc::clone(&over)));
        over.notified().await;
        left -= batch;
    }
    began.elapsed()
}

type Tell = Box<dyn Fn(Message) + Send + Sync>;

async fn by_channel() -> Tell {
    let (sender, mut receiver) = mpsc::channel(MAILBOX);
    tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            take(message);
        }
    });
    Box::new(move |message| sender.try_send(message).expect("it fits"))
}

async fn by_worker() -> Tell {
    let child = Child::worker("child", |_cx, mut inbox: Inbox<Message>| async move {
        while let Some(message) = inbox.recv().await {
            take(message);
        }
        Ok(())
    });
    let child = child.mailbox(MAILBOX);
    let handle = child.handle();
    let running = Supervisor::one_for_one("bench").child(child).start().await;
    running.expect("it starts").detach();
    Box::new(move |message| handle.cast(message).expect("it fits"))
}

async fn by_actor_alone() -> Tell {
    let (sender, mut receiver) = mpsc::channel(1);
    let spawned = Actor::spawn(None, Listener(sender), ()).await;
    drop(spawned.expect("it starts"));
    by_reference(receiver.recv().await.expect("it started"))
}

async fn by_supervised_actor() -> Tell {
    let (sender, mut receiver) = mpsc::channel(1);
    let child = Child::actor("child", move |_cx| (Listener(sender.clone()), ()));
    let running = Supervisor::one_for_one("bench").child(child).start().await;
    running.expect("it starts").detach();
    by_reference(receiver.recv().await.expect("it started"))
}

fn by_reference(actor: ActorRef<Message>) -> Tell {
    Box::new(move |message| actor.cast(message).expect("it runs"))
}

fn bench(criterion: &mut Criterion) {
    let runtime = setting::runtime();
    let mut group = criterion.benchmark_group("message_overhead");
    let ways = runtime.block_on(async {
        [
            ("mpsc by hand", by_channel().await),
            ("supervised worker", by_worker().await),
            ("actor by hand", by_actor_alone().await),
            ("supervised actor", by_supervised_actor().await),
        ]
    });
    for (name, tell) in &ways {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|count| runtime.block_on(send(tell, count)));
        });
    }
    group.finish();
}

fn main() {
    setting::run(bench);
}
