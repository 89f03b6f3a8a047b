//! taskvisor: tasks that are tried again for ever.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::sync::oneshot;

use super::stage::{CHILDREN, Stage};
use super::{DEADLINE, Starting, Stopping};

fn child(stage: &Arc<Stage>, child: &'static str) -> TaskSpec {
    let stage = Arc::clone(stage);
    let task: TaskRef = TaskFn::arc(move |cx: TaskContext| {
        let stage = Arc::clone(&stage);
        async move {
            let lived = stage.live(child, cx.cancelled()).await;
            lived.map_err(TaskError::fail_from)
        }
    });
    TaskSpec::restartable(child, task).with_backoff(BackoffPolicy::constant(Duration::ZERO))
}

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let config = SupervisorConfig::default().with_grace(DEADLINE);
        let supervisor = Supervisor::new(config, vec![]);
        let (stop, told) = oneshot::channel::<()>();
        let children = CHILDREN.map(|name| child(&stage, name)).into();
        let running = tokio::spawn(async move {
            let until = async move { drop(told.await) };
            supervisor.run_until(children, until).await
        });
        Stopping::new(async move {
            drop(stop);
            format!("{:?}", running.await)
        })
    })
}
