//! A shutdown has one budget, and every child can read its share.
//!
//! Watch for the report: children stop in reverse order. `stubborn` never listens and is killed when its
//! share is spent, yet `archive` still gets the time that was reserved for it, uses it well, and
//! `listener` stops at once. The whole takes no longer than the budget.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::time::Duration;

use perennial::{BoxError, Child, Supervisor};
use tokio::time::Instant;

const BUDGET: Duration = Duration::from_millis(800);

/// How long one batch takes to write.
const BATCH: Duration = Duration::from_millis(40);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = Child::task("listener", |cx| async move {
        let _deadline = cx.shutdown().await;
        Ok(())
    });
    let archive = Child::task("archive", |cx| async move {
        let _deadline = cx.shutdown().await;
        let mut written = 0;
        // Two batches of margin: the last one must be safely written before the deadline.
        while cx.time_left().is_some_and(|left| left > 2 * BATCH) {
            tokio::time::sleep(BATCH).await;
            written += 1;
        }
        let left = cx.time_left().unwrap_or_default();
        println!("archive wrote {written} batches with {left:.0?} to spare");
        Ok(())
    })
    .stop_reserve(Duration::from_millis(300));
    let stubborn = Child::task("stubborn", |_cx| std::future::pending());

    let tree = Supervisor::one_for_one("app")
        .child(listener)
        .child(archive)
        .child(stubborn);
    let running = tree.start().await?;

    let began = Instant::now();
    let report = running.stop(BUDGET).await;
    println!("asked for {BUDGET:?}, took {:.0?}\n", began.elapsed());
    print!("{report}");
    Ok(())
}
