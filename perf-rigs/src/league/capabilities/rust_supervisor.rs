//! rust-tokio-supervisor: workers with the least delay that it admits.

use std::sync::Arc;
use std::time::Duration;

use rust_supervisor::control::command::CommandResult;
use rust_supervisor::error::types::{TaskFailure, TaskFailureKind};
use rust_supervisor::id::types::ChildId;
use rust_supervisor::runtime::supervisor::Supervisor;
use rust_supervisor::shutdown::report::ChildShutdownStatus;
use rust_supervisor::spec::child::{
    BackoffPolicy, ChildSpec, RestartPolicy, ShutdownPolicy, TaskKind,
};
use rust_supervisor::spec::supervisor::SupervisorSpec;
use rust_supervisor::task::factory::{TaskResult, service_fn};

use super::stage::{CHILDREN, Stage};
use super::{DEADLINE, Starting, Stopping};

fn child(stage: &Arc<Stage>, child: &'static str) -> ChildSpec {
    let stage = Arc::clone(stage);
    let factory = service_fn(move |cx| {
        let stage = Arc::clone(&stage);
        async move {
            cx.mark_ready();
            let token = cx.cancellation_token();
            match stage.live(child, token.cancelled()).await {
                Ok(()) => TaskResult::Succeeded,
                Err(failed) => TaskResult::Failed(TaskFailure::new(
                    TaskFailureKind::Error,
                    "scene",
                    failed.to_string(),
                )),
            }
        }
    });
    let kind = TaskKind::AsyncWorker;
    let mut spec = ChildSpec::worker(ChildId::new(child), child, kind, Arc::new(factory));
    spec.restart_policy = RestartPolicy::Permanent;
    let least = Duration::from_millis(1);
    spec.backoff_policy = BackoffPolicy::new(least, least, 0.0);
    spec.shutdown_policy = ShutdownPolicy::new(DEADLINE, DEADLINE);
    spec
}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let children = CHILDREN.map(|name| child(&stage, name)).into();
        let mut spec = SupervisorSpec::root(children);
        spec.default_shutdown_policy = ShutdownPolicy::new(DEADLINE, DEADLINE);
        let handle = Supervisor::start(spec).await.expect("it starts");
        Stopping::new(async move {
            let stopped = handle.shutdown_tree("league", "the scene is over").await;
            let Ok(CommandResult::Shutdown { result }) = stopped else {
                return String::new();
            };
            let outcomes = result.report.map_or(Vec::new(), |report| report.outcomes);
            let named = outcomes.iter().filter(|outcome| {
                !matches!(
                    outcome.status,
                    ChildShutdownStatus::Graceful | ChildShutdownStatus::AlreadyExited
                )
            });
            let named: Vec<String> = named
                .map(|outcome| format!("{:?} {:?}", outcome.child_id, outcome.status))
                .collect();
            named.join(", ")
        })
    })
}
