//! An actix actor that nobody supervises, in an arbiter of its own, with a mailbox without a bound.

use std::sync::Arc;

use actix::{Actor, Arbiter, Context, Handler, Message, System};

use super::Counter;
use super::by_hand::Answer;

struct Listener(Arc<Counter>);

impl Actor for Listener {
    type Context = Context<Self>;
}

struct Tell;

impl Message for Tell {
    type Result = ();
}

impl Handler<Tell> for Listener {
    type Result = ();

    fn handle(&mut self, _: Tell, _: &mut Context<Self>) {
        self.0.got_one();
    }
}

struct Ask;

impl Message for Ask {
    type Result = u64;
}

impl Handler<Ask> for Listener {
    type Result = u64;

    fn handle(&mut self, _: Ask, _: &mut Context<Self>) -> u64 {
        42
    }
}

/// Starts it beside the runtime that it is asked from: it lives in none of several threads.
async fn start(counter: Arc<Counter>) -> actix::Addr<Listener> {
    let (told, started) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runner = System::new();
        let arbiter = Arbiter::new();
        let address = Listener::start_in_arbiter(&arbiter.handle(), |_| Listener(counter));
        // Nobody waits any more when this fails. It lives until the process ends.
        let _is_heard = told.send(address);
        drop(runner.run());
    });
    started.await.expect("it starts")
}

pub(super) async fn tell(counter: Arc<Counter>) -> impl Fn() + Send + Sync + 'static {
    let actor = start(counter).await;
    move || actor.do_send(Tell)
}

pub(super) async fn ask() -> impl Fn() -> Answer + Send + 'static {
    let actor = start(Counter::of(0)).await;
    move || -> Answer {
        let actor = actor.clone();
        Box::pin(async move { actor.send(Ask).await.expect("an answer") })
    }
}
