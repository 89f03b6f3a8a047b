//! A ractor actor with linked children: stopped one after the other, or all told at once.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::task::JoinHandle;

use super::witness::Witness;

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = Option<(usize, Witness)>;
    type Arguments = Option<(usize, Witness)>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        given: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(given)
    }

    async fn post_stop(
        &self,
        _: ActorRef<()>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some((number, witness)) = state {
            witness.stops(*number).await;
        }
        Ok(())
    }

    /// By default a parent ends with its first child, and kills the others.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        _: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

pub(super) struct Family {
    parent: ActorRef<()>,
    task: JoinHandle<()>,
    children: Vec<(ActorCell, JoinHandle<()>)>,
}

pub(super) async fn start(count: usize, witness: Witness) -> Family {
    let spawned = Actor::spawn(None, Idle, None).await;
    let (parent, task) = spawned.expect("the parent starts");
    let mut children = Vec::with_capacity(count);
    for number in 0..count {
        let given = Some((number, witness.clone()));
        let spawned = Actor::spawn_linked(None, Idle, given, parent.get_cell()).await;
        let (child, task) = spawned.expect("a child starts");
        children.push((child.get_cell(), task));
    }
    Family {
        parent,
        task,
        children,
    }
}

async fn stop_parent(parent: ActorRef<()>, task: JoinHandle<()>) {
    parent.stop(None);
    task.await.expect("the parent stops");
}

pub(super) async fn stop(family: Family) {
    for (child, task) in family.children.into_iter().rev() {
        child.stop(None);
        task.await.expect("a child stops");
    }
    stop_parent(family.parent, family.task).await;
}

pub(super) async fn stop_all(family: Family) {
    for (child, _) in &family.children {
        child.stop(None);
    }
    for (_, task) in family.children {
        task.await.expect("a child stops");
    }
    stop_parent(family.parent, family.task).await;
}
