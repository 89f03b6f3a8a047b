//! kameo: actors supervised by another, which is stopped.

use std::sync::Arc;
use std::time::Duration;

use kameo::actor::{Actor, ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, Infallible};
use kameo::message::{Context, Message};
use kameo::supervision::RestartPolicy;

use super::stage::{Act, CHILDREN, Failed, Presence, Stage};
use super::{Starting, Stopping};

struct Parent;

impl Actor for Parent {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

struct Player {
    stage: Arc<Stage>,
    child: &'static str,
    _presence: Presence,
}

impl Actor for Player {
    type Args = (Arc<Stage>, &'static str);
    type Error = Infallible;

    async fn on_start(
        (stage, child): (Arc<Stage>, &'static str),
        myself: ActorRef<Self>,
    ) -> Result<Self, Infallible> {
        let (act, presence) = stage.begins(child);
        if act != Act::Obey {
            drop(myself.tell(Misbehave(act)).try_send());
        }
        Ok(Self {
            stage,
            child,
            _presence: presence,
        })
    }

    async fn on_stop(
        &mut self,
        _: WeakActorRef<Self>,
        _: ActorStopReason,
    ) -> Result<(), Infallible> {
        self.stage.tidy(self.child).await;
        Ok(())
    }
}

struct Misbehave(Act);

impl Message<Misbehave> for Player {
    type Reply = Result<(), Failed>;

    async fn handle(
        &mut self,
        Misbehave(act): Misbehave,
        _: &mut Context<Self, Self::Reply>,
    ) -> Result<(), Failed> {
        self.stage.misbehave(act).await
    }
}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let parent = Parent::spawn(());
        for child in CHILDREN {
            let spawning = Player::supervise(&parent, (Arc::clone(&stage), child))
                .restart_policy(RestartPolicy::Permanent)
                .restart_limit(5, Duration::from_secs(60))
                .spawn();
            // It lives on: its parent knows it.
            drop(spawning.await);
        }
        Stopping::new(async move {
            parent.stop_gracefully().await.unwrap_or_default();
            parent.wait_for_shutdown().await;
            String::new()
        })
    })
}
