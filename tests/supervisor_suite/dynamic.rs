//! Counting the children of a dynamic supervisor, and what becomes of those that are done.

use perennial::{Restart, Supervisor};

use crate::stage::{Stage, Start, Tell, Watched, as_in_otp, seconds};

// OTP: count_children
#[tokio::test(start_paused = true)]
async fn children_are_counted_as_they_come_and_go() {
    let stage = Stage::default();
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    let name = |number: usize| format!("child-{number}");
    for number in 0..500 {
        let child = stage.child(&name(number));
        tree.app.start_child(child).await.expect("up");
    }
    assert_eq!(tree.counts("/app"), [500, 500, 0, 500]);
    assert_eq!(tree.lines("/app").len(), 500);
    for number in 500..1_000 {
        let child = stage.child(&name(number));
        tree.app.start_child(child).await.expect("up");
    }
    assert_eq!(tree.counts("/app"), [1_000, 1_000, 0, 1_000]);
    for number in 0..1_000 {
        stage.tell(&name(number), Tell::Die);
    }
    tree.runs_on().await;
    assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
}

// OTP: count_children_supervisor
#[tokio::test(start_paused = true)]
async fn supervisors_are_counted_as_supervisors() {
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    for number in 0..100 {
        let child = Supervisor::one_for_one(format!("child-{number}"));
        tree.app.start_child(child).await.expect("up");
    }
    assert_eq!(tree.counts("/app"), [100, 100, 100, 0]);
    for number in 0..100 {
        let name = format!("child-{number}");
        tree.app.stop_child(&name).await.expect("up");
    }
    assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
}

// OTP: simple_one_for_one_restart_ignore. A run that has nothing more to do ends well.
#[tokio::test(start_paused = true)]
async fn a_transient_dynamic_child_that_has_ended_well_is_gone() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::dynamic("app").max_children(1), 10);
    let mut tree = Watched::start(tree).await;
    // There is room for one: the second fits in only because the first is gone.
    for _ in 0..2 {
        let child = stage.child("a").restart(Restart::Transient);
        tree.app.start_child(child).await.expect("room");
        for _ in 0..2 {
            stage.tell("a", Tell::Die);
            tree.until("restarted", "/app/a").await;
        }
        assert_eq!(tree.lines("/app"), ["a running 3"]);
        stage.tell("a", Tell::EndWell);
        tree.runs_on().await;
        assert!(tree.lines("/app").is_empty());
    }
    let ended = tree.running.snapshot().root.recently_ended;
    assert_eq!(ended.len(), 2, "they stay visible for a while");
}

// The same by hand, in every state in which a child can be stopped. OTP: child_adm_simple,
// hanging_restart_loop_simple
#[tokio::test(start_paused = true)]
async fn a_dynamic_child_that_was_stopped_is_gone_whatever_it_was_doing() {
    let stage = Stage::default();
    let tree = as_in_otp(Supervisor::dynamic("app").max_children(1), 100);
    let mut tree = Watched::start(tree).await;
    let child = || stage.child("a").restart(Restart::Permanent);

    tree.app.start_child(child()).await.expect("room");
    tree.app.stop_child("a").await.expect("it is up");
    assert!(tree.lines("/app").is_empty());

    let waiting = child().backoff(perennial::Backoff::fixed(seconds(60)));
    tree.app.start_child(waiting).await.expect("room");
    stage.tell("a", Tell::Fail);
    tree.until("backing_off", "/app/a").await;
    tree.app.stop_child("a").await.expect("it waits");
    assert!(tree.lines("/app").is_empty());

    let quarantined = child().limit(0, seconds(60));
    tree.app.start_child(quarantined).await.expect("room");
    stage.tell("a", Tell::Fail);
    tree.until("quarantined", "/app/a").await;
    assert_eq!(tree.lines("/app"), ["a quarantined 1"], "until released");
    tree.app.stop_child("a").await.expect("it is down");
    assert!(tree.lines("/app").is_empty());

    tree.app.start_child(child()).await.expect("room");
    stage.next_starts("a", [Start::Fails]);
    let error = tree.app.restart_child("a").await.expect_err("it fails");
    assert_eq!(error.code(), "failed");
    assert!(tree.lines("/app").is_empty());
    tree.runs_on().await;
}
