//! Sends so many messages to one child on one thread, for whoever counts the instructions of that.
//!
//! `recording tell-worker|ask-worker|tell-actor COUNT`

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

use std::process::ExitCode;

use perennial::{Actor, ActorProcessingErr, ActorRef, Child, Inbox, Reply, Supervisor};
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// So many are sent before the child has its turn: half of what tokio's budget lets it take in one.
const BURST: u64 = 64;

enum Message {
    Tell,
    Ask(Reply<u64>),
    /// What was sent before has been handled.
    Over(oneshot::Sender<()>),
}

fn handle(message: Message, handled: &mut u64) {
    match message {
        Message::Tell => *handled += 1,
        // Nobody gives up waiting here.
        Message::Ask(reply) => reply.send(*handled).expect("it waits"),
        Message::Over(over) => over.send(()).expect("it waits"),
    }
}

struct Listener;

impl Actor for Listener {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        handled: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        handle(message, handled);
        Ok(())
    }
}

fn child(what: &str) -> Option<Child<Message>> {
    Some(match what {
        "tell-worker" | "ask-worker" => {
            Child::worker("child", |_cx, mut inbox: Inbox<Message>| async move {
                let mut handled = 0;
                while let Some(message) = inbox.recv().await {
                    handle(message, &mut handled);
                }
                Ok(())
            })
        }
        "tell-actor" => Child::actor("child", |_cx| (Listener, ())),
        _ => return None,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let count = arguments.next().and_then(|count| count.parse::<u64>().ok());
    let (Some(child), Some(count)) = (child(&what), count) else {
        eprintln!("usage: recording tell-worker|ask-worker|tell-actor COUNT");
        return ExitCode::from(64);
    };
    let to_child = child.handle();
    let tree = Supervisor::one_for_one("app").child(child);
    let running = tree.start().await.expect("it starts");
    for number in 0..count {
        if what == "ask-worker" {
            to_child.call(Message::Ask).await.expect("it answers");
            continue;
        }
        assert!(to_child.cast(Message::Tell).is_ok(), "there is room");
        if number % BURST == 0 {
            yield_now().await;
        }
    }
    let (over, is_over) = oneshot::channel();
    assert!(to_child.cast(Message::Over(over)).is_ok(), "there is room");
    is_over.await.expect("it runs");
    running.stop(std::time::Duration::from_secs(60)).await;
    ExitCode::SUCCESS
}
