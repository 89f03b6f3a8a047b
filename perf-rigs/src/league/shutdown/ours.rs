//! Ours: workers, which have a mailbox as actors have, and tasks.

use std::time::Duration;

use perennial::{Child, Inbox, Running, Supervisor};

use super::witness::Witness;

pub(super) async fn start_workers(count: usize, witness: Witness) -> Running {
    let mut supervisor = Supervisor::one_for_one("app");
    for number in 0..count {
        let witness = witness.clone();
        let child = Child::worker(format!("c{number}"), move |_cx, mut inbox: Inbox<()>| {
            let witness = witness.clone();
            async move {
                while inbox.recv().await.is_some() {}
                witness.stops(number).await;
                Ok(())
            }
        });
        supervisor = supervisor.child(child);
    }
    supervisor.start().await.expect("it starts")
}

pub(super) async fn start_tasks(count: usize, witness: Witness) -> Running {
    let mut supervisor = Supervisor::one_for_one("app");
    for number in 0..count {
        let witness = witness.clone();
        let child = Child::task(format!("c{number}"), move |cx| {
            let witness = witness.clone();
            async move {
                cx.shutdown().await;
                witness.stops(number).await;
                Ok(())
            }
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
