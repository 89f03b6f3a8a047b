//! A supervisor whose own task fails: by a subscriber of the host's, which runs on that task and
//! panics on one particular line. What it leaves behind is stopped in order, and its parent hears of
//! its end only after that.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::{Backoff, Child, Exit, Running, ShutdownReason, Supervisor};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata};

use crate::watch::{Watch, outcome_of};

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

async fn until(watch: &mut Watch, events: &[&str]) {
    let events: Vec<_> = events.iter().map(|event| (*event).to_owned()).collect();
    let read = watch.until(&events).await;
    read.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(watch.seen, events);
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
    until(
        &mut inner,
        &["exited: panicked", "starting", "started", "restarted"],
    )
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
    until(&mut inner, &["exited: panicked", "backing_off"]).await;
    let down = |path: &str| (path.to_owned(), "down", 1);
    let expected = [
        ("/app".to_owned(), "running", 1),
        ("/app/inner".to_owned(), "backing_off", 1),
        down("/app/inner/a"),
        down("/app/inner/b"),
        down("/app/inner/c"),
    ];
    assert_eq!(states(&running), expected);
    until(&mut c, &["stop_requested", "stopped: stopped"]).await;
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
        .map(|(_, line)| (line.path.name().to_owned(), outcome_of(&line.outcome)))
        .collect();
    let line = |name: &str, outcome: &str| (name.to_owned(), outcome.to_owned());
    let expected = [
        line("app", "stopped"),
        line("inner", "cleanup_failed: panicked"),
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
