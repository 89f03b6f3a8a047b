//! How long a child waits before it comes back: longer after each failure in a row.
//!
//! Watch for the delays. The first restart is immediate, since most crashes are over with one, and so
//! no event tells of a wait; the second waits 100 ms, and each further one twice as long. Jitter is off
//! here so that the numbers are round; leave it on where many children may fail together.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::time::Duration;

use perennial::{Backoff, BoxError, Child, EventKind, Inbox, Supervisor};

/// The run in which the other side answers again.
const BACK_AGAIN: u64 = 6;

struct Disconnect;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let backoff = Backoff::try_new(Duration::from_millis(100), Duration::from_secs(5))?;
    let client = Child::worker("client", |cx, mut inbox: Inbox<Disconnect>| async move {
        if (2..BACK_AGAIN).contains(&cx.incarnation()) {
            return Err("connection refused".into());
        }
        match inbox.recv().await {
            Some(Disconnect) => Err("connection reset".into()),
            None => Ok(()),
        }
    })
    .backoff(backoff.jitter(0.0)?);
    let handle = client.handle();
    let running = Supervisor::one_for_one("app").child(client).start().await?;

    let mut events = running.subscribe("main");
    handle.cast(Disconnect)?;
    loop {
        let event = events.recv().await?;
        match event.kind {
            EventKind::Exited { exit, .. } | EventKind::StartFailed { exit } => {
                println!("run {}: {exit}", event.incarnation);
            }
            EventKind::BackingOff { until, attempt } => {
                let delay = until.saturating_duration_since(event.at);
                println!("  restart {attempt} in a row waits {delay:.0?}");
            }
            EventKind::Restarted { .. } if event.incarnation == BACK_AGAIN => break,
            _ => {}
        }
    }
    println!("run {BACK_AGAIN}: connected");

    print!("\n{}", running.stop(Duration::from_secs(1)).await);
    Ok(())
}
