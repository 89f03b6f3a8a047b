//! Supervisors below supervisors.

use perennial::{Handle, Restart, Supervisor};

use crate::stage::{Stage, Start, Tell, Watched, as_in_otp};

// OTP: tree
#[tokio::test(start_paused = true)]
async fn a_supervisor_that_gives_up_is_restarted_with_its_siblings_but_without_what_was_added() {
    let stage = Stage::default();
    let one_for_one = |name: &str| as_in_otp(Supervisor::one_for_one(name), 4);
    let mut tree = Watched::start(as_in_otp(Supervisor::one_for_all("app"), 4)).await;
    let first = one_for_one("first")
        .child(stage.child("a"))
        .child(stage.child("b"));
    tree.app.start_child(first).await.expect("up");
    let second = one_for_one("second");
    let inside = second.handle();
    tree.app.start_child(second).await.expect("up");
    let third = one_for_one("third").restart(Restart::Transient);
    tree.app.start_child(third).await.expect("up");
    tree.app.stop_child("third").await.expect("up");
    assert_eq!(tree.counts("/app"), [3, 2, 3, 0]);
    assert_eq!(tree.counts("/app/first"), [2, 2, 0, 2]);
    assert_eq!(tree.counts("/app/second"), [0, 0, 0, 0]);

    for name in ["c", "d"] {
        inside.start_child(stage.child(name)).await.expect("up");
    }
    assert_eq!(tree.counts("/app/second"), [2, 2, 0, 2]);
    // Only the child that failed is restarted.
    stage.tell("d", Tell::Fail);
    tree.until("restarted", "/app/second/d").await;
    assert_eq!(tree.lines("/app/first"), ["a running 1", "b running 1"]);
    assert_eq!(tree.lines("/app/second"), ["c running 1", "d running 2"]);

    // One that never starts again takes its supervisor down, and that all the others.
    stage.all_starts("c", Start::Fails);
    stage.tell("c", Tell::Fail);
    tree.until("meltdown", "/app/second").await;
    tree.runs_on().await;
    let lines = ["first running 2", "second running 2", "third running 2"];
    assert_eq!(tree.lines("/app"), lines);
    assert_eq!(tree.counts("/app"), [3, 3, 3, 0]);
    assert_eq!(tree.lines("/app/first"), ["a running 2", "b running 2"]);
    for path in ["/app/second", "/app/third"] {
        assert_eq!(tree.counts(path), [0, 0, 0, 0]);
    }
    tree.stops_well().await;
}

/// As the suite nests it: a worker below two supervisors that restart everything they have.
async fn two_levels(stage: &Stage) -> (Watched, Handle<Tell>) {
    let worker = stage.child("worker");
    let handle = worker.handle();
    let middle = as_in_otp(Supervisor::one_for_all("middle"), 3).child(worker);
    let tree = as_in_otp(Supervisor::one_for_all("app"), 3).child(middle);
    (Watched::start(tree).await, handle)
}

// OTP: simple_global_supervisor. A handle is what a global name is there: it leads to whoever runs
// now.
#[tokio::test(start_paused = true)]
async fn a_handle_leads_to_the_new_worker_however_the_old_one_ended() {
    for end in [Tell::Die, Tell::EndWell, Tell::Fail] {
        let stage = Stage::default();
        let (mut tree, handle) = two_levels(&stage).await;
        handle.cast(end).expect("it is up");
        tree.until("restarted", "/app/middle/worker").await;
        handle.ready().await.expect("it is up again");
        assert_eq!(tree.lines("/app"), ["middle running 1"]);
        assert_eq!(tree.lines("/app/middle"), ["worker running 2"]);
        tree.stops_well().await;
        assert_eq!(handle.cast(end).expect_err("it is over").code(), "gone");
    }
    let stage = Stage::default();
    let (tree, handle) = two_levels(&stage).await;
    let worker = "/app/middle/worker";
    tree.running.stop_child(worker).await.expect("up");
    tree.running.restart_child(worker).await.expect("down");
    handle.ready().await.expect("it is up again");
    assert_eq!(tree.lines("/app/middle"), ["worker running 2"]);
}

// OTP: simple_global_supervisor. Nobody can kill a supervisor here; it can give up.
#[tokio::test(start_paused = true)]
async fn a_handle_leads_to_the_new_worker_when_its_supervisor_was_restarted() {
    let stage = Stage::default();
    let (mut tree, handle) = two_levels(&stage).await;
    for _ in 0..3 {
        handle.cast(Tell::Die).expect("it is up");
        tree.until("restarted", "/app/middle/worker").await;
    }
    handle.cast(Tell::Die).expect("it is up");
    tree.until("meltdown", "/app/middle").await;
    tree.until("restarted", "/app/middle").await;
    handle.ready().await.expect("it is up again");
    assert_eq!(tree.lines("/app"), ["middle running 2"]);
    assert_eq!(tree.lines("/app/middle"), ["worker running 5"]);
}
