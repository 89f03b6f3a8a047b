//! Claims on the chaos monkey: whom it hits, with what, how often, and when it ends.

use std::time::Duration;

use perennial::testkit::{self, Chaos, ChaosReport, Fault};
use perennial::{Backoff, BoxError, Running, ShutdownReason, Supervisor};
use tokio::time::{Instant, sleep};

use crate::{idle, start};

/// Starts `/app` with two tasks and a supervisor with a task, none of which backs off.
async fn app() -> Running {
    let never = Duration::from_secs(1);
    let inner = Supervisor::one_for_one("inner")
        .backoff(Backoff::none())
        .intensity(100_000, never)
        .child(idle("c"));
    start(
        Supervisor::one_for_one("app")
            .backoff(Backoff::none())
            .intensity(100_000, never)
            .child(idle("a"))
            .child(idle("b"))
            .child(inner),
    )
    .await
}

fn paths(report: &ChaosReport) -> Vec<&str> {
    let mut paths: Vec<_> = report
        .injections
        .iter()
        .map(|injection| injection.path.as_str())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Lets a monkey loose for two minutes.
async fn chaos_of_two_minutes(chaos: Chaos) -> ChaosReport {
    let running = app().await;
    let chaos = chaos.seed(1).lasting(Duration::from_secs(120));
    let report = chaos.start(&running).finished().await;
    running.stop(Duration::from_secs(10)).await;
    report
}

#[tokio::test(start_paused = true)]
async fn every_leaf_that_can_be_struck_is_and_nothing_else() {
    let report = chaos_of_two_minutes(Chaos::new()).await;
    assert_eq!(paths(&report), ["/app/a", "/app/b", "/app/inner/c"]);
    let has = |fault| {
        report
            .injections
            .iter()
            .any(|injection| injection.fault == fault)
    };
    let done = Fault::ALL.map(has);
    assert_eq!(done, [true, true, false, true], "{report}");
    assert_eq!(report.rounds_without_target, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pattern_a_choice_and_supervisors() {
    let report = chaos_of_two_minutes(Chaos::new().only("/app/inner/**")).await;
    assert_eq!(paths(&report), ["/app/inner/c"]);
    let report = chaos_of_two_minutes(Chaos::new().faults([Fault::Kill]).with_supervisors()).await;
    assert_eq!(
        paths(&report),
        ["/app/a", "/app/b", "/app/inner/c"],
        "no supervisor is killed"
    );
    assert!(
        report
            .injections
            .iter()
            .all(|injection| injection.fault == Fault::Kill)
    );
    let report = chaos_of_two_minutes(Chaos::new().with_supervisors()).await;
    let all = ["/app/a", "/app/b", "/app/inner", "/app/inner/c"];
    assert_eq!(paths(&report), all, "the root is spared");
}

#[tokio::test(start_paused = true)]
async fn faults_come_as_often_as_they_were_ordered_on_average() {
    let report = chaos_of_two_minutes(Chaos::new().every(Duration::from_millis(100))).await;
    let injections = &report.injections;
    // 1 200 are expected; the seed makes the number the same each time.
    assert!(
        (1_000..1_400).contains(&injections.len()),
        "{}",
        injections.len()
    );
    let rising = injections
        .windows(2)
        .all(|pair| pair[0].after < pair[1].after);
    assert!(rising, "{report}");
    let intervals = injections
        .windows(2)
        .map(|pair| pair[1].after - pair[0].after);
    let longest = intervals.max().expect("there are many");
    // Twice the mean, and the millisecond of a timer.
    assert!(longest <= Duration::from_millis(201), "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_monkey_without_a_target_says_so() {
    let report = chaos_of_two_minutes(Chaos::new().only("/app/d")).await;
    assert!(report.injections.is_empty());
    assert!(report.rounds_without_target > 0);
    let text = report.to_string();
    assert!(text.starts_with("0 faults with seed 1, "), "{text}");
    assert!(text.ends_with(" without a target"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_time_and_not_before() {
    let running = app().await;
    let began = Instant::now();
    let chaos = Chaos::new().lasting(Duration::from_secs(10));
    chaos.start(&running).finished().await;
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_stopped_or_dropped() -> Result<(), BoxError> {
    let running = app().await;
    let monkey = Chaos::new().seed(1).start(&running);
    sleep(Duration::from_secs(60)).await;
    let report = monkey.stop();
    assert!(!report.injections.is_empty());
    drop(Chaos::new().start(&running));
    let exits = running.snapshot().root.children[0].restart_count();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(running.snapshot().root.children[0].restart_count(), exits);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_tree() {
    let running = app().await;
    let monkey = Chaos::new().start(&running);
    running.shutdown(ShutdownReason::Requested, Duration::from_secs(10));
    monkey.finished().await;
    let running = app().await;
    let monkey = Chaos::new().start(&running);
    testkit::crash(&running, "/app").expect("it runs");
    running.wait().await;
    monkey.finished().await;
}

#[tokio::test(start_paused = true)]
async fn its_report_names_when_what_and_whom() {
    let report = chaos_of_two_minutes(Chaos::new().only("/app/a").faults([Fault::Error])).await;
    let text = report.to_string();
    let mut lines = text.lines();
    let count = report.injections.len();
    assert_eq!(lines.next(), Some(&*format!("{count} faults with seed 1")));
    let line = lines.next().expect("it did something");
    assert!(
        line.starts_with("  +") && line.ends_with(" error /app/a#1"),
        "{line:?}"
    );
}
