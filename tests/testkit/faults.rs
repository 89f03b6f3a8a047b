//! Claims on faults: what each does to each kind of child, and when it can't be done.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::supervisor::status::State;
use perennial::testkit::{self, Fault, FaultError, Recorder};
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, BoxError, Child, Context, Handle, Inbox, Restart,
    ShutdownReason, SupervisionEvent, Supervisor,
};

use crate::{idle, start, two};

/// What an actor's hooks noted.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<&'static str>>>);

impl Notes {
    fn add(&self, note: &'static str) {
        self.0.lock().expect("no panic holds it").push(note);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().expect("no panic holds it"))
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

/// An actor that says what is done to it.
struct Ours(Notes);

enum Message {
    Note,
    Wait,
}

impl Actor for Ours {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Note => self.0.add("handled"),
            Message::Wait => {
                self.0.add("waits");
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.add("event");
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.0.add("post_stop");
        Ok(())
    }
}

fn actor(name: &str, notes: &Notes) -> Child<Message> {
    Child::actor_with(name, notes.clone(), |_cx, notes| (Ours(notes), ()))
}

fn worker(name: &str) -> Child<u32> {
    Child::worker(name, |_cx, mut inbox: Inbox<u32>| async move {
        while inbox.recv().await.is_some() {}
        Ok(())
    })
}

/// A step that finishes when nobody hinders it, after a minute.
fn step(name: &str) -> Child {
    Child::step(name, |_cx| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    })
}

/// Starts an actor `/app/actor` that comes back at once.
async fn one_actor(notes: &Notes) -> (perennial::Running, Handle<Message>) {
    let child = actor("actor", notes).stop_timeout(Duration::from_secs(1));
    let handle = child.handle();
    let tree = Supervisor::one_for_one("app").backoff(Backoff::none());
    (start(tree.child(child)).await, handle)
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_a_task_a_worker_and_an_actor_in_its_own_way() -> Result<(), BoxError> {
    let notes = Notes::default();
    let running = start(
        Supervisor::one_for_one("app")
            .backoff(Backoff::none())
            .intensity(1_000, Duration::from_secs(1))
            .child(idle("task"))
            .child(worker("worker"))
            .child(actor("actor", &notes)),
    )
    .await;
    let mut recorder = Recorder::new(&running);
    for child in ["task", "worker", "actor"] {
        let path = format!("/app/{child}");
        for (fault, exit) in [
            (Fault::Panic, "panicked: injected by the test kit"),
            (Fault::Error, "failed: injected by the test kit"),
            (Fault::Kill, "killed"),
        ] {
            testkit::inject(&running, &path, fault)?;
            recorder.wait_for_event(&path, "restarted").await?;
            let status = recorder.wait_for_state(&path, State::Running).await?;
            let last = status.last_exit.expect("it ended").to_string();
            assert_eq!(last, exit, "{path}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_hangs_ignores_its_stop_and_is_killed_at_the_end_of_its_time() -> Result<(), BoxError>
{
    let notes = Notes::default();
    let second = Duration::from_secs(1);
    let running = start(
        Supervisor::one_for_one("app")
            .child(idle("task").stop_timeout(second))
            .child(worker("worker").stop_timeout(second))
            .child(actor("actor", &notes).stop_timeout(second)),
    )
    .await;
    let mut recorder = Recorder::new(&running);
    for child in ["task", "worker", "actor"] {
        let path = format!("/app/{child}");
        testkit::hang(&running, &path)?;
        running.stop_child(&path).await?;
        recorder.assert_exactly(&path, &["stop_requested", "stopped: killed"]);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_actor_between_two_messages_crashes_without_its_post_stop() -> Result<(), BoxError> {
    let notes = Notes::default();
    let (running, handle) = one_actor(&notes).await;
    let mut recorder = Recorder::new(&running);
    handle.cast(Message::Note)?;
    tokio::task::yield_now().await;
    assert_eq!(notes.take(), ["handled"]);
    testkit::crash(&running, "/app/actor")?;
    // It comes before what waits already.
    handle.cast(Message::Note)?;
    recorder.wait_for_event("/app/actor", "restarted").await?;
    assert_eq!(notes.take(), ["dropped"]);
    let status = recorder
        .wait_for_state("/app/actor", State::Running)
        .await?;
    assert_eq!(status.messages_lost, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_actor_in_a_handler_crashes_there() -> Result<(), BoxError> {
    let notes = Notes::default();
    let (running, handle) = one_actor(&notes).await;
    let mut recorder = Recorder::new(&running);
    handle.cast(Message::Wait)?;
    tokio::task::yield_now().await;
    assert_eq!(notes.take(), ["waits"]);
    testkit::fail(&running, "/app/actor")?;
    recorder
        .wait_for_event("/app/actor", "exited: failed")
        .await?;
    assert_eq!(notes.take(), ["dropped"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_hangs_still_takes_messages_and_handles_none() -> Result<(), BoxError> {
    let notes = Notes::default();
    let (running, handle) = one_actor(&notes).await;
    testkit::hang(&running, "/app/actor")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    handle.cast(Message::Note)?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let status = running.which_children("/app").expect("it is there");
    assert_eq!(
        (status[0].state, status[0].mailbox_depth),
        (State::Running, Some(1))
    );
    assert_eq!(notes.take(), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_hangs_can_still_be_killed_or_crash() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    for (fault, exited) in [
        (Fault::Kill, "exited: killed"),
        (Fault::Panic, "exited: panicked"),
    ] {
        testkit::hang(&running, "/app/a")?;
        tokio::task::yield_now().await;
        testkit::inject(&running, "/app/a", fault)?;
        recorder.wait_for_event("/app/a", exited).await?;
        recorder.wait_for_event("/app/a", "restarted").await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_over_with_the_run_that_it_was_meant_for() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    testkit::crash(&running, "/app/a")?;
    testkit::kill(&running, "/app/a")?;
    recorder.wait_for_event("/app/a", "restarted").await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let status = recorder.wait_for_state("/app/a", State::Running).await?;
    assert_eq!(status.incarnation, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_fault_during_a_start_is_a_failed_start() -> Result<(), BoxError> {
    let app = Supervisor::one_for_one("app").child(idle("a"));
    let handle = app.handle();
    let running = start(app).await;
    let starting = tokio::spawn(async move { handle.start_child(step("step")).await });
    let mut recorder = Recorder::new(&running);
    recorder
        .wait_for_state("/app/step", State::Starting)
        .await?;
    testkit::crash(&running, "/app/step")?;
    recorder
        .wait_for_event("/app/step", "start_failed: panicked")
        .await?;
    starting.await?.expect_err("its start failed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_panics_stops_its_children_and_is_restarted() -> Result<(), BoxError> {
    let inner = Supervisor::one_for_one("inner")
        .child(idle("a"))
        .child(idle("b"));
    let running = start(Supervisor::one_for_one("app").child(inner)).await;
    let mut recorder = Recorder::new(&running);
    testkit::crash(&running, "/app/inner")?;
    recorder.wait_for_event("/app/inner", "restarted").await?;
    recorder.assert_order(&[
        ("/app/inner/b", "stopped: stopped"),
        ("/app/inner/a", "stopped: stopped"),
        ("/app/inner", "exited: panicked"),
        ("/app/inner/a", "started"),
        ("/app/inner/b", "started"),
        ("/app/inner", "started"),
    ]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_root_that_panics_ends_the_tree() -> Result<(), BoxError> {
    let running = two().await;
    testkit::crash(&running, "/app")?;
    let report = running.wait().await;
    assert_eq!(
        report.exit.to_string(),
        "panicked: injected by the test kit"
    );
    let error = testkit::crash(&running, "/app").expect_err("it is over");
    assert_eq!(error.to_string(), "/app does not run: it is down");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn subtasks_go_on_while_their_child_hangs_and_end_with_it() -> Result<(), BoxError> {
    let beats = Arc::new(Mutex::new(0));
    let child = Child::task_with("a", Arc::clone(&beats), |cx: Context, beats| async move {
        cx.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                *beats.lock().expect("no panic holds it") += 1;
            }
        });
        std::future::pending().await
    });
    let child = child.restart(Restart::Temporary);
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    let mut recorder = Recorder::new(&running);
    testkit::hang(&running, "/app/a")?;
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    assert_eq!(*beats.lock().expect("no panic holds it"), 5);
    testkit::kill(&running, "/app/a")?;
    recorder.wait_for_event("/app/a", "exited: killed").await?;
    assert_eq!(
        Arc::strong_count(&beats),
        1 + 1,
        "the declaration's and ours"
    );
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_reason() -> Result<(), BoxError> {
    let blocking = Child::blocking("thread", |cx| {
        while !cx.wait_for_shutdown(Duration::from_secs(1)) {}
        Ok(())
    });
    let running = start(
        Supervisor::one_for_one("app")
            .child(idle("a"))
            .child(blocking),
    )
    .await;
    running.stop_child("/app/a").await?;
    let table = [
        ("/app/x", Fault::Kill, "not_found", "nothing is at /app/x"),
        (
            "/app/a",
            Fault::Panic,
            "not_running",
            "/app/a does not run: it is down",
        ),
        (
            "/app/thread",
            Fault::Hang,
            "unsupported",
            "/app/thread is of the kind Blocking, which takes no hang",
        ),
        (
            "/app",
            Fault::Kill,
            "unsupported",
            "/app is of the kind Supervisor, which takes no kill",
        ),
    ];
    for (path, fault, code, text) in table {
        let error: FaultError = testkit::inject(&running, path, fault).expect_err(text);
        assert_eq!((error.code(), &*error.to_string()), (code, text));
    }
    assert!(running.stop(Duration::from_secs(5)).await.is_clean());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_reach_their_children_on_several_threads_too() -> Result<(), BoxError> {
    let notes = Notes::default();
    let running = start(
        Supervisor::one_for_one("app")
            .backoff(Backoff::none())
            .intensity(10_000, Duration::from_secs(1))
            .child(worker("worker"))
            .child(actor("actor", &notes)),
    )
    .await;
    let mut recorder = Recorder::new(&running);
    for fault in [Fault::Panic, Fault::Error, Fault::Kill].repeat(20) {
        for path in ["/app/worker", "/app/actor"] {
            testkit::inject(&running, path, fault)?;
            recorder.wait_for_event(path, "restarted").await?;
        }
    }
    Ok(())
}

/// On the real clock: a paused one does not wait for a thread to begin.
#[tokio::test]
async fn who_waits_for_a_supervisor_that_panics_is_answered_though_a_child_of_it_hangs()
-> Result<(), BoxError> {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let blocks = Child::blocking("blocks", move |_cx| {
        // Ends when the test lets it.
        drop(released.lock().map(|released| released.recv()));
        Ok(())
    });
    let minute = Duration::from_secs(60);
    let inner = Supervisor::one_for_one("inner").child(blocks.stop_timeout(minute));
    let handle = inner.handle();
    let running = start(Supervisor::one_for_one("app").child(inner)).await;
    let mut recorder = Recorder::new(&running);
    let asked = tokio::spawn(async move { handle.stop_child("blocks").await });
    recorder
        .wait_for_state("/app/inner/blocks", State::Stopping)
        .await?;
    testkit::crash(&running, "/app/inner")?;
    // What is left is given up at once, and still lives.
    running.shutdown(ShutdownReason::Requested, Duration::ZERO);
    let answered = tokio::time::timeout(minute, asked).await??;
    assert_eq!(answered.map_err(|error| error.code()), Err("shutting_down"));
    drop(release);
    Ok(())
}
