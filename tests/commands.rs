//! Claims on commands by hand: who may ask what of which child, and what the answer is.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::Arc;
use std::time::Duration;

use perennial::command::{CommandError, StartChildError};
use perennial::exit::Exit;
use perennial::supervisor::status::{NodeStatus, State};
use perennial::testkit::Recorder;
use perennial::{
    Backoff, Child, Context, Handle, Inbox, Path, Reply, Running, Supervisor, SupervisorHandle,
};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A task that runs until it is asked to stop.
fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

/// A task that never ends by itself.
fn deaf(name: &str) -> Child {
    Child::task(name, |_cx| std::future::pending())
}

/// A task whose start fails, each time.
fn broken(name: &str) -> Child {
    Child::task(name, |_cx| async { Err("broken".into()) })
}

/// A task that is up once it has been let in.
fn gated(name: &str, gate: &Arc<Notify>) -> Child {
    let body = |cx: Context, gate: Arc<Notify>| async move {
        gate.notified().await;
        cx.ready();
        cx.shutdown().await;
        Ok(())
    };
    Child::task_with(name, Arc::clone(gate), body).explicit_ready()
}

/// A worker that ends as it is told to.
fn worker(name: &str) -> Child<Exit> {
    Child::worker(name, |_cx, mut inbox: Inbox<Exit>| async move {
        match inbox.recv().await {
            None | Some(Exit::Normal) => Ok(()),
            Some(exit) => Err(exit.to_string().into()),
        }
    })
}

fn crash(handle: &Handle<Exit>) {
    handle.cast(Exit::Killed).expect("it is up");
}

async fn start(tree: Supervisor) -> Running {
    tree.start().await.expect("it starts")
}

/// Starts a tree `/app` with these children.
async fn app(children: impl IntoIterator<Item = Child>) -> (Running, SupervisorHandle) {
    let tree = children
        .into_iter()
        .fold(Supervisor::one_for_one("app"), Supervisor::child);
    let handle = tree.handle();
    (start(tree).await, handle)
}

async fn until(events: &mut Recorder, code: &str, path: &str) {
    let event = events.wait_for_event(path, code).await;
    event.expect("it comes");
}

fn children(running: &Running, path: &str) -> Vec<NodeStatus> {
    running.which_children(path).expect("it is there")
}

/// Returns name, state and incarnation of each child.
fn summary(running: &Running, path: &str) -> Vec<(String, State, u64)> {
    let line = |child: NodeStatus| (child.path.name().to_owned(), child.state, child.incarnation);
    children(running, path).into_iter().map(line).collect()
}

fn state(running: &Running, path: &str) -> Option<State> {
    let mut found = None;
    running.snapshot().root.visit(&mut |node| {
        if node.path == path {
            found = Some(node.state);
        }
    });
    found
}

#[tokio::test(start_paused = true)]
async fn every_command_of_a_running_tree_does_what_it_says() {
    let (running, _) = app([idle("a")]).await;
    running.restart_child("/app/a").await.expect("it is up");
    assert_eq!(summary(&running, "/app"), [("a".into(), State::Running, 2)]);
    running.stop_child("/app/a").await.expect("it is up");
    assert_eq!(summary(&running, "/app"), [("a".into(), State::Down, 2)]);
    running
        .stop_child("/app/a")
        .await
        .expect("it is down already");
    running.restart_child("/app/a").await.expect("it is down");
    assert_eq!(summary(&running, "/app"), [("a".into(), State::Running, 3)]);
    let error = running.delete_child("/app/a").await.expect_err("it is up");
    assert_eq!(error.to_string(), "/app/a is running; stop it first");
    let error = running.release("/app/a").await.expect_err("it is up");
    assert_eq!(error.code(), "not_quarantined");
    running.stop_child("/app/a").await.expect("it is up");
    running.delete_child("/app/a").await.expect("it is down");
    assert_eq!(summary(&running, "/app"), []);
}

#[tokio::test(start_paused = true)]
async fn every_command_of_a_supervisor_handle_does_what_it_says() {
    let (_running, app) = app([idle("a")]).await;
    let path = app.start_child(idle("b")).await.expect("a new name");
    assert_eq!(path, "/app/b");
    app.restart_child("b").await.expect("it is up");
    app.stop_child("b").await.expect("it is up");
    let count = app.count_children().expect("started");
    assert_eq!((count.specifications, count.active), (2, 1));
    app.delete_child("b").await.expect("it is down");
    assert_eq!(app.which_children().expect("started").len(), 1);
    let snapshot = app.snapshot().expect("started");
    assert_eq!(snapshot.path, "/app");
    let error = app.release("a").await.expect_err("it is up");
    assert_eq!(error.code(), "not_quarantined");
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_first_start_fails_is_answered_with_the_cause_and_removed() {
    let (_running, app) = app([]).await;
    let error = app.start_child(broken("a")).await.expect_err("broken");
    assert_eq!(error.to_string(), "/app/a did not start: failed: broken");
    assert!(app.which_children().expect("started").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_child_is_gone_when_the_answer_comes() {
    let (running, _) = app([idle("a")]).await;
    running.stop_child("/app/a").await.expect("it is up");
    running.delete_child("/app/a").await.expect("it is down");
    let error = running.stop_child("/app/a").await.expect_err("gone");
    assert_eq!(error.to_string(), "there is no /app/a");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_found() {
    let (running, app) = app([idle("a")]).await;
    for path in ["/app/b", "/app/a/b", "/app", "/other/a", "app", ""] {
        let error = running.restart_child(path).await.expect_err("not there");
        assert_eq!(error.code(), "not_found", "{path:?}");
    }
    let error = app.stop_child("").await.expect_err("no such name");
    assert_eq!(error.code(), "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_starts_or_stops_is_in_progress_and_a_stop_cancels_the_start() {
    let gate = Arc::new(Notify::new());
    let (running, app) = app([deaf("slow")]).await;
    let starting = tokio::spawn({
        let (app, child) = (app.clone(), gated("gated", &gate));
        async move { app.start_child(child).await }
    });
    tokio::task::yield_now().await;
    for asked in [
        app.restart_child("gated").await,
        app.delete_child("gated").await,
        app.release("gated").await,
    ] {
        assert_eq!(asked.expect_err("it is starting").code(), "in_progress");
    }
    app.stop_child("gated").await.expect("it is starting");
    let error = starting.await.expect("no panic").expect_err("stopped");
    assert_eq!(error.to_string(), "/app/gated was stopped before it was up");
    assert_eq!(state(&running, "/app/gated"), None, "it never came up");

    let stopping = tokio::spawn({
        let app = app.clone();
        async move { app.stop_child("slow").await }
    });
    tokio::task::yield_now().await;
    for asked in [
        app.stop_child("slow").await,
        app.restart_child("slow").await,
        app.delete_child("slow").await,
    ] {
        assert_eq!(asked.expect_err("it is stopping").code(), "in_progress");
    }
    assert_eq!(stopping.await.expect("no panic"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_calls_a_backoff_off_and_a_restart_does_not_wait_for_it() {
    let slow = worker("a").backoff(Backoff::fixed(seconds(60)));
    let handle = slow.handle();
    let running = start(Supervisor::one_for_one("app").child(slow)).await;
    let mut events = Recorder::new(&running);
    crash(&handle);
    until(&mut events, "backing_off", "/app/a").await;
    let error = running
        .delete_child("/app/a")
        .await
        .expect_err("it comes back");
    assert_eq!(error.code(), "in_progress");
    let began = Instant::now();
    running.restart_child("/app/a").await.expect("at once");
    assert_eq!(began.elapsed(), Duration::ZERO);
    crash(&handle);
    until(&mut events, "backing_off", "/app/a").await;
    running.stop_child("/app/a").await.expect("called off");
    tokio::time::sleep(seconds(600)).await;
    assert_eq!(state(&running, "/app/a"), Some(State::Down));
}

#[tokio::test(start_paused = true)]
async fn during_a_group_restart_every_member_is_in_progress() {
    let first = worker("first").backoff(Backoff::fixed(seconds(60)));
    let handle = first.handle();
    let tree = Supervisor::one_for_all("app")
        .child(first)
        .child(idle("second"));
    let app = tree.handle();
    let running = start(tree).await;
    let mut events = Recorder::new(&running);
    crash(&handle);
    until(&mut events, "stopped", "/app/second").await;
    for name in ["first", "second"] {
        for asked in [
            app.stop_child(name).await,
            app.restart_child(name).await,
            app.delete_child(name).await,
            app.release(name).await,
        ] {
            assert_eq!(asked.expect_err("a group").code(), "in_progress", "{name}");
        }
    }
    let error = app.start_child(idle("third")).await.expect_err("a group");
    assert_eq!(error, StartChildError::InProgress);
    until(&mut events, "started", "/app/second").await;
    app.stop_child("second").await.expect("the group is over");
}

#[tokio::test(start_paused = true)]
async fn before_during_and_after_a_tree_the_answers_say_so() {
    let gate = Arc::new(Notify::new());
    let tree = Supervisor::one_for_one("app")
        .child(idle("a"))
        .child(gated("gated", &gate));
    let app = tree.handle();
    assert_eq!(app.stop_child("a").await, Err(CommandError::NotRunning));
    assert_eq!(
        app.start_child(idle("b")).await,
        Err(StartChildError::NotRunning)
    );
    assert!(app.snapshot().is_none());

    let starting = tokio::spawn(tree.start());
    tokio::task::yield_now().await;
    let error = app.stop_child("a").await.expect_err("starting");
    assert_eq!(
        error.to_string(),
        "the supervisor of /app/a is still starting"
    );
    assert_eq!(
        app.start_child(idle("b")).await,
        Err(StartChildError::Starting)
    );
    assert_eq!(app.snapshot().expect("it began").children.len(), 2);
    gate.notify_one();
    let running = starting.await.expect("no panic").expect("it starts");

    app.start_child(deaf("deaf")).await.expect("it is up");
    running.shutdown(perennial::ShutdownReason::Requested, seconds(5));
    for asked in [
        app.stop_child("a").await,
        app.restart_child("a").await,
        app.delete_child("a").await,
        app.release("a").await,
        // Whoever it speaks of: also of one that was never there.
        app.stop_child("nobody").await,
    ] {
        assert_eq!(asked, Err(CommandError::ShuttingDown));
    }
    assert_eq!(
        app.start_child(idle("b")).await,
        Err(StartChildError::ShuttingDown)
    );
    drop(running.wait().await);
    assert_eq!(app.stop_child("a").await, Err(CommandError::NotRunning));
    assert!(app.which_children().is_some(), "reading goes on");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_ended_in_a_shutdown_says_that_it_is_shutting_down() {
    let over = Supervisor::one_for_one("over").child(idle("a"));
    let inside = over.handle();
    let slow = deaf("slow");
    let tree = Supervisor::one_for_one("app").child(slow).child(over);
    let running = start(tree).await;
    let mut events = Recorder::new(&running);
    running.shutdown(perennial::ShutdownReason::Requested, seconds(5));
    until(&mut events, "stopped", "/app/over").await;
    let asked = inside.stop_child("a").await;
    assert_eq!(asked, Err(CommandError::ShuttingDown));
    let started = inside.start_child(idle("b")).await;
    assert_eq!(started, Err(StartChildError::ShuttingDown));
    drop(running.wait().await);
    let asked = inside.stop_child("a").await;
    assert_eq!(asked, Err(CommandError::NotRunning));
}

#[tokio::test(start_paused = true)]
async fn a_command_on_a_supervisor_that_waits_for_its_restart_finds_it_not_running() {
    let child = worker("a");
    let handle = child.handle();
    let inner = Supervisor::one_for_one("inner")
        .intensity(0, seconds(1))
        .own_backoff(Backoff::fixed(seconds(60)))
        .child(child);
    let inside = inner.handle();
    let running = start(Supervisor::one_for_one("app").child(inner)).await;
    let mut events = Recorder::new(&running);
    crash(&handle);
    until(&mut events, "backing_off", "/app/inner").await;
    assert_eq!(inside.stop_child("a").await, Err(CommandError::NotRunning));
    until(&mut events, "started", "/app/inner").await;
    inside.stop_child("a").await.expect("the same handle");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_refused_and_told_whether_its_child_is_alive() {
    let (running, app) = app([idle("a")]).await;
    for is_alive in [true, false] {
        let error = app.start_child(idle("a")).await.expect_err("taken");
        let StartChildError::AlreadyPresent {
            path,
            is_alive: told,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((path.as_str(), told), ("/app/a", is_alive));
        running.stop_child("/app/a").await.expect("a stop");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_may_leave_and_the_command_is_done_nevertheless() {
    let (running, app) = app([deaf("a")]).await;
    let mut events = Recorder::new(&running);
    let left = tokio::time::timeout(seconds(1), app.restart_child("a")).await;
    assert!(left.is_err(), "a deaf child takes five seconds to stop");
    until(&mut events, "restarted", "/app/a").await;
    assert_eq!(summary(&running, "/app"), [("a".into(), State::Running, 2)]);
}

/// Where a caller stands inside the tree.
enum Request {
    Ask(Asked, SupervisorHandle, &'static str, Answer),
    Add(
        SupervisorHandle,
        Box<Child>,
        oneshot::Sender<Result<Path, StartChildError>>,
    ),
}

#[derive(Clone, Copy)]
enum Asked {
    Stop,
    Restart,
}

type Answer = oneshot::Sender<Result<(), CommandError>>;

/// A worker that asks what it is told to, from inside, and goes on until it is asked to stop.
fn asker(name: &str) -> Child<Request> {
    Child::worker(name, |_cx, mut inbox: Inbox<Request>| async move {
        while let Some(request) = inbox.recv().await {
            match request {
                Request::Ask(asked, supervisor, name, answer) => {
                    let outcome = match asked {
                        Asked::Stop => supervisor.stop_child(name).await,
                        Asked::Restart => supervisor.restart_child(name).await,
                    };
                    drop(answer.send(outcome));
                }
                Request::Add(supervisor, child, answer) => {
                    drop(answer.send(supervisor.start_child(*child).await));
                }
            }
        }
        Ok(())
    })
}

/// A tree `/app/inner` with an asker and a sibling, and the means to make it ask.
struct Inside {
    running: Running,
    asker: Handle<Request>,
}

impl Inside {
    async fn start() -> Self {
        let child = asker("asker");
        let asker = child.handle();
        let inner = Supervisor::one_for_one("inner")
            .child(child)
            .child(idle("sibling"));
        let running = start(Supervisor::one_for_one("app").child(inner)).await;
        Self { running, asker }
    }

    /// Asks from inside, and returns the answer and how long it took.
    async fn ask(&self, asked: Asked, path: &'static str) -> (Result<(), CommandError>, Duration) {
        let (parent, name) = path.rsplit_once('/').expect("a path");
        let supervisor = self.running.supervisor(parent).expect("it is there");
        let (answer, answered) = oneshot::channel();
        let began = Instant::now();
        let request = Request::Ask(asked, supervisor, name, answer);
        self.asker.cast(request).expect("it is up");
        let outcome = answered.await.expect("the asker lived to hear it");
        (outcome, began.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_commands_its_sibling_and_adds_another() {
    let inside = Inside::start().await;
    for asked in [Asked::Restart, Asked::Stop] {
        let (outcome, _) = inside.ask(asked, "/app/inner/sibling").await;
        assert_eq!(outcome, Ok(()));
    }
    assert_eq!(
        state(&inside.running, "/app/inner/sibling"),
        Some(State::Down)
    );
    let inner = inside
        .running
        .supervisor("/app/inner")
        .expect("it is there");
    let (answer, answered) = oneshot::channel();
    let request = Request::Add(inner, Box::new(idle("added")), answer);
    inside.asker.cast(request).expect("it is up");
    assert!(answered.await.expect("it lives").is_ok());
    assert_eq!(
        state(&inside.running, "/app/inner/added"),
        Some(State::Running)
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_that_stops_or_restarts_itself_is_answered_when_that_is_accepted() {
    for (asked, state_after) in [(Asked::Stop, State::Down), (Asked::Restart, State::Running)] {
        let inside = Inside::start().await;
        let mut events = Recorder::new(&inside.running);
        let (outcome, took) = inside.ask(asked, "/app/inner/asker").await;
        assert_eq!((outcome, took), (Ok(()), Duration::ZERO));
        until(&mut events, "stopped", "/app/inner/asker").await;
        if matches!(asked, Asked::Restart) {
            until(&mut events, "started", "/app/inner/asker").await;
        }
        assert_eq!(
            state(&inside.running, "/app/inner/asker"),
            Some(state_after)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_stops_or_restarts_its_supervisor_is_answered_when_that_is_accepted() {
    for (asked, state_after) in [(Asked::Stop, State::Down), (Asked::Restart, State::Running)] {
        let inside = Inside::start().await;
        let mut events = Recorder::new(&inside.running);
        let (outcome, took) = inside.ask(asked, "/app/inner").await;
        assert_eq!((outcome, took), (Ok(()), Duration::ZERO));
        until(&mut events, "stopped", "/app/inner").await;
        if matches!(asked, Asked::Restart) {
            until(&mut events, "started", "/app/inner").await;
        }
        assert_eq!(
            state(&inside.running, "/app/inner/asker"),
            Some(state_after)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_is_one_childs_at_a_time_and_can_be_given_on() {
    let handle = Handle::unbound();
    let child = |name: &str| {
        let echo = |_cx, mut inbox: Inbox<Reply<()>>| async move {
            while let Some(reply) = inbox.recv().await {
                reply.send(()).ok();
            }
            Ok(())
        };
        Child::worker(name, echo).address(&handle).address(&handle)
    };
    let pool = Supervisor::dynamic("app");
    let supervisor = pool.handle();
    let _running = pool.start().await.expect("it starts");
    supervisor
        .start_child(child("a"))
        .await
        .expect("it is its own");
    let refused = supervisor.start_child(child("b")).await;
    assert_eq!(refused.map_err(|error| error.code()), Err("invalid"));
    handle.call(|reply| reply).await.expect("`a` has it still");
    supervisor.stop_child("a").await.expect("it stops");
    // Its declaration is dropped in a task of its own.
    let given_on = async {
        while supervisor.start_child(child("b")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(seconds(60), given_on).await;
    in_time.expect("`a` is gone");
    handle.call(|reply| reply).await.expect("`b` has it");
}
