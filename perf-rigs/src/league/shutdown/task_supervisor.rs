//! task-supervisor: tasks that are all told at once.

use std::sync::Arc;

use task_supervisor::{
    CancellationToken, SupervisedTask, SupervisorBuilder, SupervisorHandle, TaskResult,
};
use tokio::sync::Semaphore;

use super::witness::Witness;

#[derive(Clone)]
struct Idle {
    number: usize,
    witness: Witness,
    up: Arc<Semaphore>,
}

impl SupervisedTask for Idle {
    async fn run(self, cancel: CancellationToken) -> TaskResult {
        self.up.add_permits(1);
        cancel.cancelled().await;
        self.witness.stops(self.number).await;
        Ok(())
    }
}

pub(super) async fn start(count: usize, witness: Witness) -> SupervisorHandle {
    let up = Arc::new(Semaphore::new(0));
    let mut builder = SupervisorBuilder::new();
    for number in 0..count {
        let idle = Idle {
            number,
            witness: witness.clone(),
            up: Arc::clone(&up),
        };
        builder = builder.with_task(&format!("c{number}"), idle);
    }
    let handle = builder.spawn();
    let all = u32::try_from(count).expect("few enough");
    drop(up.acquire_many(all).await.expect("it stays open"));
    handle
}

pub(super) async fn stop(handle: SupervisorHandle) {
    handle.shutdown().await.expect("it stops");
}
