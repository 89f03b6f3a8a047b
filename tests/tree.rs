//! Claims on a running tree: starts, restarts, exits and stops as a user sees them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as PollContext, Wake, Waker};
use std::time::Duration;

use perennial::command::StartChildError;
use perennial::exit::Exit;
use perennial::health::HealthCheck;
use perennial::shutdown::report::Outcome;
use perennial::supervisor::status::State;
use perennial::testkit::Recorder;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, BoxError, CallError, CastError, Child, Context,
    EventKind, Handle, Inbox, Reply, Restart, RpcReplyPort, Running, ShutdownReason, StartError,
    Subscriber, SubsystemEvent, Supervisor,
};

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().expect("no panic holds it").push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic holds it"))
    }
}

/// A task that notes its start and its stop.
fn traced(name: &'static str, trace: &Trace) -> Child {
    Child::task_with(name, trace.clone(), move |cx, trace: Trace| async move {
        trace.add(format!("+{name}"));
        cx.shutdown().await;
        trace.add(format!("-{name}"));
        Ok(())
    })
}

enum Msg {
    Echo(u32, RpcReplyPort<u32>),
    Panic,
    Fail,
    Hang,
    Stop,
}

struct Echo;

impl Actor for Echo {
    type Msg = Msg;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        message: Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::Echo(n, reply) => drop(reply.send(n)),
            Msg::Panic => panic!("asked to"),
            Msg::Fail => return Err("asked to fail".into()),
            Msg::Hang => std::future::pending().await,
            Msg::Stop => myself.stop(None),
        }
        Ok(())
    }
}

fn echo() -> Child<Msg> {
    Child::actor("echo", |_cx| (Echo, ()))
}

async fn next_exit(events: &mut Subscriber<SubsystemEvent>) -> Exit {
    loop {
        if let EventKind::Exited { exit, .. } = events.recv().await.expect("the tree lives").kind {
            return exit;
        }
    }
}

async fn until(events: &mut Subscriber<SubsystemEvent>, code: &str, path: &str) -> SubsystemEvent {
    loop {
        let event = events.recv().await.expect("the tree lives");
        if event.kind.code() == code && event.path == path {
            return event;
        }
    }
}

async fn start(tree: Supervisor) -> Running {
    tree.start().await.expect("it starts")
}

#[tokio::test(start_paused = true)]
async fn a_tree_starts_in_order_and_stops_in_reverse() {
    let trace = Trace::default();
    let inner = Supervisor::one_for_one("inner")
        .child(traced("b", &trace))
        .child(traced("c", &trace));
    let tree = Supervisor::one_for_one("app")
        .child(traced("a", &trace))
        .child(inner)
        .child(traced("d", &trace));
    let running = start(tree).await;
    assert_eq!(trace.take(), ["+a", "+b", "+c", "+d"]);
    let report = running.stop(Duration::from_secs(5)).await;
    assert_eq!(trace.take(), ["-d", "-c", "-b", "-a"]);
    assert!(report.is_clean(), "{report}");
    let paths: Vec<_> = report
        .lines()
        .iter()
        .map(|(_, line)| line.path.to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "/app",
            "/app/d",
            "/app/inner",
            "/app/inner/c",
            "/app/inner/b",
            "/app/a"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_panics_is_restarted_and_its_handle_stays_valid() {
    let child = echo();
    let handle = child.handle();
    assert!(
        matches!(handle.cast(Msg::Stop), Err(CastError::Down(_))),
        "not started yet"
    );
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = running.subscribe("test");
    assert_eq!(handle.call(|reply| Msg::Echo(7, reply.into())).await, Ok(7));
    handle.cast(Msg::Panic).expect("it is up");
    let Exit::Panicked(panic) = next_exit(&mut events).await else {
        panic!("it panicked")
    };
    assert_eq!(&*panic.message, "asked to");
    assert!(panic.location.expect("our hook").file.ends_with("tree.rs"));
    until(&mut events, "restarted", "/app/echo").await;
    assert_eq!(handle.call(|reply| Msg::Echo(8, reply.into())).await, Ok(8));
    let status = &running.which_children("/app").expect("the root")[0];
    assert_eq!(
        (status.incarnation, status.restart_count(), status.state),
        (2, 1, State::Running)
    );
    drop(running.stop(Duration::from_secs(1)).await);
    assert!(matches!(handle.cast(Msg::Stop), Err(CastError::Gone(_))));
}

#[tokio::test(start_paused = true)]
async fn every_way_an_actor_can_end_is_typed() {
    let child = echo();
    let handle = child.handle();
    let running = start(
        Supervisor::one_for_one("app")
            .backoff(Backoff::none())
            .child(child),
    )
    .await;
    let mut events = running.subscribe("test");
    handle.cast(Msg::Fail).expect("up");
    assert_eq!(
        next_exit(&mut events).await.to_string(),
        "failed: asked to fail"
    );
    handle.ready().await.expect("restarted");
    until(&mut events, "restarted", "/app/echo").await;
    handle.cast(Msg::Stop).expect("up");
    assert_eq!(next_exit(&mut events).await, Exit::Normal);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_lost_when_the_actor_dies_over_it() {
    enum Doomed {
        Ask(Reply<u32>),
    }
    let child = Child::worker("doomed", |_cx, mut inbox: Inbox<Doomed>| async move {
        let Some(Doomed::Ask(_reply)) = inbox.recv().await else {
            return Ok(());
        };
        Err("on purpose".into())
    });
    let handle = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    assert_eq!(handle.call(Doomed::Ask).await, Err(CallError::Lost));
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_hangs_in_a_handler_is_killed_before_the_deadline() {
    let child = echo().stop_timeout(Duration::from_secs(2));
    let handle = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    handle.cast(Msg::Hang).expect("up");
    let began = tokio::time::Instant::now();
    let report = running.stop(Duration::from_secs(5)).await;
    assert_eq!(report.root.children[0].outcome, Outcome::Killed);
    assert_eq!(began.elapsed().as_millis(), 1_950);
}

#[tokio::test(start_paused = true)]
async fn a_failed_initial_start_names_the_path_and_stops_the_rest_in_reverse() {
    let trace = Trace::default();
    let bad = Child::step("migrate", |_cx| async { Err("no schema".into()) });
    let inner = Supervisor::one_for_one("inner")
        .child(traced("b", &trace))
        .child(bad);
    let tree = Supervisor::one_for_one("app")
        .child(traced("a", &trace))
        .child(inner)
        .child(traced("c", &trace));
    let error = tree.start().await.expect_err("the step fails");
    assert_eq!(
        error.to_string(),
        "/app/inner/migrate did not start: failed: no schema"
    );
    assert_eq!(trace.take(), ["+a", "+b", "-b", "-a"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_too_long_is_given_up() {
    let slow = Child::task("slow", |_cx| std::future::pending())
        .explicit_ready()
        .start_timeout(Duration::from_secs(3));
    let began = tokio::time::Instant::now();
    let error = Supervisor::one_for_one("app")
        .child(slow)
        .start()
        .await
        .expect_err("never ready");
    assert!(
        matches!(
            error,
            StartError::Failed {
                exit: Exit::StartTimedOut,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_step_has_finished_before_the_next_child_starts() {
    let trace = Trace::default();
    let step = Child::step("step", {
        let trace = trace.clone();
        move |_cx| {
            let trace = trace.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                trace.add("step");
                Ok(())
            }
        }
    });
    let running = start(
        Supervisor::one_for_one("app")
            .child(step)
            .child(traced("a", &trace)),
    )
    .await;
    assert_eq!(trace.take(), ["step", "+a"]);
    let children = running.which_children("/app").expect("the root");
    assert_eq!(
        (children[0].state, children[0].is_settled()),
        (State::Down, true)
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_restarts_melt_the_tree_down_through_its_parents() {
    let go = Arc::new(tokio::sync::Notify::new());
    let crash = Child::task_with("crash", go.clone(), |cx, go| async move {
        if cx.incarnation() == 1 {
            go.notified().await;
        }
        tokio::task::yield_now().await;
        Err::<(), BoxError>("again".into())
    });
    let inner = Supervisor::one_for_one("inner")
        .intensity(2, Duration::from_secs(10))
        .backoff(Backoff::none())
        .restart(Restart::Temporary)
        .child(crash);
    let running = start(Supervisor::one_for_one("app").child(inner)).await;
    let mut events = running.subscribe("test");
    go.notify_one();
    until(&mut events, "meltdown", "/app/inner").await;
    let event = until(&mut events, "exited", "/app/inner").await;
    assert!(matches!(
        event.kind,
        EventKind::Exited {
            exit: Exit::Meltdown,
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_root_that_melts_down_ends_with_a_report() {
    let crash = Child::task("crash", |_cx| async {
        tokio::task::yield_now().await;
        panic!("again")
    });
    let tree = Supervisor::one_for_one("app")
        .intensity(1, Duration::from_secs(10))
        .child(crash);
    let running = start(tree).await;
    let report = running.wait().await;
    assert_eq!(report.exit, Exit::Meltdown);
}

#[tokio::test(start_paused = true)]
async fn subtasks_end_before_the_next_incarnation_begins() {
    struct Held(Trace);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.add("subtask dropped");
        }
    }
    let trace = Trace::default();
    let go = Arc::new(tokio::sync::Notify::new());
    let child = Child::task_with(
        "parent",
        (trace.clone(), go.clone()),
        |cx, (trace, go)| async move {
            trace.add(format!("run {}", cx.incarnation()));
            let held = Held(trace);
            cx.spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
            if cx.incarnation() == 1 {
                go.notified().await;
                return Err("once".into());
            }
            cx.shutdown().await;
            Ok(())
        },
    );
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = running.subscribe("test");
    go.notify_one();
    until(&mut events, "restarted", "/app/parent").await;
    assert_eq!(trace.take(), ["run 1", "subtask dropped", "run 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_subtask_that_panics_fails_its_child() {
    let go = Arc::new(tokio::sync::Notify::new());
    let child = Child::task_with("parent", go.clone(), |cx, go| async move {
        if cx.incarnation() == 1 {
            cx.spawn(async move {
                go.notified().await;
                panic!("below")
            });
        }
        cx.shutdown().await;
        Ok(())
    });
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = running.subscribe("test");
    go.notify_one();
    let exit = next_exit(&mut events).await;
    assert!(
        matches!(&exit, Exit::Panicked(panic) if &*panic.message == "below"),
        "{exit}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_starts_children_at_run_time_up_to_its_capacity() {
    let dynamic = Supervisor::dynamic("connections").max_children(2);
    let handle = dynamic.handle();
    let running = start(Supervisor::one_for_one("app").child(dynamic)).await;
    let idle = || {
        Child::task("", |cx: Context| async move {
            cx.shutdown().await;
            Ok(())
        })
    };
    assert_eq!(
        handle.start_child(idle()).await.expect("room").as_str(),
        "/app/connections/0"
    );
    let named = Child::task("named", |_cx| std::future::pending());
    assert_eq!(
        handle.start_child(named).await.expect("room").as_str(),
        "/app/connections/named"
    );
    let refused = handle.start_child(idle()).await.expect_err("full");
    assert_eq!(refused.code(), "at_capacity");
    let count = running
        .count_children("/app/connections")
        .expect("it is there");
    assert_eq!(
        (count.specifications, count.active, count.workers),
        (2, 2, 2)
    );
    let report = running.stop(Duration::from_secs(1)).await;
    assert_eq!(report.root.children[0].children.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_added_and_does_not_start_says_why_and_is_gone() {
    let running = start(Supervisor::one_for_one("app")).await;
    let app = running.supervisor("/app").expect("the root");
    let bad = Child::task("bad", |_cx| async { Err("no port".into()) });
    let refused = app.start_child(bad).await.expect_err("it fails");
    assert_eq!(
        refused.to_string(),
        "/app/bad did not start: failed: no port"
    );
    assert!(running.which_children("/app").expect("the root").is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_children_can_hold_each_other() {
    let ping: Handle<u32> = Handle::unbound();
    let pong: Handle<u32> = Handle::unbound();
    let forward = |name: &str, to: Handle<u32>| {
        Child::worker(name, move |_cx, mut inbox: Inbox<u32>| {
            let to = to.clone();
            async move {
                while let Some(n) = inbox.recv().await {
                    if n > 0 {
                        to.cast(n - 1).map_err(|error| error.to_string())?;
                    }
                }
                Ok(())
            }
        })
    };
    let tree = Supervisor::one_for_one("app")
        .child(forward("ping", pong.clone()).address(&ping))
        .child(forward("pong", ping.clone()).address(&pong));
    let running = start(tree).await;
    ping.cast(10).expect("up");
    let shared = Supervisor::one_for_one("app")
        .child(forward("a", ping.clone()).address(&ping))
        .child(forward("b", ping.clone()).address(&ping));
    let error = shared.start().await.expect_err("one handle, two children");
    assert!(matches!(error, StartError::Invalid(_)));
    drop(running);
}

#[tokio::test]
async fn a_thread_that_waits_for_its_stop_goes_on_while_the_runtime_stands_still() {
    let (told, heard) = std::sync::mpsc::channel();
    let goes_on = Child::blocking_with("goes-on", told, |cx, told| {
        while !cx.wait_for_shutdown(Duration::from_millis(1)) {
            told.send(()).map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    let running = start(Supervisor::one_for_one("app").child(goes_on)).await;
    // This is the only thread that runs timers, and it is blocked.
    for _ in 0..3 {
        let told = heard.recv_timeout(Duration::from_secs(60));
        told.expect("its time is its own");
    }
    let report = running.stop(Duration::from_secs(60)).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_task_that_would_block_as_a_thread_may_panics() {
    let blocks = Child::task("blocks", |cx| async move {
        let _is_stopping = cx.wait_for_shutdown(Duration::from_secs(3_600));
        Ok(())
    });
    let tree = Supervisor::one_for_one("app").child(blocks);
    let error = tree
        .start()
        .await
        .expect_err("it did not come to its first await");
    let StartError::Failed {
        exit: Exit::Panicked(panic),
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    let location = panic.location.expect("it has one");
    assert!(
        location.file.ends_with("tree.rs"),
        "{location:?}: where it was called"
    );
}

#[tokio::test]
async fn a_thread_stops_when_asked_and_one_that_does_not_is_named() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let good = Child::blocking("good", |cx| {
        while !cx.wait_for_shutdown(Duration::from_millis(5)) {}
        Ok(())
    });
    let bad = Child::blocking("bad", move |_cx| {
        // Deaf to the stop until the test is over and drops the sender.
        let held = held.lock().map_err(|error| error.to_string())?;
        held.recv().unwrap_or_default();
        Ok(())
    });
    let running = start(Supervisor::one_for_one("app").child(good).child(bad)).await;
    let report = running.stop(Duration::from_millis(300)).await;
    let hung: Vec<_> = report.hung().iter().map(ToString::to_string).collect();
    assert_eq!(hung, ["/app", "/app/bad"]);
    assert_eq!(report.root.children[1].outcome, Outcome::Stopped);
    drop(release);
}

#[tokio::test]
async fn a_thread_that_goes_on_after_a_subtask_of_it_panicked_is_named_as_hung() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let deaf = Child::blocking("deaf", move |cx| {
        if cx.incarnation() == 1 {
            cx.spawn(async { panic!("below") });
        }
        let held = held.lock().map_err(|error| error.to_string())?;
        held.recv().unwrap_or_default();
        Ok(())
    });
    let running = start(Supervisor::one_for_one("app").child(deaf)).await;
    let mut events = Recorder::new(&running);
    let hung = events.wait_for_state("/app/deaf", State::Hung).await;
    hung.expect("its subtask failed it");
    drop(release);
    let back = events.wait_for_event("/app/deaf", "restarted").await;
    back.expect("its thread has ended");
}

#[tokio::test(start_paused = true)]
async fn the_last_event_carries_the_report() {
    let running = start(Supervisor::one_for_one("app").child(echo())).await;
    let mut events = running.subscribe("test");
    running.shutdown(ShutdownReason::Requested, Duration::from_secs(1));
    let told = loop {
        if let EventKind::ShutdownEnded { report } = events.recv().await.expect("it ends").kind {
            break report;
        }
    };
    assert_eq!(*told, running.wait().await);
}

#[tokio::test(start_paused = true)]
async fn events_have_no_holes_and_fit_the_snapshot() {
    let child = echo();
    let handle = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut events = running.subscribe("test");
    let before = running.snapshot().from_seq;
    handle.cast(Msg::Panic).expect("up");
    let mut seq = before;
    loop {
        let event = events.recv().await.expect("the tree lives");
        seq += 1;
        assert_eq!(event.seq, seq);
        if event.kind.code() == "restarted" {
            break;
        }
    }
    let snapshot = running.snapshot();
    assert_eq!(
        (snapshot.from_seq, snapshot.root.children[0].last_seq),
        (seq, seq)
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_loses_what_is_beyond_the_capacity_of_the_bus() {
    let tree = Supervisor::one_for_one("app").bus_capacity(3);
    let running = tree
        .child(Child::task("idle", |_cx| std::future::pending()))
        .start()
        .await
        .expect("it starts");
    let mut events = running.subscribe("slow");
    let before = running.snapshot().from_seq;
    running.restart_child("/app/idle").await.expect("it is up");
    let published = running.snapshot().from_seq - before;
    assert_eq!(
        events.recv().await,
        Err(perennial::ReceiveError::Lagged(published - 3))
    );
    assert_eq!(
        events.recv().await.expect("kept").seq,
        before + published - 2
    );
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_makes_no_sense_is_refused_with_its_path() {
    let idle = |name: &str| Child::task(name, |_cx| std::future::pending());
    let twice = Supervisor::one_for_one("app")
        .child(idle("a"))
        .child(idle("a"));
    let error = twice.start().await.expect_err("a name twice");
    let StartError::Invalid(invalid) = error else {
        panic!("{error}")
    };
    assert_eq!(
        invalid.to_string(),
        "/app/a is declared twice; give one of the two another name"
    );
    let slash = Supervisor::one_for_one("app")
        .child(idle("a/b"))
        .start()
        .await;
    assert!(matches!(slash, Err(StartError::Invalid(_))));
    let fixed = Supervisor::dynamic("app").child(idle("a")).start().await;
    assert!(matches!(fixed, Err(StartError::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_blocks_after_it_woke_its_supervisor_holds_up_nobody_else() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let child = Child::task_with("blocks", released, |cx, released| async move {
        // Woken by a timer, so that it is this worker thread that wakes the supervisor.
        tokio::time::sleep(Duration::from_millis(20)).await;
        cx.ready();
        let released = released.lock().expect("no panic holds it");
        assert!(released.recv().is_err(), "nobody sends");
        Ok(())
    });
    let child = child
        .explicit_ready()
        .start_timeout(Duration::from_millis(200));
    let started = Supervisor::one_for_one("app").child(child).start().await;
    let Err(StartError::Failed { path, exit }) = started else {
        panic!("its poll was never over, so that it never was ready")
    };
    assert_eq!((path.as_str(), exit), ("/app/blocks", Exit::StartTimedOut));
    drop(release);
}

/// Does something when it is dropped.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declaration_whose_drop_panics_or_blocks_does_not_keep_the_report_back() {
    /// Much longer than the budget.
    const BLOCKED: Duration = Duration::from_secs(4);
    let blocks = || {
        let (_kept, never) = std::sync::mpsc::channel::<()>();
        assert!(never.recv_timeout(BLOCKED).is_err(), "nobody sends");
    };
    // Two that panic: the second drop must not happen while the first one unwinds.
    for (what, dropped, names) in [
        ("panics", (|| panic!("in drop")) as fn(), &["a", "b"][..]),
        ("blocks", blocks, &["a"]),
    ] {
        let holding = |name: &str| {
            let held = OnDrop(dropped);
            Child::task(name, move |cx| {
                let _held = &held;
                async move {
                    cx.shutdown().await;
                    Ok(())
                }
            })
        };
        let children = names.iter().map(|name| holding(name));
        let running = start(children.fold(Supervisor::one_for_one("app"), Supervisor::child)).await;
        let stopped = tokio::time::timeout(BLOCKED / 2, running.stop(BLOCKED / 8)).await;
        let report = stopped.unwrap_or_else(|_late| panic!("a drop that {what}: no report"));
        assert!(report.hung().is_empty(), "{report}");
    }
}

#[tokio::test]
async fn what_a_removed_subtree_holds_may_panic_more_than_once_when_it_is_dropped() {
    let dropped = Arc::new(tokio::sync::Semaphore::new(0));
    let holding = |name: &str| {
        let dropped = Arc::clone(&dropped);
        let held = OnDrop(move || {
            dropped.add_permits(1);
            panic!("in drop")
        });
        Child::task(name, move |cx| {
            let _held = &held;
            async move {
                cx.shutdown().await;
                Ok(())
            }
        })
    };
    let inner = Supervisor::one_for_one("inner").child(holding("a"));
    let inner = inner.child(holding("b"));
    let running = start(Supervisor::one_for_one("app")).await;
    let app = running.supervisor("/app").expect("it is one");
    app.start_child(inner).await.expect("it starts");
    app.stop_child("inner").await.expect("it stops");
    app.delete_child("inner").await.expect("it is down");
    let both = dropped.acquire_many(2).await;
    drop(both.expect("both are dropped, and the process lives"));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_up_is_asked_to_stop_before_its_supervisor_knows_that_it_is() {
    let running = Arc::new(start(Supervisor::one_for_one("app")).await);
    let was_asked = Arc::new(AtomicBool::new(false));
    let (tree, asked) = (Arc::clone(&running), Arc::clone(&was_asked));
    let hasty = Child::task("hasty", move |cx| {
        let (tree, asked) = (Arc::clone(&tree), Arc::clone(&asked));
        async move {
            tree.shutdown(ShutdownReason::Requested, Duration::from_secs(1));
            cx.shutdown().await;
            asked.store(true, Ordering::Relaxed);
            Ok(())
        }
    });
    let app = running.supervisor("/app").expect("it is one");
    let started = app.start_child(hasty).await;
    let report = running.wait().await;
    assert!(was_asked.load(Ordering::Relaxed), "{started:?}, {report}");
    assert_eq!(report.root.children[0].outcome, Outcome::Stopped);
    assert!(started.is_ok(), "{started:?}");
}

#[tokio::test]
async fn what_a_refused_child_holds_may_panic_more_than_once_when_it_is_dropped() {
    let dropped = Arc::new(tokio::sync::Semaphore::new(0));
    let panics = || {
        let dropped = Arc::clone(&dropped);
        OnDrop(move || {
            dropped.add_permits(1);
            panic!("in drop")
        })
    };
    let (body, check) = (panics(), panics());
    let task = Child::task("taken", move |_cx| {
        let _held = &body;
        std::future::ready(Ok(()))
    });
    let check = HealthCheck::new(move || {
        let _held = &check;
        std::future::ready(Ok::<_, BoxError>(()))
    });
    let idle = Child::task("taken", |cx| async move {
        cx.shutdown().await;
        Ok(())
    });
    let running = start(Supervisor::one_for_one("app").child(idle)).await;
    let app = running.supervisor("/app").expect("it is one");
    let refused = app.start_child(task.health_check(check)).await;
    assert!(matches!(
        refused,
        Err(StartChildError::AlreadyPresent { .. })
    ));
    let both = dropped.acquire_many(2).await;
    drop(both.expect("both are dropped, and the process lives"));
}

#[tokio::test(start_paused = true)]
async fn restarts_that_are_decided_on_at_once_use_the_intensity_up_each() {
    let crashes_once = |name: &str| {
        let has_crashed = Arc::new(AtomicBool::new(false));
        Child::task(name, move |cx: Context| {
            let crashes = !has_crashed.swap(true, Ordering::Relaxed);
            async move {
                if crashes {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    return Err("once".into());
                }
                cx.shutdown().await;
                Ok(())
            }
        })
    };
    // Both have crashed when the last one is up; nobody is restarted before that.
    let slow = Child::step("slow", |_cx| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(4, Duration::from_secs(60))
        .child(crashes_once("a"))
        .child(crashes_once("b"))
        .child(slow);
    let running = start(tree).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let root = running.snapshot().root;
    assert_eq!(
        (root.children[0].incarnation, root.children[1].incarnation),
        (2, 2)
    );
    assert_eq!(root.intensity_used, Some(0.5));
}

/// Notes which events there are when it is woken.
struct Hears(Mutex<Subscriber<SubsystemEvent>>, Trace);

impl Wake for Hears {
    fn wake(self: Arc<Self>) {
        let mut events = self.0.lock().expect("no panic holds it");
        while let Ok(Some(event)) = events.try_recv() {
            self.1.add(event.kind.code());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_an_event_before_anybody_hears_of_it() {
    let running = start(Supervisor::one_for_one("app")).await;
    let trace = Trace::default();
    let heard = Mutex::new(running.subscribe("test"));
    let waker = Waker::from(Arc::new(Hears(heard, trace.clone())));
    let shutdown = running.shutdown_handle();
    let mut began = pin!(shutdown.began());
    let polled = began.as_mut().poll(&mut PollContext::from_waker(&waker));
    assert!(polled.is_pending());
    running.shutdown(ShutdownReason::Requested, Duration::from_secs(60));
    assert_eq!(
        *trace.0.lock().expect("no panic holds it"),
        ["shutdown_began"]
    );
}
