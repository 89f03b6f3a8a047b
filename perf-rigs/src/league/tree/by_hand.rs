//! A ractor actor with linked children, stopped one after the other, the last one first.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::task::JoinHandle;

pub(super) struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    /// By default a parent ends with its first child, and kills the others.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

pub(super) struct Family {
    parent: ActorRef<()>,
    task: JoinHandle<()>,
    children: Vec<(ActorCell, JoinHandle<()>)>,
}

pub(super) async fn start(count: usize) -> Family {
    let spawned = Actor::spawn(None, Idle, ()).await;
    let (parent, task) = spawned.expect("the parent starts");
    let mut children = Vec::with_capacity(count);
    for _ in 0..count {
        let spawned = Actor::spawn_linked(None, Idle, (), parent.get_cell()).await;
        let (child, task) = spawned.expect("a child starts");
        children.push((child.get_cell(), task));
    }
    Family {
        parent,
        task,
        children,
    }
}

pub(super) async fn stop(family: Family) {
    for (child, task) in family.children.into_iter().rev() {
        child.stop(None);
        task.await.expect("a child stops");
    }
    family.parent.stop(None);
    family.task.await.expect("the parent stops");
}
