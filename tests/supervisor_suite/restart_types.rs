//! Permanent, transient and temporary children, and every way to end.

use std::sync::Arc;

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::{Child, Restart, Supervisor};

use crate::stage::{Stage, Tell, Watched, as_in_otp};

/// Starts `/app` and adds one child of each type; `make` makes it.
async fn one_of_each<N: Into<perennial::supervisor::Node>>(
    make: impl Fn(&str, Restart) -> N,
) -> Watched {
    let tree = Watched::start(as_in_otp(Supervisor::one_for_one("app"), 4)).await;
    for (name, restart) in [
        ("permanent", Restart::Permanent),
        ("transient", Restart::Transient),
        ("temporary", Restart::Temporary),
    ] {
        let added = tree.app.start_child(make(name, restart)).await;
        added.expect("it starts");
    }
    tree
}

// OTP: permanent_normal, transient_normal, temporary_normal
#[tokio::test(start_paused = true)]
async fn after_a_good_end_only_the_permanent_child_comes_back() {
    let stage = Stage::default();
    let tree = one_of_each(|name, restart| stage.child(name).restart(restart)).await;
    for name in ["permanent", "transient", "temporary"] {
        stage.tell(name, Tell::EndWell);
    }
    tree.runs_on().await;
    assert_eq!(
        tree.lines("/app"),
        ["permanent running 2", "transient down 1"]
    );
    assert_eq!(tree.counts("/app"), [2, 1, 0, 2]);
}

// OTP: permanent_shutdown, transient_shutdown, temporary_shutdown. Only a supervisor can end with
// `Shutdown` without having been asked to: by its auto-shutdown.
#[tokio::test(start_paused = true)]
async fn after_a_shutdown_of_its_own_only_the_permanent_supervisor_comes_back() {
    let stage = Stage::default();
    let names = ["permanent", "transient", "temporary"];
    let tree = one_of_each(|name, restart| {
        let work = stage.child(&format!("work-of-{name}"));
        Supervisor::one_for_one(name)
            .restart(restart)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(work.restart(Restart::Temporary).significant())
    })
    .await;
    for name in names {
        stage.tell(&format!("work-of-{name}"), Tell::EndWell);
    }
    tree.runs_on().await;
    assert_eq!(
        tree.lines("/app"),
        ["permanent running 2", "transient down 1"]
    );
    assert_eq!(tree.counts("/app"), [2, 1, 2, 0]);
    // The one that is down is started by hand, and ends so again.
    tree.app.restart_child("transient").await.expect("down");
    stage.tell("work-of-transient", Tell::EndWell);
    tree.runs_on().await;
    assert_eq!(
        tree.lines("/app"),
        ["permanent running 2", "transient down 2"]
    );
}

// OTP: permanent_abnormal, transient_abnormal, temporary_abnormal
#[tokio::test(start_paused = true)]
async fn after_a_bad_end_all_but_the_temporary_child_come_back() {
    for end in Tell::ABNORMAL {
        let stage = Stage::default();
        let tree = one_of_each(|name, restart| stage.child(name).restart(restart)).await;
        for name in ["permanent", "transient", "temporary"] {
            stage.tell(name, end);
        }
        tree.runs_on().await;
        let lines = ["permanent running 2", "transient running 2"];
        assert_eq!(tree.lines("/app"), lines, "{end:?}");
        assert_eq!(tree.counts("/app"), [2, 2, 0, 2]);
    }
}

// OTP: temporary_bystander
#[tokio::test(start_paused = true)]
async fn a_temporary_bystander_of_a_group_restart_is_gone() {
    for tree in [
        Supervisor::one_for_all("app"),
        Supervisor::rest_for_one("app"),
    ] {
        let stage = Stage::default();
        let tree = Watched::start(as_in_otp(tree, 2)).await;
        tree.app.start_child(stage.child("a")).await.expect("up");
        let bystander = stage.child("b").restart(Restart::Temporary);
        tree.app.start_child(bystander).await.expect("up");
        stage.tell("a", Tell::EndWell);
        tree.runs_on().await;
        assert_eq!(tree.lines("/app"), ["a running 2"]);
        assert_eq!(stage.trace(), ["+a", "+b", "-a", "-b", "+a"]);
    }
}

/// How a child comes to be down.
#[derive(Debug, Clone, Copy)]
enum Ending {
    ByItself(Tell),
    ByHand,
}

// OTP: do_not_save_child_specs_for_temporary_children
#[tokio::test(start_paused = true)]
async fn only_the_name_of_a_temporary_child_is_free_again_when_it_has_ended() {
    let endings = [
        Ending::ByItself(Tell::Die),
        Ending::ByItself(Tell::EndWell),
        Ending::ByItself(Tell::Fail),
        Ending::ByHand,
    ];
    let strategies = [
        Supervisor::one_for_one,
        Supervisor::one_for_all,
        Supervisor::rest_for_one,
    ];
    for strategy in strategies {
        for ending in endings {
            for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
                let tree = as_in_otp(strategy("app"), 2);
                let (answer, lines) = add_end_and_add_again(tree, restart, ending).await;
                let (expected, left) = match (restart, ending) {
                    (Restart::Temporary, _) => ("ok", "a running 1"),
                    (_, Ending::ByHand) => ("down", "a down 1"),
                    (Restart::Transient, Ending::ByItself(Tell::EndWell)) => ("down", "a down 1"),
                    _ => ("alive", "a running 2"),
                };
                assert_eq!(
                    (answer, lines.as_slice()),
                    (expected, &[left.to_owned()][..])
                );
            }
        }
    }
}

/// Adds a child, lets it end, and adds it again; returns how that was answered.
async fn add_end_and_add_again(
    tree: Supervisor,
    restart: Restart,
    ending: Ending,
) -> (&'static str, Vec<String>) {
    use perennial::command::StartChildError;

    let stage = Stage::default();
    let tree = Watched::start(tree).await;
    let first = stage.child("a").restart(restart);
    tree.app.start_child(first).await.expect("up");
    match ending {
        Ending::ByItself(end) => stage.tell("a", end),
        Ending::ByHand => tree.app.stop_child("a").await.expect("up"),
    }
    tree.runs_on().await;
    let again = stage.child("a").restart(restart);
    let answer = match tree.app.start_child(again).await {
        Ok(_) => "ok",
        Err(StartChildError::AlreadyPresent { is_alive: true, .. }) => "alive",
        Err(StartChildError::AlreadyPresent { .. }) => "down",
        Err(error) => panic!("{error}"),
    };
    (answer, tree.lines("/app"))
}

// OTP: do_not_save_start_parameters_for_temporary_children, simple_one_for_one_corruption. What a
// declaration holds lives as long as a run can follow, and no longer.
#[tokio::test(start_paused = true)]
async fn what_the_declaration_of_a_temporary_child_holds_is_dropped_when_it_has_ended() {
    let trees = [
        Supervisor::one_for_one("app"),
        Supervisor::one_for_all("app"),
        Supervisor::rest_for_one("app"),
        Supervisor::dynamic("app"),
    ];
    for tree in trees {
        let tree = Watched::start(as_in_otp(tree, 4)).await;
        // Twice: OTP once kept them from the second child on.
        for _ in 0..2 {
            let large: Arc<[u8]> = Arc::from([0; 50_000]);
            let held = Arc::downgrade(&large);
            let child = Child::task("a", move |_cx| {
                let length = large.len();
                async move {
                    tokio::task::yield_now().await;
                    match length {
                        50_000 => Err("done with it".into()),
                        _ => Ok(()),
                    }
                }
            });
            let child = child.restart(Restart::Temporary);
            tree.app.start_child(child).await.expect("up");
            tree.runs_on().await;
            assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
            assert!(held.upgrade().is_none(), "it is held still");
        }
    }
}
