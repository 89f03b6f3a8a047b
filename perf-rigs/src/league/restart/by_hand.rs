//! What one writes without a library for it: a ractor actor that starts its child again.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::probe::{Next, Probe};

/// An actor that crashes when it is told to.
pub(super) struct Crasher(pub(super) Arc<Probe>);

pub(super) struct Crash;

impl Actor for Crasher {
    type Msg = Crash;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Crash>, (): ()) -> Result<(), ActorProcessingErr> {
        let itself = myself.clone();
        if self.0.back(move || drop(itself.cast(Crash))) == Next::CrashSoon {
            myself.cast(Crash)?;
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Crash>,
        _: Crash,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.crash()
    }
}

struct Parent(Arc<Probe>);

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        let child = Crasher(Arc::clone(&self.0));
        Actor::spawn_linked(None, child, (), myself.get_cell()).await?;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            let child = Crasher(Arc::clone(&self.0));
            Actor::spawn_linked(None, child, (), myself.get_cell()).await?;
        }
        Ok(())
    }
}

pub(super) async fn start(probe: Arc<Probe>) {
    let spawned = Actor::spawn(None, Parent(probe), ()).await;
    let (_parent, task) = spawned.expect("the parent starts");
    drop(task.await);
}
