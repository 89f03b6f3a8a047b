//! Ours: tasks, and ractor's actors as they are.

use std::sync::Arc;
use std::time::Duration;

use perennial::{Backoff, Child, Supervisor};

use super::by_hand::Player;
use super::stage::{CHILDREN, Stage};
use super::{DEADLINE, Starting, Stopping};

fn supervisor() -> Supervisor {
    Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(5, Duration::from_secs(60))
}

async fn start(supervisor: Supervisor) -> Stopping {
    let running = supervisor.start().await.expect("it starts");
    Stopping::new(async move { format!("{:?}", running.stop(DEADLINE).await.hung()) })
}

pub(super) fn tasks(stage: Arc<Stage>) -> Starting {
    let child = |name| {
        let stage = Arc::clone(&stage);
        Child::task(name, move |cx| {
            let stage = Arc::clone(&stage);
            async move {
                let told = async {
                    cx.shutdown().await;
                };
                Ok(stage.live(name, told).await?)
            }
        })
    };
    let tree = CHILDREN.into_iter().map(child);
    Box::pin(start(tree.fold(supervisor(), Supervisor::child)))
}

pub(super) fn actors(stage: Arc<Stage>) -> Starting {
    let child = |name| {
        let stage = Arc::clone(&stage);
        Child::actor(name, move |_cx| {
            let player = Player {
                stage: Arc::clone(&stage),
                child: name,
            };
            (player, ())
        })
    };
    let tree = CHILDREN.into_iter().map(child);
    Box::pin(start(tree.fold(supervisor(), Supervisor::child)))
}
