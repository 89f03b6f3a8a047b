//! task-supervisor: tasks that all stop at once, in no order.

use std::sync::Arc;

use task_supervisor::{
    CancellationToken, SupervisedTask, SupervisorBuilder, SupervisorHandle, TaskResult,
};
use tokio::sync::Semaphore;

#[derive(Clone)]
struct Idle(Arc<Semaphore>);

impl SupervisedTask for Idle {
    async fn run(self, cancel: CancellationToken) -> TaskResult {
        self.0.add_permits(1);
        cancel.cancelled().await;
        Ok(())
    }
}

pub(super) async fn start(count: usize) -> SupervisorHandle {
    let up = Arc::new(Semaphore::new(0));
    let mut builder = SupervisorBuilder::new();
    for number in 0..count {
        builder = builder.with_task(&format!("c{number}"), Idle(Arc::clone(&up)));
    }
    let handle = builder.spawn();
    let all = u32::try_from(count).expect("few enough");
    drop(up.acquire_many(all).await.expect("it stays open"));
    handle
}

pub(super) async fn stop(handle: SupervisorHandle) {
    handle.shutdown().await.expect("it stops");
}
