//! What the HTTP server shows of a daemon.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::configuration::{Configuration, News};
use super::heartbeat::Heartbeat;
use super::orders::Orders;
use super::view;
use crate::bus::Start;
use crate::bus::subscriber::Subscriber;
use crate::event::SubsystemEvent;
use crate::http::{Answered, Check, Readiness, Showing, Source, TurnedAway};
use crate::metrics::{Exposition, names};
use crate::path::Path;
use crate::tree::Running;

/// The upper bounds of how long an answer takes, in seconds: from what a probe takes to the time-out of
/// a scrape.
const ANSWER_BUCKETS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 1.0, 10.0];

/// How many children are listed with a node of which more is told; what is more is only counted.
const MOST_CHILDREN_SHOWN: usize = 100;

/// A daemon's tree, from before its start until after its end.
pub(super) struct Program {
    root: Path,
    running: OnceLock<Running>,
    heartbeat: Heartbeat,
    exposition: Exposition,
    news: Arc<News>,
    configuration: Arc<dyn Configuration>,
    /// When it began, in milliseconds since 1970.
    run_id: String,
    orders: Arc<Orders>,
}

impl Program {
    pub(super) fn new(
        root: &str,
        heartbeat: Heartbeat,
        news: &Arc<News>,
        (configuration, orders): (&Arc<dyn Configuration>, &Arc<Orders>),
    ) -> Self {
        for reason in TurnedAway::ALL {
            let reason = [("reason", reason.code())];
            news.registry.count(names::HTTP_TURNED_AWAY, &reason, 0);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            root: Path::root(root),
            running: OnceLock::new(),
            heartbeat,
            exposition: Exposition::new(),
            news: Arc::clone(news),
            configuration: Arc::clone(configuration),
            run_id: format!("{:x}", now.unwrap_or_default().as_millis()),
            orders: Arc::clone(orders),
        }
    }

    /// Shows this tree from now on; only the first is ever shown.
    pub(super) fn watch(&self, observer: Running) {
        self.running.get_or_init(|| observer);
    }

    /// Sets what is known of the process, and not of its tree, before a scrape.
    fn measure(&self) {
        let registry = &self.news.registry;
        if let Some(logging) = &self.news.logging {
            let lines = logging.statistics();
            registry.count(names::LOG_LINES_DROPPED, &[], lines.dropped);
            registry.count(names::LOG_LINES_FAILED, &[], lines.failed);
        }
        let is_ready = self.ready().is_ready();
        registry.measure(names::READY, f64::from(u8::from(is_ready)));
        let silence = self.heartbeat.silence();
        registry.measure(names::HEARTBEAT_AGE, silence.as_secs_f64());
    }
}

impl Source for Program {
    fn live(&self) -> Vec<Check> {
        vec![match self.heartbeat.failure() {
            Some(failure) => Check::failed("runtime", failure),
            None => Check::passed("runtime"),
        }]
    }

    fn ready(&self) -> Readiness {
        let mut readiness = match self.running.get() {
            Some(running) => view::readiness(&running.readiness()),
            None => Readiness {
                missing: self.ready_checks(),
                is_shutting_down: false,
            },
        };
        // From the first wish on, while the tree still serves.
        readiness.is_shutting_down |= self.orders.wish().is_some();
        readiness
    }

    fn ready_checks(&self) -> Vec<Check> {
        match self.running.get() {
            Some(running) => view::checks(&running.readiness()),
            None => vec![Check::failed(self.root.as_str(), "it has not begun")],
        }
    }

    fn metrics(&self) -> Option<String> {
        self.measure();
        let mut text = match self.running.get() {
            Some(running) => self.exposition.render(running),
            None => String::new(),
        };
        text.push_str(&self.news.registry.render());
        Some(text)
    }

    fn tree(&self) -> Value {
        match self.running.get() {
            Some(running) => view::tree(&running.snapshot()),
            None => json!({ "from_seq": 0, "shutdown": null, "root": null }),
        }
    }

    fn node(&self, path: &str) -> Option<Value> {
        let running = self.running.get()?;
        let level = running.level(path, MOST_CHILDREN_SHOWN)?;
        Some(view::node_with_past(&level, running.wall_clock()))
    }

    fn config(&self) -> Showing {
        let written = self.news.written.clone();
        let configuration = Arc::clone(&self.configuration);
        Box::pin(async move {
            match written.text(&configuration).await {
                Ok(text) => Ok(Some(text)),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn run_id(&self) -> String {
        self.run_id.clone()
    }

    fn subscribe(&self, after: Option<u64>) -> Option<Subscriber<SubsystemEvent>> {
        let start = after.map_or(Start::Next, |seq| Start::Seq(seq.saturating_add(1)));
        Some(self.running.get()?.subscribe_from("http", start))
    }

    fn show(&self, event: &SubsystemEvent) -> Value {
        match self.running.get() {
            Some(running) => view::event(event, running.wall_clock()),
            None => Value::Null,
        }
    }

    fn answered(&self, answered: Answered) {
        let registry = &self.news.registry;
        let (route, code) = (answered.route, answered.status.to_string());
        registry.count_one(names::HTTP_REQUESTS, &[("route", route), ("code", &code)]);
        let took = (&ANSWER_BUCKETS[..], answered.took.as_secs_f64());
        registry.record(names::HTTP_DURATION, &[("route", route)], took);
    }

    fn turned_away(&self, reason: TurnedAway) {
        let reason = [("reason", reason.code())];
        self.news
            .registry
            .count_one(names::HTTP_TURNED_AWAY, &reason);
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
