//! Ours: actors and workers.

use std::time::Duration;

use perennial::{Child, Inbox, Running, Supervisor};

use super::by_hand::Idle;

pub(super) async fn start_actors(count: usize) -> Running {
    let mut supervisor = Supervisor::one_for_one("app");
    for number in 0..count {
        supervisor = supervisor.child(Child::actor(format!("c{number}"), |_cx| (Idle, ())));
    }
    supervisor.start().await.expect("it starts")
}

pub(super) async fn start_workers(count: usize) -> Running {
    let mut supervisor = Supervisor::one_for_one("app");
    for number in 0..count {
        let child = Child::worker(
            format!("c{number}"),
            |_cx, mut inbox: Inbox<()>| async move {
                while inbox.recv().await.is_some() {}
                Ok(())
            },
        );
        supervisor = supervisor.child(child);
    }
    supervisor.start().await.expect("it starts")
}

pub(super) async fn start_tasks(count: usize) -> Running {
    let mut supervisor = Supervisor::one_for_one("app");
    for number in 0..count {
        let child = Child::task(format!("c{number}"), |cx| async move {
            cx.shutdown().await;
            Ok(())
        });
        supervisor = supervisor.child(child);
    }
    supervisor.start().await.expect("it starts")
}

pub(super) async fn stop(running: Running) {
    // So much that the floors of 100 000 children, 100 ms each, are a part of it: else each of them is
    // an equal share of the budget, and the first to stop has no more than that.
    let report = running.stop(Duration::from_secs(36_000)).await;
    assert!(report.is_clean(), "{report}");
}
