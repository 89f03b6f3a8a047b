//! Claims on health and readiness: what children say, what checks find, what follows, and what the
//! program as a whole is ready for meanwhile.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial::health::{Health, HealthCheck, OnFailed};
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit::OnLimit;
use perennial::policy::stop::Stop;
use perennial::supervisor::status::State;
use perennial::{
    Backoff, BoxError, Child, Context, EventKind, Exit, Inbox, Restart, Running, ShutdownReason,
    Supervisor,
};
use tokio::sync::Notify;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// Waits until the node at `path` is as wanted.
async fn until(running: &Running, path: &str, wanted: impl Fn(&State, &Health) -> bool) {
    let reached = async {
        loop {
            let status = running.node_status(path).expect("it is there");
            if wanted(&status.state, &status.health) {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(60 * SECOND, reached).await;
    in_time.expect("it comes to that");
}

fn missing(running: &Running) -> Vec<String> {
    let readiness = running.readiness();
    readiness.missing().map(|one| one.name.clone()).collect()
}

async fn start(supervisor: Supervisor) -> Running {
    supervisor.start().await.expect("it starts")
}

/// A worker that says of itself what it is told.
fn patient() -> Child<Health> {
    Child::worker(
        "patient",
        |cx: Context, mut inbox: Inbox<Health>| async move {
            while let Some(health) = inbox.recv().await {
                if health == Health::Degraded("die".into()) {
                    return Err("it was told to".into());
                }
                cx.health().set(health);
            }
            Ok(())
        },
    )
}

fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn what_a_child_says_is_told_and_a_failure_makes_the_program_unready_while_it_lasts() {
    let child = patient();
    let tell = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = running.subscribe("test");
    let (degraded, failed) = (
        Health::Degraded("slow".into()),
        Health::Failed("no disk".into()),
    );
    for (said, is_ready) in [(degraded, true), (failed, false), (Health::Ok, true)] {
        tell.cast(said.clone()).expect("it is up");
        until(&running, "/app/patient", |_, health| *health == said).await;
        assert_eq!(running.readiness().is_ready(), is_ready, "{said}");
        let event = events.recv().await.expect("the tree lives");
        assert_eq!(event.kind, EventKind::HealthChanged { health: said });
    }
    tell.cast(Health::Failed("no disk".into()))
        .expect("it is up");
    tell.cast(Health::Degraded("die".into())).expect("it is up");
    let is_new = |state: &State, health: &Health| *state == State::Running && *health == Health::Ok;
    until(&running, "/app/patient", is_new).await;
    assert_eq!(missing(&running), [""; 0], "another run begins well");
}

#[tokio::test(start_paused = true)]
async fn what_is_only_reported_keeps_the_program_ready() {
    let child = patient().on_failed(OnFailed::Report);
    let tell = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    tell.cast(Health::Failed("no disk".into()))
        .expect("it is up");
    until(&running, "/app/patient", |_, health| health.is_failed()).await;
    assert!(running.readiness().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_check_has_to_fail_three_times_in_a_row_and_to_pass_once() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let check = HealthCheck::new(move || {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                1 | 2 | 4 | 5 => Err::<(), BoxError>("no answer".into()),
                6 => panic!("a mistake in the check"),
                7 => std::future::pending().await,
                _ => Ok(()),
            }
        }
    });
    let tree = Supervisor::one_for_one("app").child(idle("asked").health_check(check));
    let running = start(tree.health_interval(SECOND)).await;
    let mut events = running.subscribe("test");
    let mut reasons = Vec::new();
    for _ in 0..3 {
        match events.recv().await.expect("the tree lives").kind {
            EventKind::HealthChanged { health } => reasons.push(health.to_string()),
            other => panic!("{other:?}"),
        }
    }
    assert!(
        reasons[0].starts_with("failed: the check panicked"),
        "{reasons:?}"
    );
    assert_eq!(reasons[1..], ["failed: no answer within 1s", "ok"]);
    assert_eq!(asked.load(Ordering::Relaxed), 9);
}

#[tokio::test(start_paused = true)]
async fn a_check_ends_with_its_run_and_begins_with_the_next() {
    let check = HealthCheck::new(|| async {
        let cx = Context::current().expect("it is part of the run");
        match cx.incarnation() {
            1 => Err::<(), BoxError>("the first is broken".into()),
            _ => Ok(()),
        }
    });
    let check = check.interval(SECOND).failures(1);
    let child = idle("asked")
        .health_check(check)
        .on_failed(OnFailed::Restart);
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    until(&running, "/app/asked", |state, _| *state == State::Running).await;
    sleep(5 * SECOND).await;
    let status = running.node_status("/app/asked").expect("it is there");
    assert_eq!((status.incarnation, status.health), (2, Health::Ok));
    let Some(Exit::Failed(why)) = status.last_exit else {
        panic!("{:?}", status.last_exit);
    };
    assert_eq!(why.to_string(), "unhealthy: the first is broken");
    let past = running.history("/app/asked").expect("it is there");
    assert_eq!((past.len(), past[0].incarnation), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn restarts_because_of_bad_health_count_against_the_limit() {
    let check = HealthCheck::new(|| async { Err::<(), BoxError>("never well".into()) });
    let child = idle("sick")
        .health_check(check.interval(SECOND).failures(1))
        .on_failed(OnFailed::Restart)
        .backoff(Backoff::none())
        .limit(2, 600 * SECOND);
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    until(&running, "/app/sick", |state, _| {
        *state == State::Quarantined
    })
    .await;
    assert_eq!(missing(&running), ["/app/sick"]);
}

#[tokio::test]
async fn a_thread_that_is_not_well_is_asked_to_end_and_restarted() {
    let child = Child::blocking("thread", |cx: Context| {
        if cx.incarnation() == 1 {
            cx.health().failed("no device");
        }
        while !cx.wait_for_shutdown(SECOND) {}
        Ok(())
    });
    let child = child.on_failed(OnFailed::Restart).backoff(Backoff::none());
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    until(&running, "/app/thread", |state, _| {
        let status = running.node_status("/app/thread").expect("it is there");
        *state == State::Running && status.incarnation == 2
    })
    .await;
    let past = running.history("/app/thread").expect("it is there");
    assert_eq!(past[0].exit.to_string(), "failed: unhealthy: no device");
}

#[tokio::test(start_paused = true)]
async fn optional_children_are_done_without_and_one_of_a_group_is_enough() {
    let replicas = |name| {
        Child::task(name, move |cx: Context| async move {
            if cx.incarnation() == 1 && name == "b" {
                sleep(SECOND).await;
                return Err::<(), BoxError>("broken".into());
            }
            cx.shutdown().await;
            Ok(())
        })
        .one_of("replicas")
        .backoff(Backoff::fixed(SECOND))
    };
    let extras = Supervisor::one_for_one("extras")
        .child(idle("gadget"))
        .optional();
    let tree = Supervisor::one_for_one("app")
        .child(replicas("a"))
        .child(replicas("b"))
        .child(extras);
    let running = start(tree).await;
    until(&running, "/app/b", |state, _| *state == State::BackingOff).await;
    running
        .stop_child("/app/extras/gadget")
        .await
        .expect("it stops");
    assert_eq!(missing(&running), [""; 0]);
    running.stop_child("/app/a").await.expect("it stops");
    assert_eq!(missing(&running), ["replicas"]);
    until(&running, "/app/b", |state, _| *state == State::Running).await;
    assert!(running.readiness().is_ready());
}

/// Fails once it is told to; a second run takes a while to be up.
#[tokio::test(start_paused = true)]
async fn a_subtree_that_has_finished_is_not_missed() {
    let done = Arc::new(Notify::new());
    let finishes = Arc::clone(&done);
    let work = Child::task("work", move |_cx| {
        let finishes = Arc::clone(&finishes);
        async move {
            finishes.notified().await;
            Ok(())
        }
    });
    let batch = Supervisor::one_for_one("batch")
        .restart(Restart::Transient)
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(idle("helper"))
        .child(work.restart(Restart::Transient).significant());
    let running = start(Supervisor::one_for_one("app").child(batch)).await;
    assert!(running.readiness().is_ready());
    done.notify_one();
    until(&running, "/app/batch", |state, _| *state == State::Down).await;
    assert_eq!(missing(&running), [""; 0]);
    let status = running.node_status("/app/batch").expect("it is there");
    assert_eq!(status.last_exit, Some(Exit::Shutdown));
    assert!(status.is_settled());
    running
        .restart_child("/app/batch")
        .await
        .expect("it starts");
    assert!(running.readiness().is_ready());
    running.stop_child("/app/batch").await.expect("it stops");
    assert_eq!(
        missing(&running),
        ["/app/batch", "/app/batch/helper", "/app/batch/work"],
        "that was asked for, and did not come of itself"
    );
}

fn crashing(crash: &Arc<Notify>) -> Child {
    let crash = Arc::clone(crash);
    Child::task_with("crash", crash, |cx: Context, crash| async move {
        crash.notified().await;
        drop(cx);
        Err("it was told to".into())
    })
}

#[tokio::test(start_paused = true)]
async fn in_a_group_restart_all_that_takes_part_is_missing_until_it_is_up_again() {
    let crash = Arc::new(Notify::new());
    let tree = Supervisor::one_for_all("app")
        .child(idle("before"))
        .child(crashing(&crash))
        .backoff(Backoff::fixed(SECOND));
    let running = start(tree).await;
    crash.notify_one();
    until(&running, "/app/before", |state, _| *state == State::Down).await;
    assert_eq!(missing(&running), ["/app/before", "/app/crash"]);
    until(&running, "/app/crash", |state, _| *state == State::Running).await;
    assert_eq!(missing(&running), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_child_is_missing_until_the_window_admits_it() {
    let crash = Arc::new(Notify::new());
    let child = crashing(&crash).backoff(Backoff::none());
    let tree = Supervisor::one_for_one("app")
        .intensity(1, 10 * SECOND)
        .on_limit(OnLimit::Throttle)
        .child(child);
    let running = start(tree).await;
    crash.notify_one();
    sleep(SECOND).await;
    assert!(
        running.readiness().is_ready(),
        "the first restart is at once"
    );
    crash.notify_one();
    until(&running, "/app/crash", |state, _| {
        *state == State::BackingOff
    })
    .await;
    let readiness = running.readiness();
    let why = readiness
        .missing()
        .next()
        .and_then(|one| one.failure.clone());
    let expected = "it waits for its next run; its last run ended: failed: it was told to";
    assert_eq!(why.as_deref(), Some(expected));
    sleep(10 * SECOND).await;
    assert!(running.readiness().is_ready());
}

#[tokio::test(start_paused = true)]
async fn in_a_drain_and_from_the_beginning_of_a_shutdown_on_the_program_is_not_ready() {
    let child = Child::worker("drains", |_cx: Context, mut inbox: Inbox<u32>| async move {
        while inbox.recv().await.is_some() {
            sleep(SECOND).await;
        }
        Ok(())
    });
    let child = child.stop(Stop::Drain).stop_timeout(9 * SECOND);
    let handle = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    for number in 0..3 {
        handle.cast(number).expect("it is up");
    }
    let stopped = tokio::join!(running.stop_child("/app/drains"), async {
        until(&running, "/app/drains", |state, _| {
            *state == State::Stopping
        })
        .await;
        assert_eq!(missing(&running), ["/app/drains"]);
    });
    stopped.0.expect("it stops");
    running
        .restart_child("/app/drains")
        .await
        .expect("it starts");
    assert!(running.readiness().is_ready());
    running.shutdown(ShutdownReason::Requested, SECOND);
    assert!(!running.readiness().is_ready(), "at once");
    drop(running.wait().await);
    assert!(running.readiness().is_shutting_down);
}

#[tokio::test(start_paused = true)]
async fn what_a_child_says_before_it_is_up_is_kept_and_acted_on_when_it_is() {
    let child = Child::task("hasty", |cx: Context| async move {
        if cx.incarnation() == 1 {
            cx.health().failed("not ready yet");
        }
        cx.shutdown().await;
        Ok(())
    });
    let child = child.restart(Restart::Permanent).backoff(Backoff::none());
    let running =
        start(Supervisor::one_for_one("app").child(child.on_failed(OnFailed::Restart))).await;
    until(&running, "/app/hasty", |state, health| {
        *state == State::Running && *health == Health::Ok
    })
    .await;
    let past = running.history("/app/hasty").expect("it is there");
    assert_eq!(past[0].exit.to_string(), "failed: unhealthy: not ready yet");
}
