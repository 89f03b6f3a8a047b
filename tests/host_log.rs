//! Claims on the host's log. A subscriber is code of the host's that runs on a supervisor's task: when
//! it panics there, what the supervisor leaves is stopped in order, and its parent hears of its end
//! only after that. And what has no other place is logged.
//!
//! A binary of its own: tracing remembers for all threads whether anybody wants a line, and asks only
//! the thread that comes across it first.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, Child, EventKind, Exit, Restart, Running,
    ShutdownReason, StartError, Subscriber, SubsystemEvent, Supervisor,
};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata};
use tracing_subscriber::fmt::MakeWriter;

type Trace = Arc<Mutex<Vec<String>>>;

fn note(trace: &Trace, line: impl Into<String>) {
    trace.lock().expect("no panic holds it").push(line.into());
}

fn take(trace: &Trace) -> Vec<String> {
    std::mem::take(&mut *trace.lock().expect("no panic holds it"))
}

/// Panics on the lines about one path, as often as it is armed for; notes the ends of supervisors.
struct Explosive {
    path: &'static str,
    charges: Arc<AtomicUsize>,
    trace: Trace,
}

#[derive(Default)]
struct Line {
    path: String,
    message: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "path" => self.path = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            _ => {}
        }
    }
}

impl tracing::Subscriber for Explosive {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        if line.message == "ended" && line.path == "/app/inner" {
            note(&self.trace, "inner ended");
        }
        let is_mine = line.path == self.path || self.path.is_empty();
        let spend = |charges: usize| charges.checked_sub(1);
        let order = Ordering::SeqCst;
        if is_mine && self.charges.fetch_update(order, order, spend).is_ok() {
            panic!("the subscriber does not like this line");
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A tree whose children note what they do, under a subscriber that can be armed.
struct Test {
    trace: Trace,
    charges: Arc<AtomicUsize>,
    crash: Arc<Notify>,
    _subscriber: DefaultGuard,
}

impl Test {
    fn new(path: &'static str) -> Self {
        let (trace, charges) = (Trace::default(), Arc::<AtomicUsize>::default());
        let explosive = Explosive {
            path,
            charges: Arc::clone(&charges),
            trace: Arc::clone(&trace),
        };
        Self {
            trace,
            charges,
            crash: Arc::default(),
            _subscriber: tracing::subscriber::set_default(explosive),
        }
    }

    fn traced(&self, name: &'static str) -> Child {
        Child::task_with(name, Arc::clone(&self.trace), move |cx, trace| async move {
            note(&trace, format!("+{name}"));
            cx.shutdown().await;
            note(&trace, format!("-{name}"));
            Ok(())
        })
    }

    fn crashes(&self) -> Child {
        Child::task_with("b", Arc::clone(&self.crash), |cx, crash| async move {
            tokio::select! {
                _deadline = cx.shutdown() => Ok(()),
                () = crash.notified() => Err("on purpose".into()),
            }
        })
    }

    fn inner(&self) -> Supervisor {
        Supervisor::one_for_one("inner")
            .child(self.traced("a"))
            .child(self.crashes())
            .child(self.traced("c"))
    }

    async fn up(&self, tree: Supervisor) -> Running {
        let running = tree.start().await.expect("it starts");
        take(&self.trace);
        running
    }

    /// Lets a child fail and the supervisor panic over the line that says so.
    fn light(&self, charges: usize) {
        self.charges.store(charges, Ordering::SeqCst);
        self.crash.notify_one();
    }
}

/// The events of one child, as text.
struct Watch {
    events: Subscriber<SubsystemEvent>,
    path: &'static str,
}

impl Watch {
    fn new(running: &Running, path: &'static str) -> Self {
        let events = running.subscribe("test");
        Self { events, path }
    }

    /// Reads as many events of the child as are expected.
    async fn expect(&mut self, expected: &[&str]) {
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            let event = self.events.recv().await.expect("the tree lives");
            if event.path != *self.path {
                continue;
            }
            let code = event.kind.code();
            seen.push(match &event.kind {
                EventKind::Exited { exit, .. } => format!("{code}: {}", exit.code()),
                EventKind::Stopped { outcome, .. } => format!("{code}: {}", outcome.code()),
                _ => code.to_owned(),
            });
        }
        assert_eq!(seen, expected);
    }
}

fn states(running: &Running) -> Vec<(String, &'static str, u64)> {
    let mut states = Vec::new();
    running.snapshot().root.visit(&mut |node| {
        states.push((node.path.to_string(), node.state.code(), node.incarnation));
    });
    states
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_panics_stops_its_children_in_reverse_before_its_parent_hears_of_it() {
    let test = Test::new("/app/inner/b");
    let tree = Supervisor::one_for_one("app")
        .child(test.inner())
        .child(test.traced("d"));
    let running = test.up(tree).await;
    let mut inner = Watch::new(&running, "/app/inner");
    test.light(1);
    inner
        .expect(&["exited: panicked", "starting", "started", "restarted"])
        .await;
    assert_eq!(take(&test.trace), ["-c", "-a", "inner ended", "+a", "+c"]);
    let up = |path: &str, incarnation| (path.to_owned(), "running", incarnation);
    let expected = [
        up("/app", 1),
        up("/app/inner", 2),
        up("/app/inner/a", 2),
        up("/app/inner/b", 2),
        up("/app/inner/c", 2),
        up("/app/d", 1),
    ];
    assert_eq!(states(&running), expected);
    let report = running.stop(Duration::from_secs(5)).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_a_panicked_supervisor_leaves_is_seen_as_down_with_its_events() {
    let test = Test::new("/app/inner/b");
    let inner = test
        .inner()
        .own_backoff(Backoff::fixed(Duration::from_secs(9)));
    let running = test.up(Supervisor::one_for_one("app").child(inner)).await;
    let mut inner = Watch::new(&running, "/app/inner");
    let mut c = Watch::new(&running, "/app/inner/c");
    test.light(1);
    inner.expect(&["exited: panicked", "backing_off"]).await;
    let down = |path: &str| (path.to_owned(), "down", 1);
    let expected = [
        ("/app".to_owned(), "running", 1),
        ("/app/inner".to_owned(), "backing_off", 1),
        down("/app/inner/a"),
        down("/app/inner/b"),
        down("/app/inner/c"),
    ];
    assert_eq!(states(&running), expected);
    c.expect(&["stop_requested", "stopped: stopped"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_bounds_the_children_of_a_supervisor_that_has_panicked() {
    let test = Test::new("/app/inner/b");
    let held = Arc::new(());
    let deaf = Child::task_with("deaf", Arc::clone(&held), |cx, _held| async move {
        cx.shutdown().await;
        std::future::pending::<()>().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app").child(test.inner().child(deaf));
    let running = test.up(tree).await;
    test.light(1);
    // Its five seconds begin: nothing else happens at this instant.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (asked, budget) = (Instant::now(), Duration::from_secs(1));
    let report = running.stop(budget).await;
    assert!(asked.elapsed() <= budget, "{:?}", asked.elapsed());
    assert_eq!(report.hung(), Vec::<&perennial::Path>::new(), "{report}");
    assert_eq!(Arc::strong_count(&held), 1, "only the test has it");
    // Killed so early that there was time for the others.
    assert_eq!(take(&test.trace), ["-c", "-a"]);
    let lines: Vec<_> = report
        .lines()
        .iter()
        .map(|(_, line)| (line.path.name().to_owned(), line.outcome.code().to_owned()))
        .collect();
    let line = |name: &str, outcome: &str| (name.to_owned(), outcome.to_owned());
    let expected = [
        line("app", "stopped"),
        line("inner", "cleanup_failed"),
        line("deaf", "killed"),
        line("c", "stopped"),
        line("a", "stopped"),
    ];
    assert_eq!(lines, expected, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_root_that_panics_ends_its_tree_in_order() {
    let test = Test::new("");
    let tree = Supervisor::one_for_one("app")
        .child(test.inner())
        .child(test.traced("d"));
    let running = test.up(tree).await;
    // Every line from now on, whoever writes it.
    test.light(usize::MAX);
    let report = running.wait().await;
    assert!(matches!(report.exit, Exit::Panicked(_)), "{report}");
    assert_eq!(report.reason, ShutdownReason::Error);
    let stops = take(&test.trace);
    // The inner supervisor fails first, then the root over the line that says so.
    assert_eq!(stops, ["-c", "-a", "inner ended", "-d"]);
    assert!(report.hung().is_empty(), "{report}");
    test.charges.store(0, Ordering::SeqCst);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_whose_line_the_subscriber_does_not_like_begins_all_the_same() {
    let test = Test::new("/app");
    let tree = Supervisor::one_for_one("app").child(test.traced("d"));
    let running = test.up(tree).await;
    let mut app = Watch::new(&running, "/app");
    let heard = tokio::spawn(async move { app.expect(&["shutdown_began"]).await });
    // It waits for the event.
    tokio::task::yield_now().await;
    test.charges.store(1, Ordering::SeqCst);
    let report = running.stop(Duration::from_secs(5)).await;
    assert_eq!(test.charges.load(Ordering::SeqCst), 0, "it did panic");
    assert!(report.is_clean(), "{report}");
    assert_eq!(take(&test.trace), ["-d"]);
    heard.await.expect("it was woken");
}

/// Can't be dropped.
struct Sticky;

impl Drop for Sticky {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

/// An actor that fails while it holds what can't be dropped.
struct Holds;

impl Actor for Holds {
    type Msg = ();
    type State = Sticky;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<Sticky, ActorProcessingErr> {
        Ok(Sticky)
    }

    async fn post_start(&self, _: ActorRef<()>, _: &mut Sticky) -> Result<(), ActorProcessingErr> {
        Err("the first thing that went wrong".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_drop_that_panics_after_an_error_does_not_hide_it_and_is_logged() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(
        tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .finish(),
    );
    let actor = Child::actor("odd", |_cx| (Holds, ())).explicit_ready();
    let started = Supervisor::one_for_one("app").child(actor).start().await;
    let Err(StartError::Failed { exit, .. }) = started else {
        panic!("{started:?}")
    };
    assert_eq!(exit.to_string(), "failed: the first thing that went wrong");
    let lines = lines.0.lock().expect("no panic holds it").clone();
    let lines = String::from_utf8(lines).expect("text");
    let dropped = lines
        .lines()
        .filter(|line| line.contains("in drop at"))
        .count();
    assert_eq!(dropped, 1, "{lines}");
}

#[tokio::test(start_paused = true)]
async fn a_subtask_that_panics_after_its_run_has_ended_is_logged() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(
        tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .finish(),
    );
    let child = Child::task("odd", |cx| async move {
        let (told, go) = tokio::sync::oneshot::channel();
        cx.spawn(async move {
            go.await.expect("told");
            panic!("too late")
        });
        tokio::task::yield_now().await;
        // It wakes in the turn after this one, when the run has recorded its good end.
        told.send(()).map_err(|()| "gone".into())
    });
    let child = child.restart(Restart::Temporary);
    let running = Supervisor::one_for_one("app").child(child).start().await;
    let running = running.expect("it starts");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ended = &running.snapshot().root.recently_ended[0];
    assert_eq!(ended.last_exit, Some(Exit::Normal));
    let lines = lines.0.lock().expect("no panic holds it").clone();
    let lines = String::from_utf8(lines).expect("text");
    assert!(lines.contains("too late at"), "{lines}");
}

#[cfg(feature = "metrics")]
#[test]
fn why_a_metric_counts_nothing_is_told_by_the_next_scrape_and_once() {
    use perennial::metrics::Registry;

    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(
        tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .finish(),
    );
    let registry = Registry::new();
    metrics::with_local_recorder(&registry, || {
        for _again in 0..3 {
            metrics::gauge!("process.threads").set(5.0);
            metrics::gauge!("perennial.ready").set(5.0);
        }
    });
    assert!(lines.0.lock().expect("no panic holds it").is_empty());
    let _twice = [registry.render(), registry.render()];
    let lines = lines.0.lock().expect("no panic holds it").clone();
    let lines = String::from_utf8(lines).expect("text");
    assert_eq!(lines.matches("counts nothing").count(), 2, "{lines}");
    for name in ["process_threads", "perennial_ready"] {
        assert!(lines.contains(name), "{lines}");
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().expect("no panic holds it");
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
