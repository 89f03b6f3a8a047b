//! What a restart forgets and what it keeps.
//!
//! Each run of a task gets its own clone of the state as it was declared. Watch for the list, which is
//! empty again in the second run, and for the total, which is shared on purpose and counts on.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::{BoxError, Child, Supervisor};
use tokio::sync::Notify;

#[derive(Clone, Default)]
struct State {
    /// Cloned by value: forgotten with the run.
    seen: Vec<u64>,
    /// Cloned by reference: outlives the run.
    total: Arc<AtomicU64>,
    fail: Arc<Notify>,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let state = State::default();
    let fail = Arc::clone(&state.fail);
    let reader = Child::task_with("reader", state, |cx, mut state: State| async move {
        println!("run {} begins with {:?}", cx.incarnation(), state.seen);
        for line in 1..=3 {
            state.seen.push(line);
            state.total.fetch_add(1, Ordering::Relaxed);
        }
        let total = state.total.load(Ordering::Relaxed);
        println!("  has seen {:?}, {total} lines in all runs", state.seen);
        tokio::select! {
            _deadline = cx.shutdown() => Ok(()),
            () = state.fail.notified() => Err("the input went away".into()),
        }
    });
    let running = Supervisor::one_for_one("app").child(reader).start().await?;

    let mut events = running.subscribe("main");
    fail.notify_one();
    while events.recv().await?.kind.code() != "restarted" {}

    print!("\n{}", running.stop(Duration::from_secs(1)).await);
    Ok(())
}
