//! ractor-supervisor: a static supervisor with one child.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use ractor_supervisor::{
    ChildSpec, Restart, SpawnFn, Supervisor, SupervisorArguments, SupervisorOptions,
    SupervisorStrategy,
};

use super::by_hand::Crasher;
use super::probe::Probe;

pub(super) async fn start(probe: Arc<Probe>) {
    let spawn = move |cell, id| {
        let child = Crasher(Arc::clone(&probe));
        async move {
            let (child, _task) = Supervisor::spawn_linked(id, child, (), cell).await?;
            Ok(child.get_cell())
        }
        .boxed()
    };
    let child = ChildSpec {
        id: "child".to_owned(),
        restart: Restart::Permanent,
        spawn_fn: SpawnFn::new(spawn),
        backoff_fn: None,
        reset_after: None,
    };
    let options = SupervisorOptions {
        strategy: SupervisorStrategy::OneForOne,
        max_restarts: 1_000_000,
        max_window: Duration::from_secs(1),
        reset_after: None,
    };
    let arguments = SupervisorArguments {
        child_specs: vec![child],
        options,
    };
    let spawned = Supervisor::spawn("app".to_owned(), arguments).await;
    let (_supervisor, task) = spawned.expect("it starts");
    drop(task.await);
}
