//! Who goes down with a child that failed, and who comes back.

use std::time::Duration;

use perennial::{Exit, Supervisor};
use tokio::time::Instant;

use crate::stage::{Stage, Start, Tell, Watched, as_in_otp, outcomes, seconds};

/// Starts `/app` with children of these names.
async fn with_children(stage: &Stage, tree: Supervisor, names: &[&str]) -> Watched {
    let children = names.iter().map(|name| stage.child(name));
    Watched::start(children.fold(tree, Supervisor::child)).await
}

// OTP: one_for_one
#[tokio::test(start_paused = true)]
async fn one_for_one_restarts_the_child_that_failed_until_its_limit_is_reached() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::one_for_one("app"), 2);
    let mut tree = with_children(&stage, tree, &["a", "b"]).await;
    stage.tell("a", Tell::Fail);
    tree.until("restarted", "/app/a").await;
    assert_eq!(tree.lines("/app"), ["a running 2", "b running 1"]);
    assert_eq!(tree.counts("/app"), [2, 2, 0, 2]);
    stage.tell("b", Tell::Fail);
    tree.until("restarted", "/app/b").await;
    stage.tell("b", Tell::Fail);
    let report = tree.running.wait().await;
    assert_eq!(report.exit, Exit::Meltdown);
    assert_eq!(outcomes(&report.root), ["b already_down", "a stopped"]);
}

// OTP: one_for_one_escalation
#[tokio::test(start_paused = true)]
async fn one_for_one_gives_up_over_a_child_that_never_starts_again() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::one_for_one("app"), 4);
    let tree = with_children(&stage, tree, &["a", "b"]).await;
    stage.all_starts("a", Start::Fails);
    stage.tell("a", Tell::Fail);
    let report = tree.running.wait().await;
    assert_eq!(report.exit, Exit::Meltdown);
    assert_eq!(outcomes(&report.root), ["b stopped", "a already_down"]);
    let a = tree.running.snapshot().root.children.remove(0);
    assert_eq!(a.incarnation, 5, "four restarts were allowed");
}

// OTP: one_for_all
#[tokio::test(start_paused = true)]
async fn one_for_all_restarts_everybody_until_its_limit_is_reached() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::one_for_all("app"), 2);
    let mut tree = with_children(&stage, tree, &["a", "b"]).await;
    stage.tell("a", Tell::Fail);
    tree.until("restarted", "/app/b").await;
    assert_eq!(tree.lines("/app"), ["a running 2", "b running 2"]);
    assert_eq!(tree.counts("/app"), [2, 2, 0, 2]);
    assert_eq!(stage.trace(), ["+a", "+b", "-b", "+a", "+b"]);
    stage.tell("b", Tell::Fail);
    tree.until("restarted", "/app/b").await;
    stage.tell("b", Tell::Fail);
    assert_eq!(tree.running.wait().await.exit, Exit::Meltdown);
}

// OTP: one_for_all_escalation
#[tokio::test(start_paused = true)]
async fn one_for_all_gives_up_over_a_sibling_that_never_starts_again() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::one_for_all("app"), 4);
    let tree = with_children(&stage, tree, &["a", "b"]).await;
    stage.trace();
    stage.all_starts("b", Start::Fails);
    stage.tell("a", Tell::Fail);
    assert_eq!(tree.running.wait().await.exit, Exit::Meltdown);
    // Whoever was restarted already is stopped again before each new attempt.
    let trace = ["-b", "+a", "-a", "+a", "-a", "+a", "-a", "+a", "-a"];
    assert_eq!(stage.trace(), trace);
}

// OTP: one_for_all_other_child_fails_restart
#[tokio::test(start_paused = true)]
async fn one_for_all_stops_a_restarted_child_again_when_its_sibling_does_not_start() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::one_for_all("app"), 3);
    let tree = with_children(&stage, tree, &["a", "b"]).await;
    stage.next_starts("b", [Start::FailsAfter(seconds(1))]);
    stage.tell("a", Tell::Die);
    tree.runs_on().await;
    assert_eq!(tree.lines("/app"), ["a running 3", "b running 3"]);
    assert_eq!(stage.trace(), ["+a", "+b", "-b", "+a", "-a", "+a", "+b"]);
    tree.stops_well().await;
}

// OTP: rest_for_one
#[tokio::test(start_paused = true)]
async fn rest_for_one_restarts_the_child_and_those_after_it_until_its_limit_is_reached() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::rest_for_one("app"), 2);
    let mut tree = with_children(&stage, tree, &["a", "b", "c"]).await;
    assert_eq!(tree.counts("/app"), [3, 3, 0, 3]);
    stage.trace();
    stage.tell("b", Tell::Fail);
    tree.until("restarted", "/app/c").await;
    assert_eq!(
        tree.lines("/app"),
        ["a running 1", "b running 2", "c running 2"]
    );
    assert_eq!(tree.counts("/app"), [3, 3, 0, 3]);
    assert_eq!(stage.trace(), ["-c", "+b", "+c"]);
    stage.tell("c", Tell::Fail);
    tree.until("restarted", "/app/c").await;
    assert_eq!(
        tree.lines("/app"),
        ["a running 1", "b running 2", "c running 3"]
    );
    stage.tell("b", Tell::Fail);
    assert_eq!(tree.running.wait().await.exit, Exit::Meltdown);
}

// OTP: rest_for_one_escalation
#[tokio::test(start_paused = true)]
async fn rest_for_one_gives_up_over_a_later_sibling_that_never_starts_again() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::rest_for_one("app"), 4);
    let tree = with_children(&stage, tree, &["a", "b"]).await;
    stage.trace();
    stage.all_starts("b", Start::Fails);
    stage.tell("a", Tell::Fail);
    assert_eq!(tree.running.wait().await.exit, Exit::Meltdown);
    assert_eq!(stage.trace(), ["-b", "+a", "-a"], "a stays up meanwhile");
}

// OTP: rest_for_one_other_child_fails_restart
#[tokio::test(start_paused = true)]
async fn rest_for_one_leaves_a_restarted_child_up_when_a_later_sibling_does_not_start() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::rest_for_one("app"), 3);
    let tree = with_children(&stage, tree, &["a", "b"]).await;
    stage.next_starts("b", [Start::FailsAfter(seconds(1))]);
    stage.tell("a", Tell::Die);
    tree.runs_on().await;
    assert_eq!(tree.lines("/app"), ["a running 2", "b running 3"]);
    assert_eq!(stage.trace(), ["+a", "+b", "-b", "+a", "+b"]);
    tree.stops_well().await;
}

// OTP: simple_one_for_one, simple_one_for_one_extra
#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_restarts_the_child_that_failed_until_its_limit_is_reached() {
    let stage = Stage::default();
    let mut tree = dynamic(&stage, 2, &["a", "b"]).await;
    stage.tell("a", Tell::Fail);
    tree.until("restarted", "/app/a").await;
    assert_eq!(tree.lines("/app"), ["a running 2", "b running 1"]);
    assert_eq!(tree.counts("/app"), [2, 2, 0, 2]);
    stage.tell("b", Tell::Fail);
    tree.until("restarted", "/app/b").await;
    stage.tell("b", Tell::Fail);
    assert_eq!(tree.running.wait().await.exit, Exit::Meltdown);
}

// OTP: simple_one_for_one_escalation
#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_gives_up_over_a_child_that_never_starts_again() {
    let stage = Stage::default();
    let tree = dynamic(&stage, 4, &["a", "b"]).await;
    stage.all_starts("a", Start::Fails);
    stage.tell("a", Tell::Fail);
    let report = tree.running.wait().await;
    assert_eq!(report.exit, Exit::Meltdown);
    assert_eq!(stage.trace(), ["+a", "+b", "-b"]);
}

/// Starts a dynamic `/app` and adds permanent children of these names.
async fn dynamic(stage: &Stage, restarts: u32, names: &[&str]) -> Watched {
    let tree = as_in_otp(Supervisor::dynamic("app"), restarts);
    let tree = Watched::start(tree).await;
    for name in names {
        let child = stage.child(name).restart(perennial::Restart::Permanent);
        tree.app.start_child(child).await.expect("up");
    }
    tree
}

// OTP: simple_one_for_one_shutdown
#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_stops_its_children_all_at_once() {
    let slow = |takes: Duration| {
        perennial::Child::task("", move |cx: perennial::Context| async move {
            cx.shutdown().await;
            tokio::time::sleep(takes).await;
            Ok(())
        })
        .stop_timeout(seconds(2))
    };
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    for takes in [1, 1, 5] {
        let child = slow(seconds(takes));
        tree.app.start_child(child).await.expect("up");
    }
    let began = Instant::now();
    let report = tree.running.stop(seconds(30)).await;
    let mut ended = outcomes(&report.root);
    ended.sort();
    assert_eq!(ended, ["0 stopped", "1 stopped", "2 killed"]);
    assert_eq!(began.elapsed(), Duration::from_millis(1_950));
}
