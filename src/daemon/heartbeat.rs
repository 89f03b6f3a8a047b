//! Whether the threads that run the tree make progress, as seen from a thread that does not run it.
//!
//! A task among those of the tree says again and again that it ran. When every thread is blocked it is
//! silent, and whoever asks from outside can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::configuration::Configuration;

/// How often it beats at most: a wake-up a second is a hundred-thousandth of a processor.
const LONGEST_PERIOD: Duration = Duration::from_secs(1);

/// How many beats fit into the time after which silence is a failure.
const BEATS: u32 = 10;

/// A task on the workers' runtime that says again and again that it ran; ends when this is dropped.
pub(super) struct Heartbeat {
    began: Instant,
    last_beat_millis: Arc<AtomicU64>,
    task: AbortHandle,
    configuration: Arc<dyn Configuration>,
}

impl Heartbeat {
    pub(super) fn start(workers: &Handle, configuration: &Arc<dyn Configuration>) -> Self {
        let began = Instant::now();
        let last_beat_millis = Arc::new(AtomicU64::new(0));
        let beaten = Arc::clone(&last_beat_millis);
        let of = Arc::clone(configuration);
        let beating = workers.spawn(async move {
            loop {
                beaten.store(millis_since(began), Ordering::Relaxed);
                let timeout = of.settings().monitoring.liveness_timeout;
                tokio::time::sleep((timeout / BEATS).min(LONGEST_PERIOD)).await;
            }
        });
        Self {
            began,
            last_beat_millis,
            task: beating.abort_handle(),
            configuration: Arc::clone(configuration),
        }
    }

    /// Returns how long ago it last ran.
    pub(super) fn silence(&self) -> Duration {
        let beaten = self.last_beat_millis.load(Ordering::Relaxed);
        Duration::from_millis(millis_since(self.began).saturating_sub(beaten))
    }

    /// Says what is wrong, if it has been silent for too long.
    pub(super) fn failure(&self) -> Option<String> {
        let timeout = self.configuration.settings().monitoring.liveness_timeout;
        let silence = self.silence();
        (silence >= timeout).then(|| {
            format!("the threads that run the tree have made no progress for {silence:.1?}")
        })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn millis_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
