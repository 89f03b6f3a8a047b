//! A first supervised actor: it panics once on purpose and comes back.
//!
//! Watch for the sum. It begins anew, because a new run of the actor has a new state, while the handle
//! that was made before the first run still works. The panic's own message goes to stderr.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::time::Duration;

use perennial::{Actor, ActorRef, BoxError, Child, RpcReplyPort, Supervisor};

enum Msg {
    Add(u32),
    Get(RpcReplyPort<u32>),
    Crash,
}

struct Adder;

impl Actor for Adder {
    type Msg = Msg;
    type State = u32;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Msg>, (): ()) -> Result<u32, BoxError> {
        Ok(0)
    }

    #[allow(clippy::panic, reason = "the crash on purpose")]
    async fn handle(&self, _: ActorRef<Msg>, message: Msg, sum: &mut u32) -> Result<(), BoxError> {
        match message {
            Msg::Add(n) => *sum += n,
            // Fails only when nobody waits for the answer any more.
            Msg::Get(reply) => drop(reply.send(*sum)),
            Msg::Crash => panic!("on purpose"),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let adder = Child::actor("adder", |_cx| (Adder, ()));
    let handle = adder.handle();
    let running = Supervisor::one_for_one("app").child(adder).start().await?;

    handle.cast(Msg::Add(7))?;
    let sum = handle.call(|reply| Msg::Get(reply.into())).await?;
    println!("before the crash: {sum}");

    let mut events = running.subscribe("main");
    handle.cast(Msg::Crash)?;
    while events.recv().await?.kind.code() != "restarted" {}

    handle.cast(Msg::Add(1))?;
    let sum = handle.call(|reply| Msg::Get(reply.into())).await?;
    println!("after the crash: {sum}\n");

    print!("{}", running.stop(Duration::from_secs(1)).await);
    Ok(())
}
