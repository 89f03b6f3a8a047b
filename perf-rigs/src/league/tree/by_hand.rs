//! A ractor actor with linked children, stopped one after the other, the last one first.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};

pub(super) struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

pub(super) struct Family {
    parent: ActorRef<()>,
    children: Vec<ActorCell>,
}

pub(super) async fn start(count: usize) -> Family {
    let spawned = Actor::spawn(None, Idle, ()).await;
    let (parent, _task) = spawned.expect("the parent starts");
    let mut children = Vec::with_capacity(count);
    for _ in 0..count {
        let spawned = Actor::spawn_linked(None, Idle, (), parent.get_cell()).await;
        let (child, _task) = spawned.expect("a child starts");
        children.push(child.get_cell());
    }
    Family { parent, children }
}

pub(super) async fn stop(family: Family) {
    for child in family.children.iter().rev() {
        let stopped = child.stop_and_wait(None, None).await;
        stopped.expect("a child stops");
    }
    let stopped = family.parent.stop_and_wait(None, None).await;
    stopped.expect("the parent stops");
}
