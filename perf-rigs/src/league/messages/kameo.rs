//! A kameo actor that nobody supervises, with an unbounded mailbox.

use std::sync::Arc;

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::mailbox;
use kameo::message::{Context, Message};

use super::Counter;
use super::by_hand::Answer;

struct Listener(Arc<Counter>);

impl Actor for Listener {
    type Args = Arc<Counter>;
    type Error = Infallible;

    async fn on_start(counter: Arc<Counter>, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(counter))
    }
}

struct Tell;

impl Message<Tell> for Listener {
    type Reply = ();

    async fn handle(&mut self, _: Tell, _: &mut Context<Self, ()>) {
        self.0.got_one();
    }
}

struct Ask;

impl Message<Ask> for Listener {
    type Reply = u64;

    async fn handle(&mut self, _: Ask, _: &mut Context<Self, u64>) -> u64 {
        42
    }
}

pub(super) async fn tell(counter: Arc<Counter>) -> impl Fn() + Send + Sync + 'static {
    let actor = Listener::spawn_with_mailbox(counter, mailbox::unbounded());
    actor.wait_for_startup().await;
    move || actor.tell(Tell).try_send().expect("it runs")
}

pub(super) async fn ask() -> impl Fn() -> Answer + Send + 'static {
    let actor = Listener::spawn_with_mailbox(Counter::of(0), mailbox::unbounded());
    actor.wait_for_startup().await;
    move || -> Answer {
        let actor = actor.clone();
        Box::pin(async move { actor.ask(Ask).await.expect("an answer") })
    }
}
