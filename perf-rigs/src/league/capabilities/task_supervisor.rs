//! task-supervisor: tasks with a cancellation token.

use std::sync::Arc;
use std::time::Duration;

use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, TaskResult};

use super::stage::{CHILDREN, Stage};
use super::{DEADLINE, Starting, Stopping};

#[derive(Clone)]
struct Player(Arc<Stage>, &'static str);

impl SupervisedTask for Player {
    async fn run(self, cancel: CancellationToken) -> TaskResult {
        Ok(self.0.live(self.1, cancel.cancelled()).await?)
    }
}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let mut builder = SupervisorBuilder::new()
            .with_base_restart_delay(Duration::ZERO)
            .with_stop_timeout(DEADLINE);
        for child in CHILDREN {
            builder = builder.with_task(child, Player(Arc::clone(&stage), child));
        }
        let handle = builder.spawn();
        Stopping::new(async move { format!("{:?}", handle.shutdown().await) })
    })
}
