//! A ractor actor that nobody supervises.

use std::pin::Pin;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::Counter;

pub(super) enum Message {
    Tell,
    Ask(RpcReplyPort<u64>),
}

pub(super) struct Listener {
    pub(super) counter: Arc<Counter>,
    /// Hears of itself when it starts.
    pub(super) tell: Option<tokio::sync::mpsc::Sender<ActorRef<Message>>>,
}

impl Actor for Listener {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        if let Some(tell) = &self.tell {
            tell.try_send(myself)?;
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Tell => self.counter.got_one(),
            Message::Ask(reply) => reply.send(42)?,
        }
        Ok(())
    }
}

pub(super) async fn tell(counter: Arc<Counter>) -> impl Fn() + Send + Sync + 'static {
    let listener = Listener {
        counter,
        tell: None,
    };
    let spawned = Actor::spawn(None, listener, ()).await;
    let (actor, _task) = spawned.expect("it starts");
    move || actor.cast(Message::Tell).expect("it runs")
}

pub(super) type Answer = Pin<Box<dyn Future<Output = u64> + Send>>;

pub(super) async fn ask() -> impl Fn() -> Answer + Send + 'static {
    let listener = Listener {
        counter: Counter::of(0),
        tell: None,
    };
    let spawned = Actor::spawn(None, listener, ()).await;
    let (actor, _task) = spawned.expect("it starts");
    move || -> Answer {
        let actor = actor.clone();
        Box::pin(async move {
            let answered = actor.call(Message::Ask, None).await;
            answered.expect("it runs").expect("an answer")
        })
    }
}
