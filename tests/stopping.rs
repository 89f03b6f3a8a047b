//! Claims on stops: what each child is given, what it may ask for, and what the plan says before.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial::policy::stop::Stop;
use perennial::shutdown::report::{Outcome, Stopped};
use perennial::{
    BoxError, Child, Context, EventKind, Running, ShutdownReason, StartError, Supervisor,
};
use tokio::time::Instant;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A task that runs until it is asked to stop.
fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

/// A task that never ends by itself.
fn deaf(name: &str) -> Child {
    Child::task(name, |_cx| std::future::pending())
}

/// A task that asks for more time when it is asked to stop, and then takes `needs`.
fn extending(
    name: &str,
    by: Duration,
    needs: Duration,
    granted: &Arc<Mutex<Vec<Duration>>>,
) -> Child {
    let granted = Arc::clone(granted);
    Child::task(name, move |cx: Context| {
        let granted = Arc::clone(&granted);
        async move {
            assert_eq!(cx.extend(by), None, "nobody asked it to stop");
            cx.shutdown().await;
            let now = Instant::now();
            let until = cx.extend(by).ok_or("it was asked to stop")?;
            note(&granted, until - now);
            tokio::time::sleep(needs).await;
            Ok(())
        }
    })
}

fn note<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().expect("no panic holds it").push(item);
}

/// Makes threads that hear nothing until the test is over.
struct DeafThreads {
    _release: mpsc::Sender<()>,
    held: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl DeafThreads {
    fn new() -> Self {
        let (release, held) = mpsc::channel();
        Self {
            _release: release,
            held: Arc::new(Mutex::new(held)),
        }
    }

    fn child(&self, name: &str) -> Child {
        let held = Arc::clone(&self.held);
        Child::blocking(name, move |_cx| {
            let held = held.lock().map_err(|error| error.to_string())?;
            held.recv().unwrap_or_default();
            Ok(())
        })
    }
}

async fn start(tree: Supervisor) -> Running {
    tree.start().await.expect("it starts")
}

/// Starts a tree with threads in it: a clock that stands still only while there is something to do
/// would run ahead of a thread that begins.
async fn start_threads(tree: Supervisor) -> Running {
    let busy = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        running = start(tree) => running,
        () = busy => unreachable!("it never ends"),
    }
}

/// Returns name, time spent and outcome of each line below the root.
fn lines(stopped: &Stopped) -> Vec<(&str, Duration, Outcome)> {
    let line = |line: &'_ Stopped| (line.spent, line.outcome.clone());
    let below = stopped.children.iter();
    below
        .map(|child| {
            let (spent, outcome) = line(child);
            (child.path.name(), spent, outcome)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_child_that_asks_for_more_time_gets_what_its_siblings_do_not_need() {
    let granted = Arc::default();
    // (budget, asked for, needed, granted, outcome): 5 s are its own, 100 ms are the sibling's, and
    // 10 ms the supervisor's.
    let table = [
        (20_000, 3_000, 7_000, 8_000, Outcome::Stopped),
        (20_000, 3_000, 9_000, 8_000, Outcome::Killed),
        (6_000, 60_000, 5_800, 5_890, Outcome::Stopped),
        (6_000, 60_000, 5_900, 5_890, Outcome::Killed),
    ];
    for (budget, by, needs, expected, outcome) in table {
        let child = extending("slow", millis(by), millis(needs), &granted);
        let tree = Supervisor::one_for_one("app")
            .child(idle("sibling"))
            .child(child);
        let report = start(tree).await.stop(millis(budget)).await;
        let last = granted.lock().expect("no panic holds it").pop();
        assert_eq!(last, Some(millis(expected)));
        let spent = match outcome {
            Outcome::Stopped => needs,
            _ => expected - 50,
        };
        let expected = [
            ("slow", millis(spent), outcome),
            ("sibling", Duration::ZERO, Outcome::Stopped),
        ];
        assert_eq!(lines(&report.root), expected, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_asks_for_more_time_is_not_named_before_that_is_over() {
    let (told, asked) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let thread = Child::blocking("thread", move |cx: Context| {
        while !cx.is_stopping() {
            // Not a clock of the test's: it is paused.
            std::thread::yield_now();
        }
        told.send(cx.extend(seconds(10)))
            .map_err(|error| error.to_string())?;
        let gone = gone.lock().map_err(|error| error.to_string())?;
        gone.recv().map_err(|error| error.to_string())?;
        Ok(())
    });
    let running = start_threads(Supervisor::one_for_one("app").child(thread)).await;
    let began = Instant::now();
    running.shutdown(ShutdownReason::Requested, seconds(60));
    let granted = loop {
        match asked.try_recv() {
            Ok(granted) => break granted,
            // The clock stands still while the test itself has something to do.
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(granted, Some(began + seconds(15)));
    tokio::time::sleep(seconds(14)).await;
    go.send(()).expect("the thread waits");
    while running.snapshot().root.children[0].state.code() == "stopping" {
        tokio::task::yield_now().await;
    }
    let report = running.wait().await;
    assert_eq!(
        report.root.children[0].outcome,
        Outcome::Stopped,
        "{report}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_outside_a_shutdown_grants_no_extension() {
    let granted = Arc::default();
    let child = extending("slow", seconds(9), seconds(9), &granted);
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let began = Instant::now();
    running.stop_child("/app/slow").await.expect("it is killed");
    assert_eq!(began.elapsed(), millis(4_950));
    assert_eq!(granted.lock().expect("no panic holds it")[..], [seconds(5)]);
}

#[tokio::test(start_paused = true)]
async fn a_brutal_stop_drops_the_child_at_once_without_its_clean_up() {
    let cleaned = Arc::new(Mutex::new(false));
    let body = |cx: Context, cleaned: Arc<Mutex<bool>>| async move {
        cx.shutdown().await;
        *cleaned.lock().map_err(|error| error.to_string())? = true;
        Ok(())
    };
    let kind = |stop| {
        let child = Child::task_with("a", Arc::clone(&cleaned), body).stop(stop);
        Supervisor::one_for_one("app")
            .child(child)
            .child(deaf("b").stop(stop))
    };
    let running = start(kind(Stop::Brutal)).await;
    let began = Instant::now();
    let report = running.stop(seconds(5)).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(report.is_clean(), "it was declared so: {report}");
    assert!(!*cleaned.lock().expect("no panic holds it"));
}

#[tokio::test(start_paused = true)]
async fn each_child_hears_of_a_shutdown_at_once_and_of_its_own_turn_in_order() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let child = |name: &'static str| {
        Child::task_with(
            name,
            Arc::clone(&seen),
            move |cx, seen: Arc<Mutex<Vec<_>>>| async move {
                let began = Instant::now();
                let note = |what| {
                    let mut seen = seen.lock().expect("no panic holds it");
                    seen.push((name, what, began.elapsed().as_secs()));
                };
                cx.shutdown_began().await;
                note("began");
                cx.shutdown().await;
                note("turn");
                tokio::time::sleep(seconds(1)).await;
                Ok(())
            },
        )
    };
    let tree = Supervisor::one_for_one("app")
        .child(child("a"))
        .child(child("b"));
    let report = start(tree).await.stop(seconds(5)).await;
    assert!(report.is_clean(), "{report}");
    let mut seen = std::mem::take(&mut *seen.lock().expect("no panic holds it"));
    seen.sort();
    let expected = [
        ("a", "began", 0),
        ("a", "turn", 1),
        ("b", "began", 0),
        ("b", "turn", 0),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_hurries_a_stop_by_hand_and_a_second_one_hurries_the_first() {
    let running = start(Supervisor::one_for_one("app").child(deaf("a"))).await;
    let app = running.supervisor("/app").expect("the root");
    let stopping = tokio::spawn(async move { app.stop_child("a").await });
    tokio::time::sleep(seconds(1)).await;
    let began = Instant::now();
    running.shutdown(ShutdownReason::Requested, seconds(3));
    tokio::time::sleep(seconds(1)).await;
    running.shutdown(ShutdownReason::Requested, seconds(60));
    running.shutdown(ShutdownReason::Requested, seconds(1));
    let report = running.wait().await;
    assert_eq!(report.root.children[0].outcome, Outcome::Killed, "{report}");
    assert!(began.elapsed() <= seconds(2) && began.elapsed() >= millis(1_900));
    assert_eq!(stopping.await.expect("no panic"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_meltdown_keeps_its_exit_when_a_shutdown_comes_upon_it() {
    let crash = Child::task("crash", |_cx| async {
        tokio::time::sleep(seconds(1)).await;
        Err::<(), BoxError>("once".into())
    });
    let tree = Supervisor::one_for_one("app")
        .intensity(0, seconds(1))
        .child(deaf("deaf"))
        .child(crash);
    let running = start(tree).await;
    tokio::time::sleep(seconds(2)).await;
    let began = Instant::now();
    running.shutdown(ShutdownReason::Requested, seconds(1));
    let report = running.wait().await;
    assert_eq!(report.exit.code(), "meltdown");
    assert!(began.elapsed() <= seconds(1), "{report}");
}

/// A tree of three levels with a bit of everything.
fn planned(leaf: impl Fn(&str) -> Child) -> Supervisor {
    let inner = Supervisor::rest_for_one("inner")
        .child(leaf("b").stop_timeout(seconds(2)))
        .child(leaf("c").stop_reserve(seconds(1)));
    let capped = Supervisor::one_for_one("capped")
        .stop_timeout(seconds(3))
        .child(leaf("d"))
        .child(leaf("e"));
    Supervisor::one_for_one("app")
        .child(leaf("a"))
        .child(inner)
        .child(capped)
        .child(leaf("f").stop_timeout(millis(500)))
}

#[tokio::test(start_paused = true)]
async fn a_stop_plan_prints_who_is_given_what_at_worst() {
    let plan = planned(idle)
        .stop_plan(seconds(10))
        .expect("it can be kept");
    let table = plan.to_string();
    let rows: Vec<Vec<_>> = table
        .lines()
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["path", "begins", "reserve", "at", "most"]);
    let column = |index: usize| rows[1..].iter().map(|row| row[index]).collect::<Vec<_>>();
    let expected = ["/app", "f", "capped", "e", "d", "inner", "c", "b", "a"];
    assert_eq!(
        column(0),
        expected,
        "in the order in which they stop\n{table}"
    );
    assert_eq!(
        rows[2][1..],
        ["0.0", "ms", "100.0", "ms", "500.0", "ms"],
        "{table}"
    );
    let nested = table.lines().filter(|row| row.starts_with("    ")).count();
    assert_eq!(nested, 4, "indented by depth\n{table}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cant_be_kept_is_refused_before_anything_starts() {
    let started = Arc::new(Mutex::new(false));
    let greedy = Child::task_with(
        "greedy",
        Arc::clone(&started),
        |cx: Context, started| async move {
            *started.lock().map_err(|error| error.to_string())? = true;
            cx.shutdown().await;
            Ok(())
        },
    );
    let inner = Supervisor::one_for_one("inner").child(greedy.stop_reserve(seconds(4)));
    let tree = Supervisor::one_for_one("app")
        .shutdown_budget(seconds(5))
        .child(idle("modest").stop_reserve(seconds(2)))
        .child(inner);
    let refused = tree.stop_plan(seconds(5)).expect_err("6 s of 5");
    let said = refused.to_string();
    assert!(
        said.contains("below /app come to 6s") && said.contains("of 5s"),
        "{said}"
    );
    assert!(tree.stop_plan(seconds(7)).is_ok());
    let error = tree.start().await.expect_err("its own budget is 5 s");
    assert_eq!(error, StartError::ImpossiblePlan(refused));
    assert!(!*started.lock().expect("no panic holds it"));
}

#[tokio::test(start_paused = true)]
async fn defaults_never_make_a_plan_impossible() {
    let leaves = (0..1_000).map(|number| idle(&format!("leaf-{number}")));
    let tree = leaves.fold(Supervisor::one_for_one("app"), Supervisor::child);
    let plan = tree.stop_plan(millis(100)).expect("defaults shrink");
    let last = plan.lines.last().expect("it has lines");
    assert!(last.begins + last.allotted <= millis(100));
}

#[tokio::test(start_paused = true)]
async fn the_worst_case_of_one_supervisor_spends_exactly_what_the_plan_says() {
    for budget in [seconds(30), seconds(8), millis(700)] {
        let threads = DeafThreads::new();
        let tree = || {
            Supervisor::one_for_one("app")
                .child(threads.child("a"))
                .child(threads.child("b").stop_timeout(seconds(2)))
                .child(
                    threads
                        .child("c")
                        .stop_timeout(seconds(3))
                        .stop_reserve(millis(50)),
                )
        };
        let plan = tree().stop_plan(budget).expect("it can be kept");
        let running = start_threads(tree()).await;
        let began = Instant::now();
        let report = running.stop(budget).await;
        let mut turn = Duration::ZERO;
        for (planned, line) in plan.lines[1..].iter().zip(&report.root.children) {
            assert_eq!(planned.path, line.path);
            assert_eq!(line.outcome, Outcome::Hung);
            assert_close(planned.begins, turn, &plan.to_string());
            assert_close(planned.allotted, line.spent, &plan.to_string());
            turn += line.spent;
        }
        assert_eq!(report.root.children.len(), 3);
        assert!(began.elapsed() <= budget);
    }
}

/// Timers go off in whole milliseconds.
fn assert_close(planned: Duration, spent: Duration, plan: &str) {
    assert!(
        planned.abs_diff(spent) <= millis(1),
        "{planned:?}, {spent:?}\n{plan}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_worst_case_of_a_deep_tree_spends_exactly_what_the_plan_says() {
    for budget in [seconds(30), seconds(10), seconds(2)] {
        let threads = DeafThreads::new();
        let plan = planned(|name| threads.child(name))
            .stop_plan(budget)
            .expect("it can be kept");
        let running = start_threads(planned(|name| threads.child(name))).await;
        let began = Instant::now();
        let report = running.stop(budget).await;
        assert!(began.elapsed() <= budget);
        let spent = report.lines();
        assert_eq!(spent.len(), plan.lines.len());
        for (planned, (_, line)) in plan.lines.iter().zip(spent) {
            assert_eq!((&planned.path, &line.outcome), (&line.path, &Outcome::Hung));
            if line.path != "/app" {
                assert_close(planned.allotted, line.spent, &format!("{plan}\n{report}"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn deaf_tasks_are_killed_a_grace_before_the_plans_deadline() {
    let plan = planned(deaf)
        .stop_plan(seconds(30))
        .expect("it can be kept");
    let report = start(planned(deaf)).await.stop(seconds(30)).await;
    for (planned, (_, line)) in plan.lines.iter().zip(report.lines()) {
        let is_leaf = line.children.is_empty();
        let expected = if is_leaf {
            Outcome::Killed
        } else {
            Outcome::Stopped
        };
        assert_eq!((&planned.path, &line.outcome), (&line.path, &expected));
        if is_leaf && line.path.name() != "d" {
            let grace = (planned.allotted / 10).min(millis(50));
            assert_close(planned.allotted - grace, line.spent, &plan.to_string());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_counts_as_killed_if_it_was_and_once() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Arc::new(Mutex::new(gone));
    let thread = Child::blocking_with("thread", gone, |_cx, gone| {
        let gone = gone.lock().map_err(|error| error.to_string())?;
        gone.recv().map_err(|error| error.to_string())?;
        Ok(())
    });
    // Its body ends when it is told, what it has begun does not.
    let half = Child::task("half", |cx| async move {
        cx.spawn(std::future::pending::<()>());
        cx.shutdown().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app")
        .child(thread)
        .child(half)
        .child(deaf("first"))
        .child(deaf("second"))
        .child(idle("idle"));
    let running = start_threads(tree).await;
    let by_hand = running.stop_child("/app/first").await;
    assert!(by_hand.is_ok(), "{by_hand:?}");
    assert_eq!(running.snapshot().runs_killed, 1);
    let seen = running.observer();
    let report = running.stop(seconds(10)).await;
    assert_eq!(report.root.children[4].outcome, Outcome::Hung, "{report}");
    assert_eq!(seen.snapshot().runs_killed, 2, "{report}");
    go.send(()).expect("the thread waits");
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_hand_of_a_supervisor_gives_time_to_what_was_added_to_it() {
    let slow = |name: &str| {
        Child::task(name, |cx| async move {
            cx.shutdown().await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            Ok(())
        })
        .stop_timeout(Duration::from_secs(30))
    };
    for inner in [
        Supervisor::one_for_one("inner"),
        Supervisor::dynamic("inner"),
    ] {
        let middle = Supervisor::one_for_one("middle").child(inner);
        let tree = Supervisor::one_for_one("app").child(middle);
        let running = tree.start().await.expect("it starts");
        let inner = running
            .supervisor("/app/middle/inner")
            .expect("it is there");
        inner.start_child(slow("slow")).await.expect("it starts");
        let mut events = running.subscribe("test");
        running.stop_child("/app/middle").await.expect("it stops");
        let outcome = loop {
            let event = events.recv().await.expect("the tree lives");
            if let (EventKind::Stopped { outcome, .. }, true) =
                (event.kind, event.path == "/app/middle/inner/slow")
            {
                break outcome;
            }
        };
        assert_eq!(outcome, Outcome::Stopped);
    }
}
