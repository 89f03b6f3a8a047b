//! ractor alone: linked actors, whose parent starts a child again when it hears of its failure.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::stage::{Act, CHILDREN, Presence, SECOND, Stage};
use super::{DEADLINE, Starting, Stopping};

/// An actor that plays a child.
pub(super) struct Player {
    pub(super) stage: Arc<Stage>,
    pub(super) child: &'static str,
}

impl Actor for Player {
    type Msg = Act;
    type State = Presence;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<Act>,
        (): (),
    ) -> Result<Presence, ActorProcessingErr> {
        let (act, presence) = self.stage.begins(self.child);
        if act != Act::Obey {
            myself.cast(act)?;
        }
        Ok(presence)
    }

    async fn handle(
        &self,
        _: ActorRef<Act>,
        act: Act,
        _: &mut Presence,
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.stage.misbehave(act).await?)
    }

    async fn post_stop(
        &self,
        _: ActorRef<Act>,
        _: &mut Presence,
    ) -> Result<(), ActorProcessingErr> {
        self.stage.tidy(self.child).await;
        Ok(())
    }
}

struct Parent(Arc<Stage>);

impl Parent {
    async fn spawn(
        &self,
        myself: &ActorRef<()>,
        child: &'static str,
    ) -> Result<(), ActorProcessingErr> {
        let stage = Arc::clone(&self.0);
        Actor::spawn_linked(None, Player { stage, child }, (), myself.get_cell()).await?;
        Ok(())
    }
}

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        for child in CHILDREN {
            self.spawn(&myself, child).await?;
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            self.spawn(&myself, SECOND).await?;
        }
        Ok(())
    }
}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let spawned = Actor::spawn(None, Parent(stage), ()).await;
        let (parent, _task) = spawned.expect("the parent starts");
        Stopping::new(async move {
            let cell = parent.get_cell();
            cell.stop_children_and_wait(None, Some(DEADLINE)).await;
            drop(parent.stop_and_wait(None, Some(DEADLINE)).await);
            String::new()
        })
    })
}
