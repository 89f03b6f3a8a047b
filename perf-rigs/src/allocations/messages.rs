//! A message told, and a question asked.

use perennial::{
    Actor, ActorProcessingErr, ActorRef, Child, Handle, Inbox, Reply, RpcReplyPort, Supervisor,
};

use crate::{Row, count_rounds};

const ROUNDS: u64 = 100_000;
/// How many are told before they are handled.
const BATCH: u64 = 100;

enum Message {
    Tell,
    Ask(RpcReplyPort<u64>),
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
        if let Message::Ask(reply) = message {
            reply.send(42)?;
        }
        Ok(())
    }
}

/// Starts a child that stays.
async fn start<M: Send + 'static>(child: Child<M>) -> Handle<M> {
    let handle = child.handle();
    let running = Supervisor::one_for_one("app").child(child).start().await;
    running.expect("it starts").detach();
    handle
}

fn actor() -> Child<Message> {
    Child::actor("child", |_cx| (Listener, ()))
}

/// Tells in batches and lets each be handled.
async fn tell(rounds: u64, tell: impl Fn()) {
    for _ in 0..rounds / BATCH {
        (0..BATCH).for_each(|_| tell());
        // The child's task is the only other one: it runs until it waits.
        for _ in 0..BATCH {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        count_rounds("tell", "perennial, a worker", ROUNDS, |rounds| async move {
            let child = Child::worker("child", |_cx, mut inbox: Inbox<u64>| async move {
                while inbox.recv().await.is_some() {}
                Ok(())
            });
            let handle = start(child).await;
            tell(rounds, || handle.cast(7).expect("it runs")).await;
        }),
        count_rounds("tell", "perennial, an actor", ROUNDS, |rounds| async move {
            let handle = start(actor()).await;
            tell(rounds, || handle.cast(Message::Tell).expect("it runs")).await;
        }),
        count_rounds("tell", "ractor by hand", ROUNDS, |rounds| async move {
            let spawned = Actor::spawn(None, Listener, ()).await;
            let (actor, _task) = spawned.expect("it starts");
            tell(rounds, || actor.cast(Message::Tell).expect("it runs")).await;
        }),
        count_rounds("ask", "perennial, a worker", ROUNDS, |rounds| async move {
            let child = Child::worker("child", |_cx, mut inbox: Inbox<Reply<u64>>| async move {
                while let Some(reply) = inbox.recv().await {
                    // Fails only when nobody waits for the answer any more.
                    reply.send(42).unwrap_or_default();
                }
                Ok(())
            });
            let handle = start(child).await;
            for _ in 0..rounds {
                assert_eq!(handle.call(|reply| reply).await, Ok(42));
            }
        }),
        count_rounds("ask", "perennial, an actor", ROUNDS, |rounds| async move {
            let handle = start(actor()).await;
            for _ in 0..rounds {
                let answer = handle.call(|reply| Message::Ask(reply.into())).await;
                assert_eq!(answer, Ok(42));
            }
        }),
        count_rounds("ask", "ractor by hand", ROUNDS, |rounds| async move {
            let spawned = Actor::spawn(None, Listener, ()).await;
            let (actor, _task) = spawned.expect("it starts");
            for _ in 0..rounds {
                let answer = actor.call(Message::Ask, None).await;
                assert_eq!(answer.expect("it runs").expect("an answer"), 42);
            }
        }),
    ]
}
