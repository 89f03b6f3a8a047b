//! Significant children: whose end is the end of the supervisor.

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::supervisor::status::State;
use perennial::{Exit, Restart, ShutdownReason, Supervisor};

use crate::stage::{Stage, Tell, Watched, as_in_otp};

/// Every mode.
const MODES: [AutoShutdown; 3] = [
    AutoShutdown::Never,
    AutoShutdown::AnySignificant,
    AutoShutdown::AllSignificant,
];

/// Starts `/app` with two significant children, `a` and `b`, and `c`, which is none.
async fn three(stage: &Stage, restart: Restart, mode: AutoShutdown) -> Watched {
    let tree = Supervisor::one_for_one("app").auto_shutdown(mode);
    let tree = Watched::start(as_in_otp(tree, 5)).await;
    for name in ["a", "b", "c"] {
        let child = stage.child(name).restart(restart);
        let child = match name {
            "c" => child,
            _ => child.significant(),
        };
        tree.app.start_child(child).await.expect("up");
    }
    tree
}

/// Claims that the tree has ended by itself, well and in reverse order.
async fn is_completed(tree: Watched, stage: &Stage, stopped: &[&str]) {
    stage.trace();
    let report = tree.running.wait().await;
    assert!(report.is_clean(), "{report}");
    let ended = (report.reason, report.exit);
    assert_eq!(ended, (ShutdownReason::Completed, Exit::Shutdown));
    assert_eq!(stage.trace(), stopped);
}

// OTP: nonsignificant_temporary
#[tokio::test(start_paused = true)]
async fn the_end_of_a_temporary_child_that_is_not_significant_completes_nothing() {
    for mode in MODES {
        let stage = Stage::default();
        let tree = Supervisor::one_for_one("app").auto_shutdown(mode);
        let tree = Watched::start(as_in_otp(tree, 5)).await;
        let child = || stage.child("a").restart(Restart::Temporary);
        tree.app.start_child(child()).await.expect("up");
        tree.app.stop_child("a").await.expect("up");
        tree.runs_on().await;
        for end in [Tell::Die, Tell::Fail, Tell::Panic, Tell::EndWell] {
            tree.app.start_child(child()).await.expect("up");
            stage.tell("a", end);
            tree.runs_on().await;
            assert_eq!(tree.counts("/app"), [0, 0, 0, 0], "{end:?}");
        }
        tree.stops_well().await;
    }
}

// OTP: nonsignificant_transient
#[tokio::test(start_paused = true)]
async fn the_end_of_a_transient_child_that_is_not_significant_completes_nothing() {
    for mode in MODES {
        let stage = Stage::default();
        let tree = Supervisor::one_for_one("app").auto_shutdown(mode);
        let tree = Watched::start(as_in_otp(tree, 5)).await;
        let child = stage.child("a").restart(Restart::Transient);
        tree.app.start_child(child).await.expect("up");
        tree.app.stop_child("a").await.expect("up");
        tree.runs_on().await;
        tree.app.restart_child("a").await.expect("down");
        for end in [Tell::Die, Tell::Fail, Tell::Panic] {
            stage.tell("a", end);
            tree.runs_on().await;
            assert_eq!(tree.counts("/app"), [1, 1, 0, 1], "{end:?}");
        }
        stage.tell("a", Tell::EndWell);
        tree.runs_on().await;
        assert_eq!(tree.lines("/app"), ["a down 5"]);
        tree.stops_well().await;
    }
}

// OTP: significant_temporary
#[tokio::test(start_paused = true)]
async fn any_end_of_a_temporary_significant_child_completes_but_a_stop_by_hand() {
    for end in [Tell::Die, Tell::Fail, Tell::Panic, Tell::EndWell] {
        let stage = Stage::default();
        let tree = three(&stage, Restart::Temporary, AutoShutdown::AnySignificant).await;
        tree.app.stop_child("a").await.expect("up");
        tree.runs_on().await;
        assert_eq!(tree.lines("/app"), ["b running 1", "c running 1"]);
        let child = stage.child("a").restart(Restart::Temporary);
        tree.app.start_child(child.significant()).await.expect("up");
        stage.tell("a", end);
        let stopped: &[_] = match end {
            Tell::EndWell => &["-a", "-c", "-b"],
            _ => &["-c", "-b"],
        };
        is_completed(tree, &stage, stopped).await;
    }
}

// OTP: significant_transient
#[tokio::test(start_paused = true)]
async fn only_the_good_end_of_a_transient_significant_child_completes() {
    let stage = Stage::default();
    let tree = three(&stage, Restart::Transient, AutoShutdown::AnySignificant).await;
    tree.app.stop_child("a").await.expect("up");
    tree.runs_on().await;
    tree.app.restart_child("a").await.expect("down");
    for end in [Tell::Die, Tell::Fail, Tell::Panic] {
        stage.tell("a", end);
        tree.runs_on().await;
    }
    let lines = ["a running 5", "b running 1", "c running 1"];
    assert_eq!(tree.lines("/app"), lines);
    stage.tell("a", Tell::EndWell);
    is_completed(tree, &stage, &["-a", "-c", "-b"]).await;
}

// OTP: significant_temporary, significant_transient
#[tokio::test(start_paused = true)]
async fn all_significant_waits_for_the_last_of_them() {
    for restart in [Restart::Temporary, Restart::Transient] {
        let stage = Stage::default();
        let tree = three(&stage, restart, AutoShutdown::AllSignificant).await;
        stage.tell("a", Tell::EndWell);
        tree.runs_on().await;
        assert_eq!(tree.counts("/app")[1], 2, "b and c are up");
        stage.tell("b", Tell::EndWell);
        is_completed(tree, &stage, &["-b", "-c"]).await;
    }
}

// OTP: what `supervisor` does in `do_auto_shutdown`; its suite does not look.
#[tokio::test(start_paused = true)]
async fn all_significant_does_not_wait_for_one_that_was_stopped_by_hand() {
    for restart in [Restart::Temporary, Restart::Transient] {
        let stage = Stage::default();
        let tree = three(&stage, restart, AutoShutdown::AllSignificant).await;
        tree.app.stop_child("a").await.expect("up");
        tree.runs_on().await;
        stage.tell("b", Tell::EndWell);
        is_completed(tree, &stage, &["-b", "-c"]).await;
    }
}

// OTP: significant_simple
#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_may_complete_by_its_significant_children() {
    for (mode, ends) in [
        (AutoShutdown::AnySignificant, &["a"][..]),
        (AutoShutdown::AllSignificant, &["a", "b"][..]),
    ] {
        let stage = Stage::default();
        let tree = Supervisor::dynamic("app").auto_shutdown(mode);
        let tree = Watched::start(as_in_otp(tree, 5)).await;
        for name in ["a", "b", "c"] {
            let child = stage.child(name);
            let child = match name {
                "c" => child,
                _ => child.significant(),
            };
            tree.app.start_child(child).await.expect("up");
        }
        for name in ends {
            assert_eq!(tree.running.snapshot().root.state, State::Running);
            stage.tell(name, Tell::EndWell);
        }
        let report = tree.running.wait().await;
        assert_eq!(report.reason, ShutdownReason::Completed);
    }
}

// OTP: significant_bystander
#[tokio::test(start_paused = true)]
async fn a_significant_bystander_of_a_restart_completes_nothing() {
    let strategies = [
        (
            Supervisor::one_for_one as fn(&'static str) -> Supervisor,
            ["a running 1", "b running 2", "c running 1"],
        ),
        (
            Supervisor::one_for_all,
            ["a running 2", "b running 2", "c running 2"],
        ),
        (
            Supervisor::rest_for_one,
            ["a running 1", "b running 2", "c running 2"],
        ),
    ];
    for (strategy, lines) in strategies {
        for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
            let stage = Stage::default();
            let tree = as_in_otp(strategy("app"), 5).auto_shutdown(mode);
            let tree = Watched::start(tree).await;
            for name in ["a", "b", "c"] {
                let child = stage.child(name).restart(Restart::Transient);
                let child = match name {
                    "b" => child,
                    _ => child.significant(),
                };
                tree.app.start_child(child).await.expect("up");
            }
            stage.tell("b", Tell::Die);
            tree.runs_on().await;
            assert_eq!(tree.lines("/app"), lines);
            tree.stops_well().await;
        }
    }
}

// A temporary one is removed with its group, and that is no end of its own either.
#[tokio::test(start_paused = true)]
async fn a_temporary_significant_bystander_of_a_group_restart_completes_nothing() {
    for mode in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        let stage = Stage::default();
        let tree = Supervisor::one_for_all("app")
            .auto_shutdown(mode)
            .child(stage.child("a"))
            .child(stage.child("b").restart(Restart::Temporary).significant());
        let tree = Watched::start(as_in_otp(tree, 5)).await;
        stage.tell("a", Tell::Die);
        tree.runs_on().await;
        assert_eq!(tree.lines("/app"), ["a running 2"]);
    }
}

// OTP: significant_escalation
#[tokio::test(start_paused = true)]
async fn an_auto_shutdown_goes_on_upwards_only_where_the_supervisor_is_significant_itself() {
    for is_significant in [true, false] {
        let stage = Stage::default();
        let any = AutoShutdown::AnySignificant;
        let tree = Supervisor::one_for_one("app").auto_shutdown(any);
        let mut tree = Watched::start(as_in_otp(tree, 5)).await;
        let inner = Supervisor::one_for_one("inner")
            .restart(Restart::Transient)
            .auto_shutdown(any);
        let inner = match is_significant {
            true => inner.significant(),
            false => inner,
        };
        let inside = inner.handle();
        tree.app.start_child(inner).await.expect("up");
        let work = stage.child("work").restart(Restart::Transient);
        inside.start_child(work.significant()).await.expect("up");
        stage.tell("work", Tell::EndWell);
        tree.until("exited", "/app/inner").await;
        if is_significant {
            is_completed(tree, &stage, &[]).await;
        } else {
            tree.runs_on().await;
            assert_eq!(tree.lines("/app"), ["inner down 1"]);
            tree.stops_well().await;
        }
    }
}
