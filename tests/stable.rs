//! Claims on the moment at which a run has been up and well for long enough, and on what waits for it:
//! the restarts in a row, readiness, the siblings after it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::Arc;
use std::time::Duration;

use perennial::health::{Health, HealthCheck};
use perennial::{
    Backoff, BoxError, Child, Context, EventKind, Exit, Handle, Inbox, Running, Subscriber,
    SubsystemEvent, Supervisor,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// A worker that says of itself what it is told, and fails when it is told `Failed("die")`.
fn patient(name: &str) -> Child<Health> {
    let child = Child::worker(name, |cx: Context, mut inbox: Inbox<Health>| async move {
        while let Some(health) = inbox.recv().await {
            if health == Health::Failed("die".into()) {
                return Err("it was told to".into());
            }
            cx.health().set(health);
        }
        Ok(())
    });
    child.backoff(backoff()).stable_after(10 * SECOND)
}

fn backoff() -> Backoff {
    let backoff = Backoff::try_new(SECOND, 8 * SECOND);
    backoff.and_then(|own| own.jitter(0.0)).expect("valid")
}

fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

fn degraded() -> Health {
    Health::Degraded("slow".into())
}

fn die(child: &Handle<Health>) {
    child.cast(Health::Failed("die".into())).expect("it is up");
}

async fn start(supervisor: Supervisor) -> Running {
    supervisor.start().await.expect("it starts")
}

fn why(running: &Running) -> Option<String> {
    let readiness = running.readiness();
    let missing = readiness.missing().next();
    missing.and_then(|one| one.failure.clone())
}

/// Waits for the next event of this kind; whatever else happens until then is let by.
async fn next(events: &mut Subscriber<SubsystemEvent>, code: &str) -> SubsystemEvent {
    loop {
        let event = events.recv().await.expect("the tree lives");
        if event.kind.code() == code {
            return event;
        }
    }
}

/// Lists what has happened so far, each with the name of the child.
fn so_far(events: &mut Subscriber<SubsystemEvent>) -> Vec<String> {
    let mut list = Vec::new();
    while let Ok(Some(event)) = events.try_recv() {
        list.push(format!("{} {}", event.path.name(), event.kind.code()));
    }
    list
}

#[tokio::test(start_paused = true)]
async fn a_child_counts_for_readiness_only_once_it_is_stable_if_that_was_declared() {
    let late = patient("late").unready_until_stable();
    let tell = late.handle();
    let tree = Supervisor::one_for_one("app")
        .child(late)
        .child(patient("early"));
    let running = start(tree).await;
    let mut events = running.subscribe("test");
    for _ in 0..2 {
        let reason = why(&running).expect("not yet");
        assert!(
            reason.contains("has not been well for long enough"),
            "{reason}"
        );
        let status = running.node_status("/app/late").expect("it is there");
        assert!(status.awaits_stable);
        let stable = next(&mut events, "stable").await;
        let status = running.node_status("/app/late").expect("it is there");
        let expected = ("late", false);
        assert_eq!((stable.path.name(), status.awaits_stable), expected);
        sleep(SECOND).await;
        assert_eq!(why(&running), None);
        // What it says from now on is no news for that; another run begins anew.
        tell.cast(degraded()).expect("it is up");
        sleep(SECOND).await;
        assert_eq!(why(&running), None);
        die(&tell);
        next(&mut events, "restarted").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_never_becomes_stable_and_waits_ever_longer() {
    let child = patient("child");
    let tell = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = running.subscribe("test");
    let mut waits = Vec::new();
    for _ in 0..6 {
        sleep(10 * SECOND - Duration::from_millis(10)).await;
        die(&tell);
        let restarted = next(&mut events, "restarted").await;
        if let EventKind::Restarted { latency } = restarted.kind {
            waits.push(latency.as_secs());
        }
    }
    assert_eq!(waits, [0, 1, 2, 4, 8, 8]);
    let stable = next(&mut events, "stable").await;
    let expected = EventKind::Stable {
        uptime: 10 * SECOND,
        attempts: 6,
    };
    assert_eq!((stable.kind, stable.incarnation), (expected, 7));
}

#[tokio::test(start_paused = true)]
async fn what_it_says_and_what_a_check_finds_both_put_the_moment_off() {
    let is_down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = Arc::clone(&is_down);
    let check = HealthCheck::new(move || {
        let is_down = asked.load(std::sync::atomic::Ordering::Relaxed);
        async move {
            if is_down {
                Err::<(), BoxError>("no answer".into())
            } else {
                Ok(())
            }
        }
    });
    let child = patient("child").health_check(check.failures(1).interval(SECOND));
    let tell = child.handle();
    let began = Instant::now();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = running.subscribe("test");
    sleep(20 * SECOND + SECOND / 2).await;
    is_down.store(false, std::sync::atomic::Ordering::Relaxed);
    // Found well at 21 s; it says of itself from 25 to 30 s that it is not.
    sleep(9 * SECOND / 2).await;
    tell.cast(degraded()).expect("it is up");
    sleep(5 * SECOND).await;
    tell.cast(Health::Ok).expect("it is up");
    let stable = next(&mut events, "stable").await;
    assert_eq!((stable.at - began).as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_while_it_starts_counts_once_it_is_up() {
    let well = Arc::new(Notify::new());
    let told = Arc::clone(&well);
    let child = Child::task_with("child", told, |cx: Context, well| async move {
        cx.health().degraded("warming up");
        cx.ready();
        well.notified().await;
        cx.health().ok();
        cx.shutdown().await;
        Ok(())
    });
    let child = child.explicit_ready().stable_after(10 * SECOND);
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let (began, mut events) = (Instant::now(), running.subscribe("test"));
    sleep(50 * SECOND).await;
    assert!(!so_far(&mut events).contains(&"child stable".to_owned()));
    well.notify_one();
    let stable = next(&mut events, "stable").await;
    assert_eq!((stable.at - began).as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn siblings_wait_when_the_tree_starts_and_whatever_stands_below_one_that_waits() {
    let inner =
        Supervisor::one_for_one("inner").child(patient("first").siblings_wait_until_stable());
    let tree = Supervisor::one_for_one("app")
        .child(inner)
        .child(idle("second"));
    let began = Instant::now();
    let running = start(tree).await;
    assert_eq!(
        began.elapsed().as_secs(),
        10,
        "the inner one is up only then"
    );
    let second = running.node_status("/app/second").expect("it is there");
    assert_eq!((second.since - began).as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_or_is_never_well_while_siblings_wait_fails_the_start() {
    let fails = Child::task("first", |_cx| async {
        sleep(5 * SECOND).await;
        Err("it broke".into())
    });
    let never_well = Child::task("first", |cx: Context| async move {
        cx.health().degraded("slow");
        cx.shutdown().await;
        Ok(())
    });
    for (first, exit, after) in [(fails, "failed", 5), (never_well, "start_timed_out", 40)] {
        let first = first.stable_after(10 * SECOND).siblings_wait_until_stable();
        let began = Instant::now();
        let tree = Supervisor::one_for_one("app")
            .child(first)
            .child(idle("second"));
        let error = tree.start().await.expect_err("it does not start");
        match error {
            perennial::StartError::Failed { path, exit: ended } => {
                assert_eq!((path.as_str(), ended.code()), ("/app/first", exit));
            }
            other => panic!("{other}"),
        }
        assert_eq!(began.elapsed().as_secs(), after);
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_group_restart_the_later_ones_start_when_the_earlier_one_is_stable() {
    let first = patient("first").siblings_wait_until_stable();
    let tell = first.handle();
    let tree = Supervisor::rest_for_one("app")
        .child(first)
        .child(idle("second"));
    let running = start(tree).await;
    let mut events = running.subscribe("test");
    die(&tell);
    next(&mut events, "restarted").await;
    // It fails once more before it is stable: nobody was started beside it.
    sleep(5 * SECOND).await;
    die(&tell);
    let mut seen = Vec::new();
    loop {
        let event = events.recv().await.expect("the tree lives");
        seen.push(format!("{} {}", event.path.name(), event.kind.code()));
        if event.path.name() == "second" && event.kind == EventKind::Started {
            break;
        }
    }
    let second = seen.iter().position(|one| one == "second starting");
    let stable = seen.iter().position(|one| one == "first stable");
    assert!(stable.is_some() && stable < second, "{seen:?}");
    let exits = running.history("/app/first").expect("it is there");
    assert!(exits.iter().all(|run| matches!(run.exit, Exit::Failed(_))));
}
