//! Adding, stopping, restarting, deleting and listing children by hand.

use perennial::Supervisor;
use perennial::command::StartChildError;

use crate::stage::{Stage, Tell, Watched, as_in_otp};

async fn code(
    answer: impl Future<Output = Result<(), perennial::command::CommandError>>,
) -> &'static str {
    answer.await.map_or_else(|error| error.code(), |()| "ok")
}

// OTP: child_adm, extra_return. Here `restart_child` of a child that runs restarts it.
#[tokio::test(start_paused = true)]
async fn a_child_is_stopped_restarted_deleted_and_added_again_by_hand() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app").child(stage.child("a"));
    let tree = Watched::start(as_in_otp(tree, 2)).await;
    let app = &tree.app;
    assert_eq!(tree.counts("/app"), [1, 1, 0, 1]);
    assert_eq!(code(app.stop_child("other")).await, "not_found");
    assert_eq!(code(app.delete_child("other")).await, "not_found");
    assert_eq!(code(app.restart_child("other")).await, "not_found");
    assert_eq!(code(app.delete_child("a")).await, "running");
    assert_eq!(already_present(&tree, &stage).await, Some(true));
    assert_eq!(tree.lines("/app"), ["a running 1"]);

    assert_eq!(code(app.stop_child("a")).await, "ok");
    assert_eq!(tree.lines("/app"), ["a down 1"]);
    assert_eq!(tree.counts("/app"), [1, 0, 0, 1]);
    assert_eq!(code(app.stop_child("a")).await, "ok", "it is down already");
    assert_eq!(already_present(&tree, &stage).await, Some(false));

    assert_eq!(code(app.restart_child("a")).await, "ok");
    assert_eq!(tree.lines("/app"), ["a running 2"]);
    assert_eq!(tree.counts("/app"), [1, 1, 0, 1]);
    assert_eq!(code(app.restart_child("a")).await, "ok", "it runs");
    assert_eq!(tree.lines("/app"), ["a running 3"]);

    assert_eq!(code(app.stop_child("a")).await, "ok");
    assert_eq!(code(app.delete_child("a")).await, "ok");
    assert_eq!(code(app.restart_child("a")).await, "not_found");
    assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
    assert_eq!(
        already_present(&tree, &stage).await,
        None,
        "the name is free"
    );
    assert_eq!(tree.counts("/app"), [1, 1, 0, 1]);
    tree.runs_on().await;
}

/// Adds a child called `a`; returns whether one that is there already is alive.
async fn already_present(tree: &Watched, stage: &Stage) -> Option<bool> {
    match tree.app.start_child(stage.child("a")).await {
        Ok(_) => None,
        Err(StartChildError::AlreadyPresent { is_alive, .. }) => Some(is_alive),
        Err(error) => panic!("{error}"),
    }
}

// OTP: extra_return. What is added and deleted by hand is supervised like any other.
#[tokio::test(start_paused = true)]
async fn a_child_that_was_added_again_is_restarted_when_it_fails() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app").child(stage.child("a"));
    let mut tree = Watched::start(as_in_otp(tree, 2)).await;
    tree.app.stop_child("a").await.expect("up");
    tree.app.delete_child("a").await.expect("down");
    tree.app.start_child(stage.child("a")).await.expect("free");
    stage.tell("a", Tell::Fail);
    tree.until("restarted", "/app/a").await;
    assert_eq!(tree.counts("/app"), [1, 1, 0, 1]);
}

// OTP: child_adm_simple. Children of a dynamic supervisor have names here, so that every command
// works on them; what was stopped is gone.
#[tokio::test(start_paused = true)]
async fn a_dynamic_child_is_added_restarted_and_stopped_by_its_name() {
    let stage = Stage::default();
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    let app = &tree.app;
    assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
    for name in ["a", "b"] {
        let child = stage.child(name).restart(perennial::Restart::Permanent);
        app.start_child(child).await.expect("up");
    }
    assert_eq!(tree.counts("/app"), [2, 2, 0, 2]);
    assert_eq!(code(app.stop_child("other")).await, "not_found");
    assert_eq!(tree.counts("/app"), [2, 2, 0, 2]);
    assert_eq!(code(app.restart_child("a")).await, "ok");
    assert_eq!(tree.lines("/app"), ["a running 2", "b running 1"]);
    assert_eq!(code(app.delete_child("a")).await, "running");
    assert_eq!(code(app.stop_child("a")).await, "ok");
    assert_eq!(tree.lines("/app"), ["b running 1"]);
    assert_eq!(code(app.stop_child("a")).await, "not_found");
    assert_eq!(code(app.restart_child("a")).await, "not_found");
    assert_eq!(code(app.delete_child("a")).await, "not_found");
    assert_eq!(tree.counts("/app"), [1, 1, 0, 1]);
}

// OTP: which_children
#[tokio::test(start_paused = true)]
async fn the_list_of_children_follows_every_command() {
    let stage = Stage::default();
    let tree = Watched::start(as_in_otp(Supervisor::one_for_one("app"), 2)).await;
    assert!(tree.lines("/app").is_empty());
    tree.app.start_child(stage.child("a")).await.expect("up");
    assert_eq!(tree.lines("/app"), ["a running 1"]);
    tree.app.start_child(stage.child("b")).await.expect("up");
    assert_eq!(tree.lines("/app"), ["a running 1", "b running 1"]);
    tree.app.stop_child("a").await.expect("up");
    assert_eq!(tree.lines("/app"), ["a down 1", "b running 1"]);
    tree.app.delete_child("a").await.expect("down");
    assert_eq!(tree.lines("/app"), ["b running 1"]);
    assert!(tree.running.which_children("/app/a").is_none());
}

// OTP: which_children_simple_one_for_one
#[tokio::test(start_paused = true)]
async fn the_list_of_dynamic_children_follows_every_command() {
    let stage = Stage::default();
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    assert!(tree.lines("/app").is_empty());
    for _ in 0..2 {
        tree.app.start_child(stage.child("")).await.expect("up");
    }
    assert_eq!(tree.lines("/app"), ["0 running 1", "1 running 1"]);
    tree.app.stop_child("0").await.expect("up");
    assert_eq!(tree.lines("/app"), ["1 running 1"]);
    assert!(tree.running.which_children("/app/0").is_none());
}
