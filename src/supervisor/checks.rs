//! Asks the check of a child again and again for as long as its run is up.
//!
//! It runs as a subtask of the run: user code, ended with it, and never on a supervisor's task.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::context::Run;
use crate::exit::{Exit, catch};
use crate::health::{HealthCheck, Source};
use crate::sync::atomic::{AtomicU64, Ordering};

/// How often to look whether checks are wanted again that are asked never.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often checks are asked that do not say it themselves, in milliseconds; shared by a tree.
#[derive(Debug, Default)]
pub(crate) struct Interval(AtomicU64);

impl Interval {
    pub(crate) fn set(&self, interval: Duration) {
        let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        self.0.store(millis, Ordering::Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Begins to ask.
pub(super) fn begin(check: &HealthCheck, run: &Arc<Run>, interval: &Arc<Interval>) {
    let (check, interval) = (check.clone(), Arc::clone(interval));
    let watched = Arc::clone(run);
    run.spawn_subtask(async move { watch(&check, &watched, &interval).await });
}

async fn watch(check: &HealthCheck, run: &Run, interval: &Interval) {
    let mut tally = check.tally();
    // What was asked to stop need not be well.
    while run.stop().deadline().is_none() {
        let Some(pause) = check.interval_or(interval.get()) else {
            sleep(LOOK_AGAIN).await;
            continue;
        };
        let result = ask(check).await;
        if let Some(health) = tally.count(result) {
            run.set_health(Source::Pulled, health);
        }
        sleep(pause).await;
    }
}

/// Asks once; the reason of a failure is kept as text.
async fn ask(check: &HealthCheck) -> Result<(), Arc<str>> {
    match timeout(check.timeout, catch(check.ask())).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(match Exit::of_error(error) {
            Exit::Failed(chain) => chain.to_string().into(),
            other => other.to_string().into(),
        }),
        Ok(Err(panic)) => Err(format!("the check panicked: {panic}").into()),
        Err(_late) => Err(format!("no answer within {:?}", check.timeout).into()),
    }
}
