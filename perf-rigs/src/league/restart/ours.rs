//! Ours: each kind of child that can crash and come back.

use std::sync::Arc;
use std::time::Duration;

use perennial::{Backoff, Child, Inbox, Supervisor};

use super::by_hand::Crasher;
use super::probe::Probe;

fn supervisor() -> Supervisor {
    Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(1_000_000, Duration::from_secs(1))
}

pub(super) async fn actor(probe: Arc<Probe>) {
    let child = Child::actor("child", move |_cx| (Crasher(Arc::clone(&probe)), ()));
    let running = supervisor().child(child).start().await;
    drop(running.expect("it starts").wait().await);
}

pub(super) async fn task(probe: Arc<Probe>) {
    let child = Child::task("child", move |_cx| {
        let probe = Arc::clone(&probe);
        async move {
            probe.live().await;
            Ok(())
        }
    });
    let running = supervisor().child(child).start().await;
    drop(running.expect("it starts").wait().await);
}

pub(super) async fn worker(probe: Arc<Probe>) {
    let child = Child::worker("child", move |_cx, _inbox: Inbox<()>| {
        let probe = Arc::clone(&probe);
        async move {
            probe.live().await;
            Ok(())
        }
    });
    let running = supervisor().child(child).start().await;
    drop(running.expect("it starts").wait().await);
}
