//! kameo: supervised actors, stopped one after the other, the last one first.

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::error::Infallible;

pub(super) struct Idle;

impl Actor for Idle {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

pub(super) struct Family {
    parent: ActorRef<Idle>,
    children: Vec<ActorRef<Idle>>,
}

pub(super) async fn start(count: usize) -> Family {
    let parent = Idle::spawn(());
    let mut children = Vec::with_capacity(count);
    for _ in 0..count {
        let child = Idle::supervise(&parent, ())
            .restart_policy(kameo::supervision::RestartPolicy::Transient)
            .spawn();
        children.push(child.await);
    }
    for child in &children {
        child.wait_for_startup().await;
    }
    Family { parent, children }
}

pub(super) async fn stop(family: Family) {
    for child in family.children.iter().rev() {
        child.stop_gracefully().await.expect("a child stops");
        child.wait_for_shutdown().await;
    }
    let stopped = family.parent.stop_gracefully().await;
    stopped.expect("the parent stops");
    family.parent.wait_for_shutdown().await;
}
