//! Starts that work, and starts that fail.

use perennial::policy::stop::Stop;
use perennial::shutdown::report::Outcome;
use perennial::{BoxError, Child, Exit, Restart, StartError, Supervisor};

use crate::stage::{Stage, Start, Watched, as_in_otp, millis, outcomes, seconds};

/// A step that is done at once.
fn done(name: &str) -> Child {
    Child::step(name, |_cx| async { Ok(()) })
}

/// A task that hears nothing.
fn deaf(name: &str) -> Child {
    Child::task(name, |_cx| std::future::pending::<Result<(), BoxError>>())
}

// OTP: sup_start_normal
#[tokio::test(start_paused = true)]
async fn a_supervisor_without_children_starts_and_stops() {
    let tree = Watched::start(as_in_otp(Supervisor::one_for_one("app"), 2)).await;
    assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
    let report = tree.stops_well().await;
    assert_eq!(report.exit, Exit::Shutdown);
}

// OTP: sup_start_ignore_child, sup_start_ignore_temporary_child,
// sup_start_ignore_temporary_child_start_child. A child that has nothing to run is a step here.
#[tokio::test(start_paused = true)]
async fn a_step_that_is_done_is_kept_but_for_a_temporary_one() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app")
        .child(done("kept"))
        .child(done("gone").restart(Restart::Temporary))
        .child(stage.child("up"));
    let tree = Watched::start(as_in_otp(tree, 2)).await;
    assert_eq!(tree.lines("/app"), ["kept down 1", "up running 1"]);
    assert_eq!(tree.counts("/app"), [2, 1, 0, 2]);
    let gone = done("gone-too").restart(Restart::Temporary);
    tree.app.start_child(gone).await.expect("it is done");
    tree.app.start_child(done("last")).await.expect("done");
    tree.runs_on().await;
    let lines = ["kept down 1", "up running 1", "last down 1"];
    assert_eq!(tree.lines("/app"), lines);
    assert_eq!(tree.counts("/app"), [3, 1, 0, 3]);
    tree.stops_well().await;
}

// OTP: sup_start_ignore_temporary_child_start_child_simple,
// sup_start_ignore_permanent_child_start_child_simple
#[tokio::test(start_paused = true)]
async fn a_step_that_is_done_leaves_nothing_behind_in_a_dynamic_supervisor() {
    let stage = Stage::default();
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    for restart in [Restart::Temporary, Restart::Transient] {
        let step = done("step").restart(restart);
        tree.app.start_child(step).await.expect("it is done");
        tree.runs_on().await;
        assert_eq!(tree.counts("/app"), [0, 0, 0, 0], "{restart:?}");
    }
    tree.app.start_child(stage.child("up")).await.expect("up");
    assert_eq!(tree.lines("/app"), ["up running 1"]);
    tree.stops_well().await;
}

// OTP: sup_start_child_returns_error
#[tokio::test(start_paused = true)]
async fn an_added_child_that_does_not_start_is_not_kept() {
    let stage = Stage::default();
    for tree in [
        Supervisor::one_for_one("app"),
        Supervisor::one_for_all("app"),
    ] {
        let tree = Watched::start(as_in_otp(tree, 2)).await;
        for (start, said) in [
            (Start::Fails, "/app/a did not start: failed: no start"),
            (Start::Panics, "/app/a did not start: panicked: no start"),
        ] {
            stage.next_starts("a", [start]);
            let error = tree.app.start_child(stage.child("a")).await;
            let error = error.expect_err("it fails").to_string();
            assert!(error.starts_with(said), "{error}");
            assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
        }
        tree.runs_on().await;
    }
}

// OTP: sup_start_child_returns_error_simple
#[tokio::test(start_paused = true)]
async fn an_added_child_that_does_not_start_is_not_kept_by_a_dynamic_supervisor() {
    let stage = Stage::default();
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        stage.next_starts("a", [Start::Fails]);
        let error = tree
            .app
            .start_child(stage.child("a").restart(restart))
            .await;
        assert_eq!(error.expect_err("it fails").code(), "failed");
        assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
    }
    tree.runs_on().await;
}

// OTP: sup_start_restart_child_returns_error
#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_start_again_by_hand_is_kept_and_down() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app").child(stage.child("a"));
    let tree = Watched::start(as_in_otp(tree, 2)).await;
    tree.app.stop_child("a").await.expect("it is up");
    stage.next_starts("a", [Start::Fails]);
    let error = tree.app.restart_child("a").await.expect_err("it fails");
    assert_eq!(error.to_string(), "/app/a did not start: failed: no start");
    tree.runs_on().await;
    assert_eq!(tree.lines("/app"), ["a down 2"], "nobody tries again");
    tree.app.restart_child("a").await.expect("it works");
    assert_eq!(tree.lines("/app"), ["a running 3"]);
}

// OTP: sup_start_fail, faulty_application_shutdown. The first start names path and cause; what was
// up stops in reverse. (tests/tree.rs claims the same of a step further down.)
#[tokio::test(start_paused = true)]
async fn a_declared_child_that_panics_at_its_first_start_fails_the_tree_with_its_cause() {
    let stage = Stage::default();
    stage.all_starts("faulty", Start::Panics);
    let inner = Supervisor::one_for_all("inner")
        .child(stage.child("b"))
        .child(stage.child("faulty"))
        .child(stage.child("never"));
    let tree = Supervisor::one_for_one("app")
        .child(stage.child("a"))
        .child(inner);
    let error = as_in_otp(tree, 2).start().await.expect_err("it panics");
    let StartError::Failed { path, exit } = error else {
        panic!("{error}")
    };
    assert_eq!(
        (path.as_str(), exit.code()),
        ("/app/inner/faulty", "panicked")
    );
    assert_eq!(stage.trace(), ["+a", "+b", "-b", "-a"]);
}

// OTP: sup_start_map, sup_start_map_simple. A specification can't be read back; its defaults can be
// seen.
#[tokio::test(start_paused = true)]
async fn defaults_are_those_of_otp() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app")
        .child(Supervisor::one_for_one("inner").child(deaf("below").stop_timeout(seconds(20))))
        .child(deaf("brutal").stop(Stop::Brutal))
        .child(deaf("a"));
    let tree = Watched::start(tree).await;
    let children = tree.running.which_children("/app").expect("the root");
    assert!(
        children
            .iter()
            .all(|child| child.restart == Restart::Permanent)
    );
    let report = tree.running.stop(seconds(60)).await;
    assert_eq!(
        outcomes(&report.root),
        ["a killed", "brutal stopped", "inner stopped"]
    );
    let spent: Vec<_> = report.root.children.iter().map(|line| line.spent).collect();
    // Five seconds, no time at all, and as long as the children need; less the grace of a kill.
    assert_eq!(spent[..2], [millis(4_950), millis(0)]);
    let below = &report.root.children[2].children[0];
    assert_eq!(
        (&below.outcome, below.spent),
        (&Outcome::Killed, millis(19_950))
    );

    let tree = Watched::start(Supervisor::dynamic("app")).await;
    tree.app.start_child(stage.child("")).await.expect("up");
    let children = tree.running.which_children("/app").expect("the root");
    assert_eq!(children[0].restart, Restart::Temporary);
}
