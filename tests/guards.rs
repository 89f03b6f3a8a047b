//! Claims on work outside of the tree: it hears of the shutdown, asks for it, and holds its end.
#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::time::Duration;

use perennial::{Child, Running, ShutdownReason, Supervisor};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

async fn start() -> Running {
    let idle = Child::task("idle", |cx| async move {
        cx.shutdown().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app")
        .shutdown_budget(5 * SECOND)
        .child(idle);
    tree.start().await.expect("it starts")
}

#[tokio::test(start_paused = true)]
async fn a_guard_holds_the_end_until_it_is_given_back_and_stands_in_the_report() {
    let running = start().await;
    let handle = running.shutdown_handle();
    let before = handle.guard("before");
    let upload = handle.guard("upload");
    drop(before);
    assert_eq!(handle.guards()[0].0.as_ref(), "upload");
    let work = tokio::spawn(async move {
        let shutdown = handle.began().await;
        assert_eq!(shutdown.reason, ShutdownReason::Requested);
        tokio::time::sleep(2 * SECOND).await;
        drop(upload);
    });
    let began = Instant::now();
    let report = running.stop(5 * SECOND).await;
    assert_eq!(began.elapsed(), 2 * SECOND);
    work.await.expect("it does not panic");
    assert!(report.is_clean());
    assert_eq!(
        report.guards.len(),
        1,
        "one that was given back before is none"
    );
    let guard = &report.guards[0];
    assert_eq!(
        (&*guard.name, guard.spent, guard.is_released),
        ("upload", 2 * SECOND, true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_kept_holds_the_end_until_the_deadline_and_is_named() {
    let running = start().await;
    let _kept = running.shutdown_handle().guard("upload");
    let began = Instant::now();
    let report = running.stop(5 * SECOND).await;
    assert_eq!(began.elapsed(), 5 * SECOND);
    assert_eq!(report.unreleased(), ["upload"]);
    assert!(!report.is_clean());
    let text = report.to_string();
    assert!(
        text.contains("guard \"upload\": still held after 5.00 s"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_brought_forward_is_that_of_a_guard_too() {
    let running = start().await;
    let handle = running.shutdown_handle();
    let _kept = handle.guard("upload");
    running.shutdown(ShutdownReason::Requested, 60 * SECOND);
    tokio::time::sleep(SECOND).await;
    let began = Instant::now();
    assert_eq!(handle.time_left(), Some(59 * SECOND));
    // Never to a later one.
    running.shutdown(ShutdownReason::Requested, 90 * SECOND);
    assert_eq!(handle.time_left(), Some(59 * SECOND));
    let report = running.stop(2 * SECOND).await;
    assert_eq!(began.elapsed(), 2 * SECOND);
    assert_eq!(
        handle.shutdown().map(|s| s.deadline),
        Some(began + 2 * SECOND)
    );
    assert_eq!(report.unreleased(), ["upload"]);
    assert!(
        report.hung().is_empty(),
        "every child has stopped: {report}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_tree_that_has_ended_begins_nothing() {
    let running = start().await;
    let (seen, handle) = (running.observer(), running.shutdown_handle());
    running.stop(5 * SECOND).await;
    let before = seen.snapshot().shutdown_progress;
    handle.request();
    seen.shutdown(ShutdownReason::Requested, SECOND);
    assert_eq!(seen.snapshot().shutdown_progress, before);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_handle_can_ask_for_the_end() {
    let running = start().await;
    let handle = running.shutdown_handle();
    assert!(!handle.is_shutting_down());
    handle.request();
    handle.request();
    assert_eq!(handle.began().await.reason, ShutdownReason::Requested);
    assert!(handle.time_left().is_some_and(|left| left <= 5 * SECOND));
    assert_eq!(running.wait().await.reason, ShutdownReason::Requested);
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_ends_by_itself_tells_those_who_hold_its_end() {
    let once = Child::task("once", |_cx| async {
        tokio::task::yield_now().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app")
        .auto_shutdown(perennial::policy::auto_shutdown::AutoShutdown::AnySignificant)
        .child(once.restart(perennial::Restart::Temporary).significant());
    let running = tree.start().await.expect("it starts");
    let handle = running.shutdown_handle();
    let guard = handle.guard("holder");
    let work = tokio::spawn(async move {
        let reason = handle.began().await.reason;
        drop(guard);
        reason
    });
    let report = running.wait().await;
    assert_eq!(
        work.await.expect("it does not panic"),
        ShutdownReason::Completed
    );
    assert!(report.unreleased().is_empty());
}
