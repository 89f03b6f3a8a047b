//! taskvisor: one task that is tried again at once, for ever.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;

use super::probe::Probe;

pub(super) async fn start(probe: Arc<Probe>) {
    let task: TaskRef = TaskFn::arc(move |_cx| {
        let probe = Arc::clone(&probe);
        async move {
            probe.live().await;
            Ok(())
        }
    });
    let backoff = BackoffPolicy::constant(Duration::ZERO);
    let child = TaskSpec::restartable("child", task).with_backoff(backoff);
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    drop(supervisor.run(vec![child]).await);
}
