//! ractor-supervisor: it kills its children when it ends; no `post_stop` of theirs runs.
//!
//! Its `spawn` returns before it has started them, so the last of them says that it is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_supervisor::{
    ChildSpec, Restart, SpawnFn, Supervisor, SupervisorArguments, SupervisorMsg, SupervisorOptions,
    SupervisorStrategy,
};

use tokio::sync::Notify;

/// How many are still to start.
struct Missing {
    count: AtomicUsize,
    none: Notify,
}

struct Idle(Arc<Missing>);

impl Actor for Idle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_one();
        }
        Ok(())
    }
}

pub(super) async fn start(count: usize) -> ActorRef<SupervisorMsg> {
    let missing = Arc::new(Missing {
        count: AtomicUsize::new(count),
        none: Notify::new(),
    });
    let spawn = |missing: &Arc<Missing>| {
        let missing = Arc::clone(missing);
        SpawnFn::new(move |cell, id| {
            let child = Idle(Arc::clone(&missing));
            async move {
                let (child, _task) = Supervisor::spawn_linked(id, child, (), cell).await?;
                Ok(child.get_cell())
            }
            .boxed()
        })
    };
    let child = |number| ChildSpec {
        id: format!("c{number}"),
        restart: Restart::Permanent,
        spawn_fn: spawn(&missing),
        backoff_fn: None,
        reset_after: None,
    };
    let arguments = SupervisorArguments {
        child_specs: (0..count).map(child).collect(),
        options: SupervisorOptions {
            strategy: SupervisorStrategy::OneForOne,
            max_restarts: 5,
            max_window: Duration::from_secs(60),
            reset_after: None,
        },
    };
    let spawned = Supervisor::spawn("app".to_owned(), arguments).await;
    let supervisor = spawned.expect("it starts").0;
    missing.none.notified().await;
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
