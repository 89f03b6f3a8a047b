//! kameo: an actor supervised by another.

use std::sync::Arc;
use std::time::Duration;

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::message::{Context, Message};
use kameo::supervision::RestartPolicy;

use super::probe::{Next, Probe};

struct Parent;

impl Actor for Parent {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

struct Crasher(Arc<Probe>);

struct Crash;

impl Actor for Crasher {
    type Args = Arc<Probe>;
    type Error = Infallible;

    async fn on_start(probe: Arc<Probe>, myself: ActorRef<Self>) -> Result<Self, Infallible> {
        let itself = myself.clone();
        if probe.back(move || drop(itself.tell(Crash).try_send())) == Next::CrashSoon {
            drop(myself.tell(Crash).try_send());
        }
        Ok(Self(probe))
    }
}

impl Message<Crash> for Crasher {
    type Reply = ();

    async fn handle(&mut self, _: Crash, _: &mut Context<Self, ()>) {
        self.0.crash()
    }
}

pub(super) async fn start(probe: Arc<Probe>) {
    let parent = Parent::spawn(());
    let _child = Crasher::supervise(&parent, probe)
        .restart_policy(RestartPolicy::Permanent)
        .restart_limit(1_000_000, Duration::from_secs(1))
        .spawn()
        .await;
    parent.wait_for_shutdown().await;
}
