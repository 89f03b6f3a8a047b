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

pub(super) async fn stop(running: Running) {
    // With as many children as here each one's floor is a small share of it.
    let report = running.stop(Duration::from_secs(3_600)).await;
    assert!(report.is_clean(), "{report}");
}
