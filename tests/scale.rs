//! Claims on large trees: a storm starves nobody, and many children cost no more than one each.
//!
//! On the real clock where it says `multi_thread`; what is asserted there is that something happens
//! at all, and before a budget that leaves a slow machine room. Each test prints what it measured.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial::shutdown::plan::{MAX_KILL_GRACE, SUPERVISOR_TICK};
use perennial::shutdown::report::{Outcome, Stopped};
use perennial::{Backoff, BoxError, Child, EventKind, Inbox, Running, StopReport, Supervisor};
use tokio::sync::watch;
use tokio::time::Instant;

/// How many ends and starts a supervisor handles before a command gets its turn: its own number.
const ENDS_IN_A_ROW: usize = 64;

/// How many children make a storm.
const STORM: usize = 1_000;

/// How many of them the bus can tell of in one go: it keeps 4 096 events, and each run has four.
const TOLD_STORM: usize = 400;

/// More restarts than any storm here comes to.
const NO_LIMIT: (u32, Duration) = (100_000_000, Duration::from_millis(1));

/// Enough for everything here on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn idle(name: impl Into<String>) -> Child {
    Child::task(name, |cx| async move {
        cx.shutdown().await;
        Ok(())
    })
}

/// A supervisor with children that fail as soon as they are up, for ever; one that is well, and one
/// that fails and waits for a timer before it comes back: it says how often it has.
fn storm(size: usize) -> (Supervisor, watch::Receiver<u64>) {
    let (sender, runs) = watch::channel(0);
    let ticker = Child::task_with("ticker", Arc::new(sender), |cx, runs| async move {
        runs.send_replace(cx.incarnation());
        tokio::task::yield_now().await;
        Err::<(), BoxError>("again".into())
    });
    let crash = |number: usize| {
        Child::task(format!("crash-{number}"), |_cx| async {
            tokio::task::yield_now().await;
            Err("again".into())
        })
    };
    let tree = Supervisor::one_for_one("app")
        .intensity(NO_LIMIT.0, NO_LIMIT.1)
        .backoff(Backoff::none())
        .child(idle("calm"))
        .child(ticker.backoff(Backoff::fixed(Duration::from_millis(5))));
    (
        (0..size).fold(tree, |tree, number| tree.child(crash(number))),
        runs,
    )
}

#[tokio::test(start_paused = true)]
async fn a_command_is_served_before_65_ends_of_a_storm() {
    let (tree, _runs) = storm(TOLD_STORM);
    let running = tree.start().await.expect("it starts");
    let mut most = 0;
    for round in 0..50 {
        // Wherever the storm is by now.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let mut events = running.subscribe("test");
        let mut ends = 0;
        let told = async {
            loop {
                match events.recv().await.expect("the test keeps up").kind {
                    EventKind::Exited { .. } => ends += 1,
                    EventKind::StopRequested { .. } => return,
                    _ => {}
                }
            }
        };
        let (answer, ()) = tokio::join!(running.restart_child("/app/calm"), told);
        answer.expect("it is up");
        assert!(ends <= ENDS_IN_A_ROW, "{ends} ends before a command");
        most = ends.max(most);
    }
    println!("at most {most} ends before a command");
    assert!(most > 0, "no storm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_starves_neither_commands_nor_timers_nor_the_shutdown() {
    let (tree, mut runs) = storm(STORM);
    let running = tree.start().await.expect("it starts");
    let began = Instant::now();
    let commands = async {
        for _ in 0..20 {
            running.restart_child("/app/calm").await.expect("it is up");
        }
        began.elapsed()
    };
    let commands = tokio::time::timeout(PATIENCE, commands).await;
    let before = *runs.borrow();
    let timers = tokio::time::timeout(PATIENCE, runs.wait_for(|run| *run >= before + 5)).await;
    let timers = timers.map(|run| *run.expect("the tree lives"));
    let events = running.snapshot().from_seq;
    let report = running.stop(PATIENCE).await;
    assert!(report.hung().is_empty(), "{report}");
    assert!(report.root.spent <= PATIENCE, "{:?}", report.root.spent);
    let (commands, timers) = (commands.expect("commands"), timers.expect("timers"));
    let spent = report.root.spent;
    println!(
        "{events} events; 20 restarts by hand {commands:?}; timer run {timers}; stop {spent:?}"
    );
}

/// More callers than commands that wait, and than one poll of a task serves.
const CALLERS: usize = 1_000;

#[tokio::test]
async fn a_storm_of_commands_starves_no_timer() {
    let (tree, mut runs) = storm(0);
    let handle = tree.handle();
    let running = tree.start().await.expect("it starts");
    handle.stop_child("calm").await.expect("it is up");
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let handle = handle.clone();
        // Done already: each answer comes at once, and the next command with it.
        callers.spawn(async move { while handle.stop_child("calm").await.is_ok() {} });
    }
    let before = *runs.borrow();
    let timers = tokio::time::timeout(PATIENCE, runs.wait_for(|run| *run >= before + 5)).await;
    assert!(timers.is_ok(), "a backoff never came to its end");
    let report = running.stop(PATIENCE).await;
    assert!(report.hung().is_empty(), "{report}");
}

/// Starts a tree and stops it within `budget`; returns how long each took.
async fn start_and_stop(tree: Supervisor, budget: Duration) -> (Duration, StopReport) {
    let began = Instant::now();
    let running = tree.start().await.expect("it starts");
    let started = began.elapsed();
    (started, running.stop(budget).await)
}

/// What every machine can do in time.
const TIME_ENOUGH: Duration = Duration::from_millis(100);

/// Whoever had time enough stopped by itself. The first in their turn have little: with so many
/// children an equal share of the budget is less than a millisecond, and all of it is reserved. What
/// they do not use is the next ones'.
fn check_those_with_time(report: &StopReport) {
    let is_bad = |line: &&Stopped| line.allotted >= TIME_ENOUGH && line.outcome != Outcome::Stopped;
    let bad = report.root.children.iter().find(is_bad);
    assert!(bad.is_none(), "{bad:?}");
    let stopped = report
        .root
        .children
        .iter()
        .filter(|line| line.outcome == Outcome::Stopped);
    let (stopped, all) = (stopped.count(), report.root.children.len());
    println!("{stopped} of {all} stopped by themselves");
    assert!(stopped * 10 >= all * 9, "{stopped} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_static_children_stop_within_five_seconds() {
    let budget = Duration::from_secs(5);
    for count in [1_000, 10_000] {
        let tree = (0..count).fold(Supervisor::one_for_one("app"), |tree, number| {
            tree.child(idle(format!("c{number}")))
        });
        let (started, report) = start_and_stop(tree, budget).await;
        check_those_with_time(&report);
        assert!(report.root.spent <= budget, "{:?}", report.root.spent);
        assert_eq!(report.root.children.len(), count);
        println!("{count}: start {started:?}, stop {:?}", report.root.spent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_children_of_one_for_all_restart_together() {
    for count in [1_000_usize, 10_000] {
        let (fail, go) = watch::channel(false);
        let second_runs = Arc::new(AtomicUsize::new(0));
        let (all, mut is_all) = watch::channel(false);
        let state = (go, Arc::clone(&second_runs), Arc::new(all));
        let member = |number: usize| {
            Child::task_with(
                format!("c{number}"),
                state.clone(),
                move |cx, state| async move {
                    let (mut go, second_runs, all) = state;
                    if cx.incarnation() == 2
                        && second_runs.fetch_add(1, Ordering::Relaxed) + 1 == count
                    {
                        all.send_replace(true);
                    }
                    if cx.incarnation() == 1 && number == count / 2 {
                        go.wait_for(|go| *go).await?;
                        return Err("once".into());
                    }
                    cx.shutdown().await;
                    Ok(())
                },
            )
        };
        let empty = Supervisor::one_for_all("app");
        let tree = (0..count).fold(empty, |tree, number| tree.child(member(number)));
        let running = tree.start().await.expect("it starts");
        let began = Instant::now();
        fail.send_replace(true);
        let restarted = tokio::time::timeout(PATIENCE, is_all.wait_for(|all| *all)).await;
        restarted.expect("all come back").expect("the tree lives");
        println!("{count}: group restart {:?}", began.elapsed());
        assert_eq!(second_runs.load(Ordering::Relaxed), count, "each one once");
        check_those_with_time(&running.stop(PATIENCE).await);
    }
}

/// How deep the deep tree is.
const DEPTH: u32 = 50;

/// Supervisors below one another, with one leaf at the bottom.
fn nested(leaf: Child) -> Supervisor {
    let innermost = Supervisor::one_for_one(format!("s{DEPTH}")).child(leaf);
    (1..DEPTH).rev().fold(innermost, |below, depth| {
        Supervisor::one_for_one(format!("s{depth}")).child(below)
    })
}

async fn stop_nested(leaf: Child, budget: Duration) -> (Duration, StopReport) {
    let running = nested(leaf).start().await.expect("it starts");
    let began = Instant::now();
    let report = running.stop(budget).await;
    (began.elapsed(), report)
}

#[tokio::test(start_paused = true)]
async fn a_tree_fifty_deep_slips_by_its_ticks_and_no_more() {
    let budget = Duration::from_secs(5);
    let (took, report) = stop_nested(idle("leaf"), budget).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(took, Duration::ZERO);
    let deaf = Child::task("leaf", |_cx| std::future::pending());
    let (took, report) = stop_nested(deaf, budget).await;
    assert_eq!(took, budget - SUPERVISOR_TICK * DEPTH - MAX_KILL_GRACE);
    let lines = report.lines();
    assert_eq!(lines.len(), DEPTH as usize + 1);
    for (depth, (_, line)) in (0..).zip(&lines) {
        assert_eq!(
            line.allotted,
            budget - SUPERVISOR_TICK * depth,
            "{}",
            line.path
        );
    }
    assert_eq!(lines.last().expect("the leaf").1.outcome, Outcome::Killed);
    assert!(report.hung().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_tree_fifty_deep_stops_in_time_however_little_it_has() {
    for budget in [0, 1, 9, 100, 499, 500] {
        let budget = Duration::from_millis(budget);
        let deaf = Child::task("leaf", |_cx| std::future::pending());
        let (took, report) = stop_nested(deaf, budget).await;
        assert!(took <= budget, "{took:?} of {budget:?}");
        assert!(report.hung().is_empty(), "{report}");
    }
}

fn worker() -> Child<u64> {
    Child::worker("", |_cx, mut inbox: Inbox<u64>| async move {
        while inbox.recv().await.is_some() {}
        Ok(())
    })
}

async fn dynamic() -> (Running, perennial::SupervisorHandle) {
    let dynamic = Supervisor::dynamic("many");
    let many = dynamic.handle();
    let running = Supervisor::one_for_one("app").child(dynamic).start().await;
    (running.expect("it starts"), many)
}

/// How many workers; all that a supervisor accepts by default in the long run.
fn workers() -> usize {
    if std::env::var_os("PERENNIAL_LONG").is_some() {
        100_000
    } else {
        20_000
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_workers_start_and_stop() {
    for count in [workers() / 100, workers() / 10, workers()] {
        let (running, many) = dynamic().await;
        let began = Instant::now();
        for _ in 0..count {
            many.start_child(worker()).await.expect("there is room");
        }
        let started = began.elapsed();
        assert_eq!(many.count_children().expect("it runs").active, count);
        let one = Instant::now();
        many.stop_child("7").await.expect("it is up");
        let one = one.elapsed();
        let report = running.stop(PATIENCE).await;
        assert!(report.is_clean());
        let stopped = report
            .root
            .children
            .first()
            .map_or(0, |line| line.children.len());
        assert_eq!(stopped, count - 1);
        println!(
            "{count}: start {started:?}, stop one {one:?}, stop {:?}",
            report.root.spent
        );
    }
}
