//! ractor-supervisor: a static supervisor.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use ractor_supervisor::{
    ChildSpec, Restart, SpawnFn, Supervisor, SupervisorArguments, SupervisorOptions,
    SupervisorStrategy,
};

use super::by_hand::Player;
use super::stage::{CHILDREN, Stage};
use super::{DEADLINE, Starting, Stopping};

fn child(stage: &Arc<Stage>, child: &'static str) -> ChildSpec {
    let stage = Arc::clone(stage);
    let spawn = move |cell, id| {
        let player = Player {
            stage: Arc::clone(&stage),
            child,
        };
        async move {
            let (child, _task) = Supervisor::spawn_linked(id, player, (), cell).await?;
            Ok(child.get_cell())
        }
        .boxed()
    };
    ChildSpec {
        id: child.to_owned(),
        restart: Restart::Permanent,
        spawn_fn: SpawnFn::new(spawn),
        backoff_fn: None,
        reset_after: None,
    }
}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let arguments = SupervisorArguments {
            child_specs: CHILDREN.map(|name| child(&stage, name)).into(),
            options: SupervisorOptions {
                strategy: SupervisorStrategy::OneForOne,
                max_restarts: 5,
                max_window: Duration::from_secs(60),
                reset_after: None,
            },
        };
        let spawned = Supervisor::spawn("app".to_owned(), arguments).await;
        let (supervisor, _task) = spawned.expect("it starts");
        Stopping::new(async move {
            drop(supervisor.stop_and_wait(None, Some(DEADLINE)).await);
            String::new()
        })
    })
}
