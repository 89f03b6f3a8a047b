//! ractor-supervisor: it kills its children when it ends; no `post_stop` of theirs runs.
//!
//! Its `spawn` returns before it has started them, so the last of them says that it is up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_supervisor::{
    ChildSpec, Restart, SpawnFn, Supervisor, SupervisorArguments, SupervisorMsg, SupervisorOptions,
    SupervisorStrategy,
};
use tokio::sync::Semaphore;

use super::witness::Witness;

#[derive(Clone)]
struct Idle {
    number: usize,
    witness: Witness,
    up: Arc<Semaphore>,
}

impl Actor for Idle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        self.up.add_permits(1);
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.witness.stops(self.number).await;
        Ok(())
    }
}

fn child(idle: Idle) -> ChildSpec {
    ChildSpec {
        id: format!("c{}", idle.number),
        restart: Restart::Permanent,
        spawn_fn: SpawnFn::new(move |cell, id| {
            let idle = idle.clone();
            async move {
                let (child, _task) = Supervisor::spawn_linked(id, idle, (), cell).await?;
                Ok(child.get_cell())
            }
            .boxed()
        }),
        backoff_fn: None,
        reset_after: None,
    }
}

pub(super) async fn start(count: usize, witness: Witness) -> ActorRef<SupervisorMsg> {
    let up = Arc::new(Semaphore::new(0));
    let idle = |number| Idle {
        number,
        witness: witness.clone(),
        up: Arc::clone(&up),
    };
    let arguments = SupervisorArguments {
        child_specs: (0..count).map(idle).map(child).collect(),
        options: SupervisorOptions {
            strategy: SupervisorStrategy::OneForOne,
            max_restarts: 5,
            max_window: Duration::from_secs(60),
            reset_after: None,
        },
    };
    let spawned = Supervisor::spawn("app".to_owned(), arguments).await;
    let supervisor = spawned.expect("it starts").0;
    let all = u32::try_from(count).expect("few enough");
    drop(up.acquire_many(all).await.expect("it stays open"));
    supervisor
}

pub(super) async fn stop(supervisor: ActorRef<SupervisorMsg>) {
    let children = supervisor.get_children();
    let stopped = supervisor.stop_and_wait(None, None).await;
    stopped.expect("it stops");
    for child in children {
        child.wait(None).await.expect("a child ends");
    }
}
