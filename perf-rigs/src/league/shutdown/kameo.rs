//! kameo: supervised actors, stopped one after the other by hand, or by their parent, which tells all at once.

use kameo::actor::{Actor, ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, Infallible};

use super::witness::Witness;

#[derive(Clone)]
pub(super) struct Idle(Option<(usize, Witness)>);

impl Actor for Idle {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(given: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(given)
    }

    async fn on_stop(
        &mut self,
        _: WeakActorRef<Self>,
        _: ActorStopReason,
    ) -> Result<(), Infallible> {
        if let Some((number, witness)) = &self.0 {
            witness.stops(*number).await;
        }
        Ok(())
    }
}

pub(super) struct Family {
    parent: ActorRef<Idle>,
    children: Vec<ActorRef<Idle>>,
}

pub(super) async fn start(count: usize, witness: Witness) -> Family {
    let parent = Idle::spawn(Idle(None));
    let mut children = Vec::with_capacity(count);
    for number in 0..count {
        let child = Idle::supervise(&parent, Idle(Some((number, witness.clone()))))
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
    stop_all(family).await;
}

pub(super) async fn stop_all(family: Family) {
    let stopped = family.parent.stop_gracefully().await;
    stopped.expect("the parent stops");
    family.parent.wait_for_shutdown().await;
}
