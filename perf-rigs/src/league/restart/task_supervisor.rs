//! task-supervisor: one task, without limit and delay.

use std::sync::Arc;
use std::time::Duration;

use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, TaskResult};

use super::probe::Probe;

#[derive(Clone)]
struct Crasher(Arc<Probe>);

impl SupervisedTask for Crasher {
    async fn run(self, _: CancellationToken) -> TaskResult {
        self.0.live().await;
        Ok(())
    }
}

pub(super) async fn start(probe: Arc<Probe>) {
    let handle = SupervisorBuilder::new()
        .with_unlimited_restarts()
        .with_base_restart_delay(Duration::ZERO)
        .with_max_restart_delay(Duration::ZERO)
        .with_restart_jitter(0.0)
        .with_task("child", Crasher(probe))
        .spawn();
    drop(handle.wait().await);
}
