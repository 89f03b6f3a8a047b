//! From a child's crash until somebody who watches knows of it: told by an event, or by looking again and again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::{Backoff, Child, EventKind, Running, Supervisor};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::heat;
use crate::heat::{Effort, Figures, Heat, Must, percentile};
use crate::restart::ON_PURPOSE;

/// How often the child crashes.
const CRASHES: usize = 1_000;

/// How often somebody looks who is not told.
const LOOK_PERIOD: Duration = Duration::from_millis(10);

/// Between two crashes, at least: more than one look.
const REST: Duration = Duration::from_millis(12);

/// What the child and its watcher share.
#[derive(Default)]
struct Crash {
    now: Notify,
    at: Mutex<Option<Instant>>,
}

impl Crash {
    /// Returns how long ago it was.
    fn age(&self) -> Duration {
        let at = self.at.lock().expect("nobody panics with it");
        at.expect("it crashed").elapsed()
    }
}

async fn start(crash: &Arc<Crash>) -> Running {
    let crash = Arc::clone(crash);
    let child = Child::task("child", move |_cx| {
        let crash = Arc::clone(&crash);
        async move {
            crash.now.notified().await;
            *crash.at.lock().expect("nobody panics with it") = Some(Instant::now());
            std::panic::panic_any(ON_PURPOSE);
        }
    });
    let supervisor = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(1_000_000, Duration::from_secs(1))
        .child(child);
    supervisor.start().await.expect("it starts")
}

fn watched(effort: Effort, is_told: bool) -> Option<Figures> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let crash = Arc::new(Crash::default());
    let watching = async move {
        let running = start(&crash).await;
        let mut events = running.subscribe("watcher");
        let mut took = Vec::new();
        for number in 0..effort.of(CRASHES) {
            // At any moment between two looks.
            let spread = Duration::from_micros(fastrand::u64(0..10_000));
            sleep(REST + spread).await;
            let runs = running.snapshot().runs_begun;
            crash.now.notify_one();
            if is_told {
                while !matches!(events.recv().await.ok()?.kind, EventKind::Exited { .. }) {}
            } else {
                while running.snapshot().runs_begun == runs {
                    sleep(LOOK_PERIOD).await;
                }
            }
            // The first one warms up.
            if number > 0 {
                took.push(crash.age());
            }
        }
        Some(took)
    };
    let took = runtime.block_on(async { tokio::spawn(watching).await.ok().flatten() });
    runtime.shutdown_timeout(Duration::ZERO);
    Some(vec![percentile(&mut took?, 0.5)])
}

pub(super) fn heats() -> Vec<Heat> {
    vec![heat(
        "a crash, until a watcher knows",
        ("p50", "ns"),
        ("perennial, told by an event", |effort| {
            watched(effort, true)
        }),
        vec![(
            "a look each 10 ms",
            |effort| watched(effort, false),
            Must::AtMost(0.1),
        )],
    )]
}
