//! Restarts that fail over and over: the supervisor answers, and can be ended.

use std::time::Duration;

use perennial::command::StartChildError;
use perennial::policy::stop::Stop;
use perennial::{Backoff, Child, Restart, Supervisor};
use tokio::time::Instant;

use crate::stage::{Stage, Start, Tell, Watched, millis, outcomes, seconds};

/// How long each failing start takes: at most five fit into the period below, so that the limit is
/// never reached.
const START: Start = Start::FailsAfter(Duration::from_secs(2));

/// As the suite declares it: 8 restarts in 10 s.
fn looping(supervisor: Supervisor) -> Supervisor {
    supervisor
        .backoff(Backoff::none())
        .intensity(8, seconds(10))
}

/// Lets a child loop from now on, and looks when it has done so for a while.
async fn begin_loop(stage: &Stage, name: &str) {
    stage.all_starts(name, START);
    stage.tell(name, Tell::Fail);
    tokio::time::sleep(seconds(25)).await;
}

async fn already_present(tree: &Watched, child: Child<Tell>) -> bool {
    match tree.app.start_child(child).await {
        Err(StartChildError::AlreadyPresent { is_alive, .. }) => is_alive,
        answer => panic!("{answer:?}"),
    }
}

// OTP: hanging_restart_loop
#[tokio::test(start_paused = true)]
async fn a_child_that_loops_can_be_stopped_and_so_can_its_supervisor() {
    let stage = Stage::default();
    let tree = Watched::start(looping(Supervisor::one_for_one("app"))).await;
    let child = || stage.child("a").stop(Stop::Brutal);
    tree.app.start_child(child()).await.expect("up");
    begin_loop(&stage, "a").await;
    let began = Instant::now();
    assert_eq!(tree.lines("/app"), ["a starting 14"]);
    assert!(already_present(&tree, child()).await, "it is starting");
    for asked in [
        tree.app.restart_child("a").await,
        tree.app.delete_child("a").await,
    ] {
        assert_eq!(asked.expect_err("it loops").code(), "in_progress");
    }
    tree.app.stop_child("a").await.expect("it loops");
    assert_eq!(tree.lines("/app"), ["a down 14"]);
    assert_eq!(began.elapsed(), Duration::ZERO, "all was answered at once");
}

// OTP: hanging_restart_loop. The same between two attempts.
#[tokio::test(start_paused = true)]
async fn a_child_that_waits_for_its_next_attempt_can_be_stopped_and_started() {
    let stage = Stage::default();
    let a = stage.child("a").backoff(Backoff::fixed(seconds(2)));
    let tree = Watched::start(looping(Supervisor::one_for_one("app")).child(a)).await;
    stage.all_starts("a", Start::Fails);
    stage.tell("a", Tell::Fail);
    tokio::time::sleep(seconds(25)).await;
    assert_eq!(tree.lines("/app"), ["a backing_off 13"]);
    assert_eq!(tree.counts("/app"), [1, 0, 0, 1]);
    let other = Stage::default();
    assert!(
        !already_present(&tree, other.child("a")).await,
        "it is down"
    );
    let asked = tree.app.delete_child("a").await;
    assert_eq!(asked.expect_err("it loops").code(), "in_progress");
    tree.app.stop_child("a").await.expect("it waits");
    assert_eq!(tree.lines("/app"), ["a down 13"]);
    stage.all_starts("a", Start::Works);
    tree.app.restart_child("a").await.expect("it works again");
    assert_eq!(tree.lines("/app"), ["a running 14"]);
    begin_loop(&stage, "a").await;
    let began = Instant::now();
    tree.stops_well().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

// OTP: hanging_restart_loop_rest_for_one. A group restart is one thing here: whoever takes part in
// it is left alone until it is over, and only the supervisor can end it.
#[tokio::test(start_paused = true)]
async fn a_group_that_loops_answers_and_its_supervisor_can_be_stopped() {
    let stage = Stage::default();
    let tree = Supervisor::rest_for_one("app")
        .child(stage.child("a"))
        .child(stage.child("b"))
        .child(stage.child("c"));
    let tree = Watched::start(looping(tree)).await;
    begin_loop(&stage, "b").await;
    let began = Instant::now();
    let lines = ["a running 1", "b starting 14", "c down 1"];
    assert_eq!(tree.lines("/app"), lines);
    for name in ["b", "c"] {
        for asked in [
            tree.app.stop_child(name).await,
            tree.app.restart_child(name).await,
            tree.app.delete_child(name).await,
        ] {
            assert_eq!(asked.expect_err("it loops").code(), "in_progress", "{name}");
        }
    }
    let added = tree.app.start_child(Stage::default().child("d")).await;
    assert_eq!(added, Err(StartChildError::InProgress));
    tree.app.restart_child("a").await.expect("not of the group");
    assert_eq!(tree.lines("/app")[0], "a running 2");
    // A start that is under way is killed.
    let report = tree.running.stop(seconds(30)).await;
    let ended = outcomes(&report.root);
    assert_eq!(ended, ["c already_down", "b killed", "a stopped"]);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

// OTP: hanging_restart_loop_simple
#[tokio::test(start_paused = true)]
async fn a_dynamic_child_that_loops_can_be_stopped_and_so_can_its_supervisor() {
    let stage = Stage::default();
    let tree = Watched::start(looping(Supervisor::dynamic("app"))).await;
    let child = || stage.child("a").restart(Restart::Permanent);
    tree.app.start_child(child()).await.expect("up");
    begin_loop(&stage, "a").await;
    let began = Instant::now();
    assert_eq!(tree.lines("/app"), ["a starting 14"]);
    let asked = tree.app.delete_child("a").await;
    assert_eq!(asked.expect_err("it loops").code(), "in_progress");
    tree.app.stop_child("a").await.expect("it loops");
    assert!(tree.lines("/app").is_empty());
    stage.all_starts("a", Start::Works);
    tree.app
        .start_child(child())
        .await
        .expect("the name is free");
    assert_eq!(began.elapsed(), Duration::ZERO);
    begin_loop(&stage, "a").await;
    let began = Instant::now();
    let report = tree.running.stop(seconds(30)).await;
    assert_eq!(outcomes(&report.root), ["a killed"]);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

// OTP: count_restarting_children
#[tokio::test(start_paused = true)]
async fn children_are_counted_while_they_restart() {
    let stage = Stage::default();
    let names = ["a", "b", "c"];
    let tree = Supervisor::dynamic("app")
        .backoff(Backoff::fixed(seconds(2)))
        .intensity(20, seconds(10));
    let tree = Watched::start(tree).await;
    for (index, name) in names.into_iter().enumerate() {
        assert_eq!(tree.counts("/app"), [index, index, 0, index]);
        let child = stage.child(name).restart(Restart::Permanent);
        tree.app.start_child(child).await.expect("up");
    }
    for name in names {
        stage.tell(name, Tell::Fail);
    }
    tokio::time::sleep(millis(400)).await;
    assert_eq!(tree.counts("/app"), [3, 0, 0, 3], "all wait");
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(tree.counts("/app"), [3, 3, 0, 3]);
    for name in ["a", "b"] {
        stage.all_starts(name, Start::Fails);
        stage.tell(name, Tell::Fail);
    }
    for _ in 0..5 {
        tokio::time::sleep(millis(1_500)).await;
        assert_eq!(tree.counts("/app"), [3, 1, 0, 3], "two never start");
    }
    for name in ["a", "b"] {
        stage.all_starts(name, Start::Works);
    }
    tokio::time::sleep(seconds(4)).await;
    assert_eq!(tree.counts("/app"), [3, 3, 0, 3]);
    for (index, name) in names.into_iter().enumerate() {
        tree.app.stop_child(name).await.expect("up");
        let left = 2 - index;
        assert_eq!(tree.counts("/app"), [left, left, 0, left]);
    }
}
