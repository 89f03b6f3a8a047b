//! Everything that happens in a tree is an event, and a snapshot says what is true now.
//!
//! Watch for the order: one child's crash from `exited` to `restarted`, then the shutdown down to
//! `shutdown_ended`, numbered without a hole. The snapshot in the middle was read, not computed from
//! events; its `from_seq` says after which event to go on.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::time::Duration;

use perennial::{BoxError, Child, EventKind, Inbox, Running, ShutdownReason, Supervisor};

struct Fail;

fn print_snapshot(running: &Running) {
    let snapshot = running.snapshot();
    println!("-- the tree after event {}", snapshot.from_seq);
    snapshot.root.visit(&mut |node| {
        let (path, state, restarts) = (node.path.as_str(), node.state.code(), node.restart_count());
        println!(
            "   {path:<16} {state:<8} run {}, {restarts} restarts",
            node.incarnation
        );
    });
    println!("--");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let clock = Child::task("clock", |cx| async move {
        let _deadline = cx.shutdown().await;
        Ok(())
    });
    let flaky = Child::worker("flaky", |_cx, mut inbox: Inbox<Fail>| async move {
        match inbox.recv().await {
            Some(Fail) => Err("told to".into()),
            None => Ok(()),
        }
    });
    let handle = flaky.handle();
    let inner = Supervisor::one_for_one("inner").child(flaky);
    let running = Supervisor::one_for_one("app")
        .child(clock)
        .child(inner)
        .start()
        .await?;

    let mut events = running.subscribe("printer");
    handle.cast(Fail)?;
    loop {
        let event = events.recv().await?;
        print!(
            "{:>3} {:<16} {}",
            event.seq,
            event.path.as_str(),
            event.kind.code()
        );
        match event.kind {
            EventKind::Exited { exit, .. } => println!(": {exit}"),
            EventKind::Restarted { latency } => {
                println!(" after {latency:?}");
                print_snapshot(&running);
                running.shutdown(ShutdownReason::Requested, Duration::from_secs(1));
            }
            EventKind::ShutdownEnded { .. } => break,
            _ => println!(),
        }
    }
    print!("\n\n{}", running.wait().await);
    Ok(())
}
