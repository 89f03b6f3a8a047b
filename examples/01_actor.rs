//! A first supervised actor: it panics once on purpose and comes back.
//!
//! Watch for the count. It begins anew, because a new run of the actor holds a new state, while the
//! handle that was made before the first run goes on working. The panic's own message goes to stderr.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::time::Duration;

use perennial::{Actor, ActorProcessingErr, ActorRef, BoxError, Child, RpcReplyPort, Supervisor};

enum Msg {
    Add(u32),
    Get(RpcReplyPort<u32>),
    Crash,
}

struct Counter;

impl Actor for Counter {
    type Msg = Msg;
    type State = u32;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Msg>, (): ()) -> Result<u32, ActorProcessingErr> {
        Ok(0)
    }

    #[allow(clippy::panic, reason = "the crash on purpose")]
    async fn handle(
        &self,
        _: ActorRef<Msg>,
        message: Msg,
        count: &mut u32,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::Add(n) => *count += n,
            Msg::Get(reply) => reply.send(*count)?,
            Msg::Crash => panic!("on purpose"),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let counter = Child::actor("counter", |_cx| (Counter, ()));
    let handle = counter.handle();
    let running = Supervisor::one_for_one("app")
        .child(counter)
        .start()
        .await?;

    handle.cast(Msg::Add(7))?;
    println!(
        "before: {}",
        handle.call(|reply| Msg::Get(reply.into())).await?
    );

    let mut events = running.subscribe("main");
    handle.cast(Msg::Crash)?;
    while events.recv().await?.kind.code() != "restarted" {}

    println!(
        "after:  {}",
        handle.call(|reply| Msg::Get(reply.into())).await?
    );
    handle.cast(Msg::Add(1))?;
    println!(
        "and on: {}",
        handle.call(|reply| Msg::Get(reply.into())).await?
    );

    println!("{}", running.stop(Duration::from_secs(1)).await);
    Ok(())
}
