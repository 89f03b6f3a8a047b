//! Stops: without end, with a time limit, brutal, and while children end by themselves.

use std::time::Duration;

use perennial::policy::stop::Stop;
use perennial::{BoxError, Child, Context, Exit, Restart, Supervisor};
use tokio::time::Instant;

use crate::stage::{Stage, Tell, Watched, as_in_otp, millis, outcomes, seconds};

/// A task that takes its time once it is asked to stop.
fn slow(name: &str, takes: Duration) -> Child {
    Child::task(name, move |cx: Context| async move {
        cx.shutdown().await;
        tokio::time::sleep(takes).await;
        Ok(())
    })
}

/// A task that ends in its own way when it is asked to stop.
fn stubborn(name: &str, end: Tell) -> Child {
    Child::task(name, move |cx: Context| async move {
        cx.shutdown().await;
        match end {
            Tell::Fail => Err::<(), BoxError>("of its own".into()),
            Tell::Panic => panic!("of its own"),
            _ => Ok(()),
        }
    })
}

// OTP: sup_stop_infinity. A stop by hand waits as long as the child may take; a shutdown has a
// deadline, which nothing outlives.
#[tokio::test(start_paused = true)]
async fn a_child_without_a_time_limit_is_waited_for() {
    let hour = seconds(3_600);
    let inner =
        Supervisor::one_for_one("inner").child(slow("below", hour).stop_timeout(Duration::MAX));
    let tree = Supervisor::one_for_one("app")
        .child(inner)
        .child(slow("leaf", hour).stop_timeout(Duration::MAX));
    let mut tree = Watched::start(as_in_otp(tree, 2)).await;
    for name in ["leaf", "inner"] {
        let began = Instant::now();
        tree.app.stop_child(name).await.expect("it is up");
        assert_eq!(began.elapsed(), hour, "{name}");
        let event = tree.until("stopped", &format!("/app/{name}")).await;
        let said = format!("{:?}", event.kind);
        assert!(said.contains("Stopped, spent"), "{said}");
        tree.app.restart_child(name).await.expect("it is down");
    }
    let report = tree.running.stop(Duration::MAX).await;
    assert_eq!(outcomes(&report.root), ["leaf stopped", "inner stopped"]);
    assert!(report.is_clean(), "{report}");
}

// OTP: sup_stop_timeout
#[tokio::test(start_paused = true)]
async fn a_child_that_sleeps_is_killed_when_its_time_is_over_and_its_sibling_stops() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app")
        .child(stage.child("a").stop_timeout(seconds(1)))
        .child(stage.child("b").stop_timeout(seconds(1)));
    let tree = Watched::start(as_in_otp(tree, 2)).await;
    stage.tell("b", Tell::Sleep);
    let began = Instant::now();
    let report = tree.running.stop(seconds(30)).await;
    assert_eq!(outcomes(&report.root), ["b killed", "a stopped"]);
    assert_eq!(
        (began.elapsed(), report.exit),
        (millis(950), Exit::Shutdown)
    );
    assert_eq!(stage.trace(), ["+a", "+b", "-a"]);
}

// OTP: sup_stop_timeout_dynamic
#[tokio::test(start_paused = true)]
async fn a_dynamic_child_that_sleeps_is_killed_when_its_time_is_over_and_its_sibling_stops() {
    let stage = Stage::default();
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    for name in ["a", "b"] {
        let child = stage.child(name).stop_timeout(seconds(1));
        tree.app.start_child(child).await.expect("up");
    }
    stage.tell("b", Tell::Sleep);
    let began = Instant::now();
    let report = tree.running.stop(seconds(30)).await;
    let mut ended = outcomes(&report.root);
    ended.sort();
    assert_eq!(ended, ["a stopped", "b killed"]);
    assert_eq!(
        (began.elapsed(), report.exit),
        (millis(950), Exit::Shutdown)
    );
}

// OTP: sup_stop_brutal_kill
#[tokio::test(start_paused = true)]
async fn a_brutal_stop_takes_no_time_and_spares_the_sibling() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app")
        .child(stage.child("a").stop_timeout(seconds(1)))
        .child(stage.child("b").stop(Stop::Brutal));
    let tree = Watched::start(as_in_otp(tree, 2)).await;
    let began = Instant::now();
    let report = tree.stops_well().await;
    assert_eq!(outcomes(&report.root), ["b stopped", "a stopped"]);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(stage.trace(), ["+a", "+b", "-a"], "b did not clean up");
}

// OTP: sup_stop_brutal_kill_dynamic
#[tokio::test(start_paused = true)]
async fn brutal_stops_of_dynamic_children_take_no_time() {
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    for _ in 0..10 {
        let child = slow("", seconds(3_600)).stop(Stop::Brutal);
        tree.app.start_child(child).await.expect("up");
    }
    let began = Instant::now();
    let report = tree.stops_well().await;
    assert_eq!(report.root.children.len(), 10);
    assert_eq!(
        (began.elapsed(), report.exit),
        (Duration::ZERO, Exit::Shutdown)
    );
}

// OTP: sup_stop_race
#[tokio::test(start_paused = true)]
async fn children_that_end_by_themselves_during_a_shutdown_are_neither_restarted_nor_counted() {
    let stage = Stage::default();
    let mut tree = Supervisor::one_for_one("app").child(stage.child("first"));
    let mut names = Vec::new();
    for restart in [Restart::Temporary, Restart::Transient, Restart::Permanent] {
        for end in [Tell::EndWell, Tell::Fail, Tell::Panic, Tell::Die] {
            let name = format!("{restart:?}-{end:?}");
            tree = tree.child(stage.child(&name).restart(restart));
            names.push((name, end));
        }
    }
    let tree = tree.child(slow("last", seconds(1)).stop_timeout(seconds(2)));
    let tree = Watched::start(as_in_otp(tree, 2)).await;
    tree.running
        .shutdown(perennial::ShutdownReason::Requested, seconds(30));
    tokio::time::sleep(millis(200)).await;
    for (name, end) in &names {
        stage.tell(name, *end);
    }
    let report = tree.running.wait().await;
    assert_eq!(report.exit, Exit::Shutdown);
    assert!(report.is_clean(), "{report}");
    let ended = outcomes(&report.root);
    assert_eq!(ended.first().map(String::as_str), Some("last stopped"));
    assert_eq!(ended.last().map(String::as_str), Some("first stopped"));
    let between = &ended[1..ended.len() - 1];
    let already_down = between.iter().all(|line| line.ends_with("already_down"));
    assert!(already_down, "{between:?}");
    let starts = stage.trace();
    let started = starts.iter().filter(|line| line.starts_with('+')).count();
    assert_eq!(started, 13, "nothing was started again");
}

// OTP: sup_stop_non_shutdown_exit_dynamic
#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_stops_well_however_its_children_end_when_asked_to() {
    for restart in [Restart::Temporary, Restart::Transient, Restart::Permanent] {
        let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
        for end in [Tell::EndWell, Tell::Fail, Tell::Panic] {
            let child = stubborn(&format!("{end:?}"), end).restart(restart);
            tree.app.start_child(child).await.expect("up");
        }
        let report = tree.running.stop(seconds(30)).await;
        assert_eq!(report.exit, Exit::Shutdown);
        let mut ended = outcomes(&report.root);
        ended.sort();
        let expected = [
            "EndWell stopped",
            "Fail cleanup_failed",
            "Panic cleanup_failed",
        ];
        assert_eq!(ended, expected);
    }
}

// OTP: child_unlink. Nothing ties a child to its supervisor that it could cut; one that does not
// hear is what comes closest.
#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_hear_of_its_stop_holds_up_nobody() {
    let stage = Stage::default();
    let tree = Supervisor::one_for_one("app")
        .child(stage.child("naughty").stop_timeout(seconds(1)))
        .child(stage.child("other"));
    let tree = Watched::start(as_in_otp(tree, 2)).await;
    stage.tell("naughty", Tell::Sleep);
    let stopping = tokio::spawn({
        let app = tree.app.clone();
        async move { app.stop_child("naughty").await }
    });
    tokio::task::yield_now().await;
    let began = Instant::now();
    tree.app.restart_child("other").await.expect("it answers");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(stopping.await.expect("no panic"), Ok(()));
    assert_eq!(began.elapsed(), millis(950));
    assert_eq!(tree.lines("/app"), ["naughty down 1", "other running 2"]);
}
