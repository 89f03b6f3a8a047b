//! Handles are addresses: they outlive the runs they lead to, and two children can hold each other's.
//!
//! Watch for the ball that goes to and fro between two workers, and for what comes back when nobody is
//! there: before the start the child is down, after the end it is gone, and each time the message is
//! returned instead of lost.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::sync::Arc;
use std::time::Duration;

use perennial::{BoxError, Child, Handle, Inbox, Supervisor};
use tokio::sync::Notify;

#[derive(Debug)]
struct Ball(u32);

/// A player that returns the ball to `other` until it has flown five times.
fn player(name: &'static str, other: &Handle<Ball>, over: &Arc<Notify>) -> Child<Ball> {
    let (other, over) = (other.clone(), Arc::clone(over));
    Child::worker(name, move |_cx, mut inbox: Inbox<Ball>| {
        let (other, over) = (other.clone(), Arc::clone(&over));
        async move {
            while let Some(Ball(flights)) = inbox.recv().await {
                println!("{name} has the ball after flight {flights}");
                if flights < 5 {
                    other.cast(Ball(flights + 1))?;
                } else {
                    over.notify_one();
                }
            }
            Ok(())
        }
    })
}

fn serve(handle: &Handle<Ball>) {
    match handle.cast(Ball(1)) {
        Ok(()) => println!("served"),
        Err(refused) => {
            let why = refused.code();
            println!("not served ({why}), got back {:?}", refused.into_message());
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let over = Arc::new(Notify::new());
    // Pong does not exist yet, but ping must know it: its handle comes first.
    let pong = Handle::unbound();
    let first = player("ping", &pong, &over);
    let ping = first.handle();
    let second = player("pong", &ping, &over).address(&pong);
    let tree = Supervisor::one_for_one("table").child(first).child(second);

    serve(&ping);
    let running = tree.start().await?;
    serve(&ping);
    over.notified().await;
    let report = running.stop(Duration::from_secs(1)).await;
    serve(&ping);

    print!("\n{report}");
    Ok(())
}
