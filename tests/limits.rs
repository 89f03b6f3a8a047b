//! Claims on limits: quarantine, throttle, attempts, meltdown and auto-shutdown, end to end.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::time::Duration;

use perennial::exit::Exit;
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit::OnLimit;
use perennial::supervisor::status::State;
use perennial::testkit::Recorder;
use perennial::{
    Backoff, BoxError, Child, Context, EventKind, Handle, Inbox, Restart, Running, ShutdownReason,
    SubsystemEvent, Supervisor,
};
use tokio::time::Instant;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A task that runs until it is asked to stop.
fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

/// What a worker is told to end with.
#[derive(Clone, Copy)]
enum End {
    Well,
    Badly,
}

fn worker(name: &str) -> Child<End> {
    Child::worker(name, |_cx, mut inbox: Inbox<End>| async move {
        match inbox.recv().await {
            None | Some(End::Well) => Ok(()),
            Some(End::Badly) => Err("told to".into()),
        }
    })
}

/// A task that fails a millisecond after each start.
fn crashing(name: &str) -> Child {
    Child::task(name, |_cx| async {
        tokio::time::sleep(millis(1)).await;
        Err::<(), BoxError>("again".into())
    })
}

fn end(handle: &Handle<End>, end: End) {
    handle.cast(end).expect("it is up");
}

async fn start(tree: Supervisor) -> Running {
    tree.start().await.expect("it starts")
}

async fn until(events: &mut Recorder, code: &str, path: &str) -> SubsystemEvent {
    let event = events.wait_for_event(path, code).await;
    event.expect("it comes")
}

fn state(running: &Running, name: &str) -> State {
    let children = running.which_children("/app").expect("the root");
    let child = children.iter().find(|child| child.path.name() == name);
    child.expect("it is there").state
}

#[tokio::test(start_paused = true)]
async fn a_child_over_its_own_limit_is_quarantined_and_released_by_hand() {
    let child = worker("a").limit(1, seconds(60));
    let handle = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child).child(idle("b"))).await;
    let mut events = Recorder::new(&running);
    end(&handle, End::Badly);
    until(&mut events, "restarted", "/app/a").await;
    end(&handle, End::Badly);
    until(&mut events, "quarantined", "/app/a").await;
    assert_eq!(
        (state(&running, "a"), state(&running, "b")),
        (State::Quarantined, State::Running)
    );
    let count = running.count_children("/app").expect("the root");
    assert_eq!((count.specifications, count.active), (2, 1));
    assert_eq!(
        handle.cast(End::Well).expect_err("it is down").code(),
        "down"
    );
    tokio::time::sleep(seconds(3_600)).await;
    assert_eq!(
        state(&running, "a"),
        State::Quarantined,
        "time alone does not help"
    );

    running.release("/app/a").await.expect("it is quarantined");
    assert_eq!(state(&running, "a"), State::Running);
    let error = running
        .release("/app/a")
        .await
        .expect_err("released already");
    assert_eq!(error.to_string(), "/app/a is not quarantined");
    until(&mut events, "started", "/app/a").await;
    // Its window is empty: one restart is allowed again, at once.
    end(&handle, End::Badly);
    until(&mut events, "restarted", "/app/a").await;
    end(&handle, End::Badly);
    until(&mut events, "quarantined", "/app/a").await;
    running.restart_child("/app/a").await.expect("releases too");
    assert_eq!(state(&running, "a"), State::Running);
}

#[tokio::test(start_paused = true)]
async fn a_quarantined_child_that_is_stopped_by_hand_is_down() {
    let child = worker("a").limit(0, seconds(60));
    let handle = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = Recorder::new(&running);
    end(&handle, End::Badly);
    until(&mut events, "quarantined", "/app/a").await;
    running.stop_child("/app/a").await.expect("a stop");
    assert_eq!(state(&running, "a"), State::Down);
    let error = running.release("/app/a").await.expect_err("down");
    assert_eq!(error.code(), "not_quarantined");
}

#[tokio::test(start_paused = true)]
async fn a_release_whose_start_fails_leaves_the_child_down() {
    let child = Child::task("a", |cx: Context| async move {
        if cx.incarnation() > 1 {
            return Err("no".into());
        }
        tokio::time::sleep(seconds(1)).await;
        Err::<(), BoxError>("once".into())
    });
    let running = start(Supervisor::one_for_one("app").child(child.limit(0, seconds(60)))).await;
    let mut events = Recorder::new(&running);
    until(&mut events, "quarantined", "/app/a").await;
    let error = running.release("/app/a").await.expect_err("it fails");
    assert_eq!(error.to_string(), "/app/a did not start: failed: no");
    assert_eq!(state(&running, "a"), State::Down);
}

#[tokio::test(start_paused = true)]
async fn attempts_quarantine_after_so_many_restarts_in_a_row() {
    let backoff = Backoff::fixed(seconds(1)).attempts(4);
    let tree = Supervisor::one_for_one("app").child(crashing("a").backoff(backoff));
    let running = start(tree).await;
    let mut events = Recorder::new(&running);
    let event = until(&mut events, "quarantined", "/app/a").await;
    assert_eq!(event.incarnation, 5);
    assert_eq!(state(&running, "a"), State::Quarantined);
}

#[tokio::test(start_paused = true)]
async fn an_intensity_may_quarantine_too() {
    let tree = Supervisor::one_for_one("app")
        .intensity(2, seconds(60))
        .on_limit(OnLimit::Quarantine)
        .child(crashing("a"))
        .child(idle("b"));
    let running = start(tree).await;
    let mut events = Recorder::new(&running);
    let event = until(&mut events, "quarantined", "/app/a").await;
    assert_eq!(
        (event.incarnation, state(&running, "b")),
        (3, State::Running)
    );
}

#[tokio::test(start_paused = true)]
async fn a_throttle_never_gives_up_and_never_exceeds_its_limit() {
    let of_child = Supervisor::one_for_one("app")
        .intensity(1_000_000, seconds(1))
        .child(
            crashing("a")
                .backoff(Backoff::none())
                .limit(3, seconds(60))
                .on_limit(OnLimit::Throttle),
        );
    let of_supervisor = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(3, seconds(60))
        .on_limit(OnLimit::Throttle)
        .child(crashing("a"));
    for tree in [of_child, of_supervisor] {
        let running = start(tree).await;
        let mut events = Recorder::new(&running);
        let mut starts: Vec<Instant> = Vec::new();
        while starts.len() < 60 {
            starts.push(until(&mut events, "started", "/app/a").await.at);
        }
        for (index, first) in starts.iter().enumerate() {
            // Decisions are exact; starts follow in whole milliseconds, as tokio's timers do.
            let within = |at: &&Instant| **at - *first < seconds(60);
            assert!(starts[index..].iter().filter(within).count() <= 3);
        }
        // Nor does it wait longer than it must: three in each minute.
        let took = starts[59] - starts[0];
        assert!(took < seconds(60) * 20, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_childs_limit_in_a_group_escalates() {
    let tree = Supervisor::rest_for_one("app")
        .child(crashing("a").limit(1, seconds(60)))
        .child(idle("b"));
    let running = start(tree).await;
    let report = running.wait().await;
    assert_eq!(
        (report.exit, report.reason),
        (Exit::Meltdown, ShutdownReason::Meltdown)
    );
}

#[tokio::test(start_paused = true)]
async fn a_meltdown_is_abnormal_for_a_transient_supervisor_and_the_parent_counts_it() {
    let inner = Supervisor::one_for_one("inner")
        .intensity(0, seconds(1))
        .restart(Restart::Transient)
        .child(crashing("a"));
    let tree = Supervisor::one_for_one("app")
        .intensity(2, seconds(60))
        .child(inner);
    let running = start(tree).await;
    let mut events = Recorder::new(&running);
    let event = until(&mut events, "meltdown", "/app").await;
    assert_eq!(event.incarnation, 1);
    let report = running.wait().await;
    assert_eq!(report.exit, Exit::Meltdown);
    let inner = running.snapshot().root.children.remove(0);
    assert_eq!((inner.incarnation, inner.restart_count()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_has_a_limit_of_its_own_as_a_child() {
    let inner = Supervisor::one_for_one("inner")
        .intensity(0, seconds(1))
        .own_limit(1, seconds(60))
        .child(crashing("a"));
    let tree = Supervisor::one_for_one("app").child(inner).child(idle("b"));
    let running = start(tree).await;
    let mut events = Recorder::new(&running);
    until(&mut events, "quarantined", "/app/inner").await;
    assert_eq!(state(&running, "b"), State::Running);
    running
        .release("/app/inner")
        .await
        .expect("it is quarantined");
    until(&mut events, "quarantined", "/app/inner").await;
}

#[tokio::test(start_paused = true)]
async fn a_backoff_is_on_by_default_and_the_first_restart_is_immediate() {
    let tree = Supervisor::one_for_one("app").seed(7).child(crashing("a"));
    let running = start(tree).await;
    let mut events = Recorder::new(&running);
    let first = until(&mut events, "restarted", "/app/a").await;
    assert_eq!(
        first.kind,
        EventKind::Restarted {
            latency: Duration::ZERO
        }
    );
    for longest in [100, 200, 400, 800] {
        let event = until(&mut events, "backing_off", "/app/a").await;
        let EventKind::BackingOff { until: due, .. } = event.kind else {
            panic!("{event:?}")
        };
        assert!(due - event.at <= millis(longest), "{longest} ms");
        until(&mut events, "restarted", "/app/a").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_whose_significant_child_is_done_is_completed() {
    let child = worker("a").restart(Restart::Transient).significant();
    let handle = child.handle();
    let tree = Supervisor::one_for_one("app")
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(idle("b"))
        .child(child)
        .child(idle("c"));
    let running = start(tree).await;
    end(&handle, End::Well);
    let report = running.wait().await;
    assert_eq!(
        (report.reason, &report.exit),
        (ShutdownReason::Completed, &Exit::Shutdown)
    );
    assert!(report.is_clean(), "{report}");
    let names: Vec<_> = report
        .root
        .children
        .iter()
        .map(|line| line.path.name())
        .collect();
    assert_eq!(names, ["c", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_auto_shutdown_below_the_root_is_a_good_end_for_the_parent() {
    let child = worker("a").restart(Restart::Transient).significant();
    let handle = child.handle();
    let inner = Supervisor::one_for_one("inner")
        .restart(Restart::Transient)
        .auto_shutdown(AutoShutdown::AllSignificant)
        .child(child);
    let running = start(Supervisor::one_for_one("app").child(inner)).await;
    let mut events = Recorder::new(&running);
    end(&handle, End::Well);
    let event = until(&mut events, "exited", "/app/inner").await;
    assert!(matches!(
        event.kind,
        EventKind::Exited {
            exit: Exit::Shutdown,
            ..
        }
    ));
    assert_eq!(state(&running, "inner"), State::Down);
}

#[tokio::test(start_paused = true)]
async fn a_significant_supervisor_completes_its_parent_in_turn() {
    let child = worker("a").restart(Restart::Temporary).significant();
    let handle = child.handle();
    let inner = Supervisor::one_for_one("inner")
        .restart(Restart::Transient)
        .significant()
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(child);
    let tree = Supervisor::one_for_one("app")
        .auto_shutdown(AutoShutdown::AllSignificant)
        .child(inner);
    let running = start(tree).await;
    end(&handle, End::Badly);
    assert_eq!(running.wait().await.reason, ShutdownReason::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_stop_by_hand_of_a_significant_child_completes_nothing() {
    let child = idle("a").restart(Restart::Transient).significant();
    let tree = Supervisor::one_for_one("app")
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(child);
    let running = start(tree).await;
    running.stop_child("/app/a").await.expect("it is up");
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(running.snapshot().root.state, State::Running);
}
