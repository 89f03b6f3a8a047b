//! Ours: an actor by its own reference and by a handle, and a worker.

use std::sync::Arc;

use perennial::{Child, Inbox, Reply, Supervisor};
use tokio::sync::mpsc;

use super::Counter;
use super::by_hand::{Answer, Listener, Message};

/// So that nobody is refused: what is compared with has no bound.
const UNBOUNDED: usize = 1 << 30;

pub(super) async fn tell_by_reference(counter: Arc<Counter>) -> impl Fn() + Send + Sync + 'static {
    let (sender, mut receiver) = mpsc::channel(1);
    let child = Child::actor("child", move |_cx| {
        let listener = Listener {
            counter: Arc::clone(&counter),
            tell: Some(sender.clone()),
        };
        (listener, ())
    });
    let running = Supervisor::one_for_one("app").child(child).start().await;
    running.expect("it starts").detach();
    let actor = receiver.recv().await.expect("it started");
    move || actor.cast(Message::Tell).expect("it runs")
}

pub(super) async fn tell_by_handle(counter: Arc<Counter>) -> impl Fn() + Send + Sync + 'static {
    let child = Child::actor("child", move |_cx| {
        let listener = Listener {
            counter: Arc::clone(&counter),
            tell: None,
        };
        (listener, ())
    })
    .mailbox(UNBOUNDED);
    let handle = child.handle();
    let running = Supervisor::one_for_one("app").child(child).start().await;
    running.expect("it starts").detach();
    move || handle.cast(Message::Tell).expect("it runs")
}

pub(super) async fn tell_a_worker(counter: Arc<Counter>) -> impl Fn() + Send + Sync + 'static {
    let child = Child::worker("child", move |_cx, mut inbox: Inbox<()>| {
        let counter = Arc::clone(&counter);
        async move {
            while inbox.recv().await.is_some() {
                counter.got_one();
            }
            Ok(())
        }
    })
    .mailbox(UNBOUNDED);
    let handle = child.handle();
    let running = Supervisor::one_for_one("app").child(child).start().await;
    running.expect("it starts").detach();
    move || handle.cast(()).expect("it runs")
}

pub(super) async fn ask_a_worker() -> impl Fn() -> Answer + Send + 'static {
    let child = Child::worker("child", |_cx, mut inbox: Inbox<Reply<u64>>| async move {
        while let Some(reply) = inbox.recv().await {
            // Fails only when nobody waits for the answer any more.
            reply.send(42).unwrap_or_default();
        }
        Ok(())
    })
    .mailbox(UNBOUNDED);
    let handle = child.handle();
    let running = Supervisor::one_for_one("app").child(child).start().await;
    running.expect("it starts").detach();
    move || -> Answer {
        let handle = handle.clone();
        Box::pin(async move { handle.call(|reply| reply).await.expect("an answer") })
    }
}
