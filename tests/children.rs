//! Claims on the children of a supervisor that is restarted, and of a dynamic one.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::time::Duration;

use perennial::command::CommandError;
use perennial::exit::Exit;
use perennial::supervisor::status::{NodeStatus, State};
use perennial::testkit::Recorder;
use perennial::{Child, Context, Handle, Inbox, Restart, Running, Supervisor};

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

/// Starts `/app/inner` with children in every state that a restart of it must put right.
async fn battered() -> (Running, Vec<Handle<Exit>>) {
    let names = [
        "up",
        "stopped",
        "deleted",
        "quarantined",
        "temporary",
        "crashing",
    ];
    let children = names.map(|name| match name {
        "quarantined" => worker(name).limit(0, seconds(60)),
        "temporary" => worker(name).restart(Restart::Temporary),
        name => worker(name),
    });
    let handles = children.each_ref().map(Child::handle).to_vec();
    let inner = children.into_iter().fold(
        Supervisor::one_for_one("inner").intensity(1, seconds(3_600)),
        Supervisor::child,
    );
    let running = start(Supervisor::one_for_one("app").child(inner)).await;
    let inner = running.supervisor("/app/inner").expect("it is there");
    inner.start_child(idle("added")).await.expect("a new name");
    inner.stop_child("stopped").await.expect("it is up");
    inner.stop_child("deleted").await.expect("it is up");
    inner.delete_child("deleted").await.expect("it is down");
    let mut events = Recorder::new(&running);
    crash(&handles[3]);
    until(&mut events, "quarantined", "/app/inner/quarantined").await;
    handles[4].cast(Exit::Normal).expect("it is up");
    until(&mut events, "exited", "/app/inner/temporary").await;
    crash(&handles[5]);
    until(&mut events, "restarted", "/app/inner/crashing").await;
    (running, handles)
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_restarted_by_its_parent_starts_from_its_declaration() {
    let (running, handles) = battered().await;
    let before = [
        ("up".into(), State::Running, 1),
        ("stopped".into(), State::Down, 1),
        ("quarantined".into(), State::Quarantined, 1),
        ("crashing".into(), State::Running, 2),
        ("added".into(), State::Running, 1),
    ];
    assert_eq!(summary(&running, "/app/inner"), before);
    let mut events = Recorder::new(&running);
    // The second crash within the hour is a meltdown.
    crash(&handles[5]);
    until(&mut events, "meltdown", "/app/inner").await;
    until(&mut events, "restarted", "/app/inner").await;
    let after = [
        ("up".into(), State::Running, 2),
        ("stopped".into(), State::Running, 2),
        ("deleted".into(), State::Running, 2),
        ("quarantined".into(), State::Running, 2),
        ("temporary".into(), State::Running, 2),
        ("crashing".into(), State::Running, 3),
    ];
    assert_eq!(summary(&running, "/app/inner"), after);
    // Every handle is valid again, that of a deleted and of an ended temporary child too; and the
    // window is empty: one crash is allowed again.
    for handle in &handles {
        handle.ready().await.expect("it is up");
    }
    crash(&handles[5]);
    until(&mut events, "restarted", "/app/inner/crashing").await;
    assert_eq!(state(&running, "/app/inner"), Some(State::Running));
}

#[tokio::test(start_paused = true)]
async fn children_that_ended_stay_visible_the_newest_thirty_two_of_them() {
    let dynamic = Supervisor::dynamic("connections");
    let connections = dynamic.handle();
    let running = start(Supervisor::one_for_one("app").child(dynamic)).await;
    let mut events = Recorder::new(&running);
    for number in 0..40 {
        let child = worker(&format!("conn-{number}"));
        let handle = child.handle();
        let path = connections.start_child(child).await.expect("room");
        crash(&handle);
        until(&mut events, "exited", path.as_str()).await;
    }
    let status = connections.snapshot().expect("started");
    assert!(status.children.is_empty());
    let ended: Vec<_> = status.recently_ended.iter().collect();
    let names: Vec<_> = ended.iter().map(|child| child.path.name()).collect();
    let expected: Vec<_> = (8..40).map(|number| format!("conn-{number}")).collect();
    assert_eq!(names, expected);
    let last = ended[31].last_exit.as_ref().expect("it ended");
    assert_eq!(last.code(), "failed");
}

#[tokio::test(start_paused = true)]
async fn children_without_a_name_are_numbered_without_a_clash() {
    let dynamic = Supervisor::dynamic("connections");
    let connections = dynamic.handle();
    let _running = start(Supervisor::one_for_one("app").child(dynamic)).await;
    let mut names = Vec::new();
    for name in ["1", "", "3", "", "", "0", ""] {
        let path = connections.start_child(idle(name)).await.expect("no clash");
        names.push(path.name().to_owned());
    }
    let mut distinct = names.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    assert_eq!((&*names[0], &*names[2], &*names[5]), ("1", "3", "0"));
}

#[tokio::test(start_paused = true)]
async fn a_full_dynamic_supervisor_has_room_again_when_a_child_has_ended() {
    let dynamic = Supervisor::dynamic("connections").max_children(2);
    let connections = dynamic.handle();
    let _running = start(Supervisor::one_for_one("app").child(dynamic)).await;
    connections.start_child(idle("a")).await.expect("room");
    connections.start_child(idle("b")).await.expect("room");
    let error = connections.start_child(idle("c")).await.expect_err("full");
    assert_eq!(
        error.to_string(),
        "/app/connections is at its capacity of 2 children"
    );
    let error = connections.start_child(idle("a")).await.expect_err("taken");
    assert_eq!(error.code(), "already_present", "room would not help");
    connections.stop_child("a").await.expect("it is up");
    connections
        .start_child(idle("c"))
        .await
        .expect("room again");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_child_of_a_dynamic_supervisor_is_restarted_and_one_without_a_wish_is_not() {
    let dynamic = Supervisor::dynamic("connections");
    let connections = dynamic.handle();
    let running = start(Supervisor::one_for_one("app").child(dynamic)).await;
    let (stays, leaves) = (
        worker("stays").restart(Restart::Permanent),
        worker("leaves"),
    );
    let handles = [stays.handle(), leaves.handle()];
    connections.start_child(stays).await.expect("room");
    connections.start_child(leaves).await.expect("room");
    let mut events = Recorder::new(&running);
    handles.iter().for_each(crash);
    until(&mut events, "restarted", "/app/connections/stays").await;
    let up = [("stays".into(), State::Running, 2)];
    assert_eq!(summary(&running, "/app/connections"), up);
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_that_is_stopped_is_removed_and_its_handle_says_so() {
    let child = worker("a").restart(Restart::Temporary);
    let handle = child.handle();
    let running = start(Supervisor::one_for_one("app").child(child)).await;
    running.stop_child("/app/a").await.expect("it is up");
    assert_eq!(summary(&running, "/app"), []);
    let error = handle.cast(Exit::Normal).expect_err("nothing follows");
    assert_eq!(error.code(), "gone");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_is_stopped_and_restarted_as_one_child() {
    let inner = Supervisor::one_for_one("inner")
        .child(idle("a"))
        .child(idle("b"));
    let running = start(Supervisor::one_for_one("app").child(inner)).await;
    running.restart_child("/app/inner").await.expect("it is up");
    let expected = ["a", "b"].map(|name| (name.to_owned(), State::Running, 2));
    assert_eq!(summary(&running, "/app/inner"), expected);
    running.stop_child("/app/inner").await.expect("it is up");
    let down = ["a", "b"].map(|name| (name.to_owned(), State::Down, 2));
    assert_eq!(summary(&running, "/app/inner"), down);
    let error = running.stop_child("/app/inner/a").await;
    assert_eq!(error, Err(CommandError::NotRunning));
}
