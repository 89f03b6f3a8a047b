//! Which siblings share a crash: three supervisors with the same three children, of which `b` fails.
//!
//! Watch for who starts again: `b` alone under one_for_one, `b` and what was declared after it under
//! rest_for_one, everybody under one_for_all. Stops run in reverse order, starts in order.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::sync::Arc;
use std::time::Duration;

use perennial::{BoxError, Child, Supervisor};
use tokio::sync::Notify;

/// A task that fails when it is told to, and says when it starts and stops.
fn talking(name: &'static str, fail: &Arc<Notify>) -> Child {
    Child::task_with(
        name,
        Arc::clone(fail),
        move |cx, fail: Arc<Notify>| async move {
            println!("  {name} starts, run {}", cx.incarnation());
            tokio::select! {
                _deadline = cx.shutdown() => println!("  {name} stops"),
                () = fail.notified() => {
                    println!("  {name} FAILS");
                    return Err("told to".into());
                }
            }
            Ok(())
        },
    )
}

/// Runs a tree, lets `b` fail, and waits until `last` is up again.
async fn show(supervisor: Supervisor, last: &str) -> Result<(), BoxError> {
    let (healthy, fail) = (Arc::default(), Arc::default());
    let tree = supervisor
        .child(talking("a", &healthy))
        .child(talking("b", &fail))
        .child(talking("c", &healthy));
    let running = tree.start().await?;
    println!("-- {}: up", running.path());

    let mut events = running.subscribe("main");
    fail.notify_one();
    loop {
        let event = events.recv().await?;
        if event.kind.code() == "started" && event.path.name() == last {
            break;
        }
    }
    println!("-- {}: recovered", running.path());
    let report = running.stop(Duration::from_secs(1)).await;
    println!("-- ended: {}\n", report.exit);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    show(Supervisor::one_for_one("one_for_one"), "b").await?;
    show(Supervisor::rest_for_one("rest_for_one"), "c").await?;
    show(Supervisor::one_for_all("one_for_all"), "c").await
}
