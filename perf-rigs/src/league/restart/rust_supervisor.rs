//! rust-tokio-supervisor: one worker, with the least delay that it admits.

use std::sync::Arc;
use std::time::Duration;

use rust_supervisor::id::types::ChildId;
use rust_supervisor::runtime::supervisor::Supervisor;
use rust_supervisor::spec::child::{BackoffPolicy, ChildSpec, RestartPolicy, TaskKind};
use rust_supervisor::spec::supervisor::SupervisorSpec;
use rust_supervisor::task::factory::{TaskResult, service_fn};

use super::probe::Probe;

pub(super) async fn start(probe: Arc<Probe>) {
    let factory = service_fn(move |cx| {
        let probe = Arc::clone(&probe);
        async move {
            cx.mark_ready();
            probe.live().await;
            TaskResult::Succeeded
        }
    });
    let kind = TaskKind::AsyncWorker;
    let mut child = ChildSpec::worker(ChildId::new("child"), "child", kind, Arc::new(factory));
    child.restart_policy = RestartPolicy::Permanent;
    let least = Duration::from_millis(1);
    child.backoff_policy = BackoffPolicy::new(least, least, 0.0);
    let started = Supervisor::start(SupervisorSpec::root(vec![child])).await;
    let handle = started.expect("it starts");
    drop(handle.join().await);
}
