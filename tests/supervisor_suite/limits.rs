//! The intensity, and declarations that are refused.

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::stop::Stop;
use perennial::{Backoff, Child, Context, Restart, StartError, Supervisor};

use crate::stage::{Stage, Tell, Watched, millis, seconds};

// OTP: multiple_restarts
#[tokio::test(start_paused = true)]
async fn restarts_that_are_far_enough_apart_never_reach_the_limit() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(1, seconds(1))
        .child(stage.child("a").stop(Stop::Brutal));
    let mut tree = Watched::start(tree).await;
    for _ in 0..10 {
        stage.tell("a", Tell::Fail);
        tree.until("restarted", "/app/a").await;
        tokio::time::sleep(millis(1_100)).await;
    }
    assert_eq!(tree.lines("/app"), ["a running 11"]);
    tree.app.stop_child("a").await.expect("up");
    tree.app.delete_child("a").await.expect("down");
    tree.stops_well().await;
}

/// Returns why a tree is not even begun.
async fn refusal(tree: Supervisor) -> String {
    match tree.start().await {
        Err(StartError::Invalid(invalid)) => invalid.to_string(),
        other => panic!("{other:?}"),
    }
}

// OTP: sup_flags. What has a type can't be wrong; what is left is a period that holds nothing.
#[tokio::test(start_paused = true)]
async fn a_limit_within_no_time_is_refused() {
    let stage = Stage::default();
    let nothing = seconds(0);
    let cases = [
        (
            Supervisor::one_for_one("app").intensity(2, nothing),
            "/app: ",
        ),
        (
            Supervisor::one_for_one("app").child(stage.child("a").limit(2, nothing)),
            "/app/a: ",
        ),
        (
            Supervisor::one_for_one("app")
                .child(Supervisor::one_for_one("a").own_limit(2, nothing)),
            "/app/a: ",
        ),
    ];
    for (tree, path) in cases {
        let said = refusal(tree).await;
        assert!(said.contains(path) && said.contains("period"), "{said}");
    }
}

/// Every way to ask for a child, and whether it makes sense under `auto_shutdown`.
fn specifications(auto_shutdown: AutoShutdown) -> Vec<(Child, bool)> {
    let restarts = [Restart::Permanent, Restart::Transient, Restart::Temporary];
    let mut all = Vec::new();
    for restart in restarts {
        for stop in [Stop::Ask, Stop::Brutal] {
            for stop_timeout in [seconds(0), seconds(1), std::time::Duration::MAX] {
                for is_significant in [false, true] {
                    let child = Child::task("a", |cx: Context| async move {
                        cx.shutdown().await;
                        Ok(())
                    });
                    let child = child.restart(restart).stop(stop).stop_timeout(stop_timeout);
                    let makes_sense = !is_significant
                        || restart != Restart::Permanent && auto_shutdown != AutoShutdown::Never;
                    all.push(match is_significant {
                        true => (child.significant(), makes_sense),
                        false => (child, makes_sense),
                    });
                }
            }
        }
    }
    all
}

// OTP: child_specs, child_specs_map
#[tokio::test(start_paused = true)]
async fn a_specification_is_refused_exactly_where_it_makes_no_sense() {
    for auto_shutdown in [
        AutoShutdown::Never,
        AutoShutdown::AnySignificant,
        AutoShutdown::AllSignificant,
    ] {
        let app = || Supervisor::one_for_one("app").auto_shutdown(auto_shutdown);
        for (child, makes_sense) in specifications(auto_shutdown) {
            let said = format!("{auto_shutdown:?}, {child:?}");
            let started = app().child(child).start().await;
            assert_eq!(started.is_ok(), makes_sense, "{said}");
            assert!(matches!(started, Ok(_) | Err(StartError::Invalid(_))));
        }
        let tree = Watched::start(app()).await;
        for (child, makes_sense) in specifications(auto_shutdown) {
            let said = format!("{auto_shutdown:?}, {child:?}");
            match tree.app.start_child(child).await {
                Ok(_) => {
                    assert!(makes_sense, "{said}");
                    tree.app.stop_child("a").await.expect("up");
                    // A temporary one is gone already.
                    drop(tree.app.delete_child("a").await);
                }
                Err(error) => {
                    assert_eq!((error.code(), makes_sense), ("invalid", false), "{said}");
                }
            }
            assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
        }
    }
}

// OTP: child_specs, child_specs_map, sup_start_map_faulty_specs
#[tokio::test(start_paused = true)]
async fn names_that_clash_and_children_of_a_dynamic_supervisor_are_refused() {
    let stage = Stage::default();
    let cases = [
        (
            Supervisor::one_for_one("app")
                .child(stage.child("a"))
                .child(stage.child("a")),
            "/app/a is declared twice",
        ),
        (
            Supervisor::dynamic("app").child(stage.child("a")),
            "/app is dynamic",
        ),
        (
            Supervisor::one_for_one("app").child(stage.child("")),
            "a child of /app can't be called that",
        ),
    ];
    for (tree, expected) in cases {
        let said = refusal(tree).await;
        assert!(said.contains(expected), "{said}");
    }
    assert!(stage.trace().is_empty(), "nothing was started");
}
