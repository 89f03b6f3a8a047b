//! ractor-supervisor: it kills its children when it ends; no `post_stop` of theirs runs.

use std::time::Duration;

use futures_util::FutureExt;
use ractor::ActorRef;
use ractor_supervisor::{
    ChildSpec, Restart, SpawnFn, Supervisor, SupervisorArguments, SupervisorMsg, SupervisorOptions,
    SupervisorStrategy,
};

use super::by_hand::Idle;

pub(super) async fn start(count: usize) -> ActorRef<SupervisorMsg> {
    let spawn = |cell, id| {
        async move {
            let (child, _task) = Supervisor::spawn_linked(id, Idle, (), cell).await?;
            Ok(child.get_cell())
        }
        .boxed()
    };
    let child = |number| ChildSpec {
        id: format!("c{number}"),
        restart: Restart::Permanent,
        spawn_fn: SpawnFn::new(spawn),
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
    spawned.expect("it starts").0
}

pub(super) async fn stop(supervisor: ActorRef<SupervisorMsg>) {
    let children = supervisor.get_children();
    let stopped = supervisor.stop_and_wait(None, None).await;
    stopped.expect("it stops");
    for child in children {
        child.wait(None).await.expect("a child ends");
    }
}
