//! What the HTTP server shows of a daemon.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::configuration::News;
use super::view;
use crate::http::{Readiness, Source};
use crate::metrics::{Exposition, names};
use crate::path::Path;
use crate::tree::Running;

/// How often the workers' runtime says that it makes progress.
const HEARTBEAT_PERIOD: Duration = Duration::from_secs(1);

/// How long it may be silent: ten beats, well over any pause that a busy machine makes.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// A daemon's tree, from before its start until after its end.
pub(super) struct Program {
    root: Path,
    running: OnceLock<Running>,
    heartbeat: Heartbeat,
    exposition: Exposition,
    news: Arc<News>,
}

impl Program {
    pub(super) fn new(root: &str, heartbeat: Heartbeat, news: &Arc<News>) -> Self {
        Self {
            root: Path::root(root),
            running: OnceLock::new(),
            heartbeat,
            exposition: Exposition::new(),
            news: Arc::clone(news),
        }
    }

    /// Shows this tree from now on; only the first is ever shown.
    pub(super) fn watch(&self, observer: Running) {
        self.running.get_or_init(|| observer);
    }
}

impl Source for Program {
    fn live(&self) -> bool {
        self.heartbeat.is_beating()
    }

    fn ready(&self) -> Readiness {
        match self.running.get() {
            Some(running) => view::readiness(&running.snapshot()),
            None => Readiness {
                missing: vec![self.root.to_string()],
                is_shutting_down: false,
            },
        }
    }

    fn metrics(&self) -> Option<String> {
        let registry = &self.news.registry;
        if let Some(logging) = &self.news.logging {
            let lines = logging.statistics();
            registry.count(names::LOG_LINES_DROPPED, &[], lines.dropped);
            registry.count(names::LOG_LINES_FAILED, &[], lines.failed);
        }
        let mut text = match self.running.get() {
            Some(running) => self.exposition.render(running),
            None => String::new(),
        };
        text.push_str(&registry.render());
        Some(text)
    }

    fn tree(&self) -> Value {
        match self.running.get() {
            Some(running) => view::tree(&running.snapshot()),
            None => json!({ "from_seq": 0, "shutdown": null, "root": null }),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// A task on the workers' runtime that says again and again that it ran; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    began: Instant,
    last_beat_millis: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Heartbeat {
    pub(super) fn start(workers: &Handle) -> Self {
        let began = Instant::now();
        let last_beat_millis = Arc::new(AtomicU64::new(0));
        let beaten = Arc::clone(&last_beat_millis);
        let beating = workers.spawn(async move {
            loop {
                beaten.store(millis_since(began), Ordering::Relaxed);
                tokio::time::sleep(HEARTBEAT_PERIOD).await;
            }
        });
        Self {
            began,
            last_beat_millis,
            task: beating.abort_handle(),
        }
    }

    fn is_beating(&self) -> bool {
        let silent =
            millis_since(self.began).saturating_sub(self.last_beat_millis.load(Ordering::Relaxed));
        Duration::from_millis(silent) < HEARTBEAT_TIMEOUT
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
