//! What is said of a tree at one moment.

use std::time::Duration;

use tokio::time::Instant;

use super::{readiness, still_alive, tree};
use crate::child::Kind;
use crate::exit::Exit;
use crate::path::Path;
use crate::policy::restart::Restart;
use crate::shutdown::{Shutdown, ShutdownReason};
use crate::supervisor::status::{NodeStatus, State};
use crate::tree::Snapshot;

fn node(path: Path, state: State) -> NodeStatus {
    NodeStatus {
        path,
        kind: Kind::Task,
        restart: Restart::Permanent,
        is_dynamic: false,
        state,
        incarnation: 1,
        since: Instant::now(),
        restarts: [0; Exit::CODES.len()],
        last_exit: None,
        mailbox_depth: None,
        mailbox_oldest: None,
        mailbox_capacity: None,
        messages_lost: 0,
        messages_rejected: 0,
        messages_handled: 6,
        handler_durations: None,
        next_run: None,
        meltdowns: 0,
        escalations: 0,
        intensity_used: None,
        last_seq: 0,
        children: Vec::new(),
        recently_ended: Vec::new(),
    }
}

fn snapshot(children: Vec<NodeStatus>) -> Snapshot {
    let mut root = node(Path::root("app"), State::Running);
    root.children = children;
    Snapshot {
        from_seq: 9,
        at: Instant::now(),
        shutdown: None,
        root,
        runs_begun: 1,
        runs_killed: 0,
        shutdown_progress: None,
    }
}

#[test]
fn readiness_needs_every_declared_child_and_no_added_one() {
    let app = Path::root("app");
    let mut added = node(app.join("conn-1"), State::BackingOff);
    added.is_dynamic = true;
    let mut finished = node(app.join("migrate"), State::Down);
    finished.restart = Restart::Transient;
    finished.last_exit = Some(Exit::Normal);
    let ready = readiness(&snapshot(vec![added.clone(), finished.clone()]));
    assert!(ready.is_ready(), "{ready:?}");
    for exit in [Exit::Killed, Exit::Shutdown] {
        finished.last_exit = Some(exit);
        let missing = readiness(&snapshot(vec![added.clone(), finished.clone()])).missing;
        let names: Vec<&str> = missing.iter().map(|check| &*check.name).collect();
        assert_eq!(names, ["/app/migrate"]);
    }
    finished.restart = Restart::Permanent;
    finished.last_exit = Some(Exit::Normal);
    assert!(!readiness(&snapshot(vec![added, finished])).is_ready());
}

#[test]
fn a_tree_that_shuts_down_is_not_ready() {
    let mut snapshot = snapshot(Vec::new());
    snapshot.shutdown = Some(Shutdown {
        reason: ShutdownReason::Signal(15),
        deadline: Instant::now(),
    });
    assert!(!readiness(&snapshot).is_ready());
}

#[test]
fn the_tree_is_nested_as_it_stands() {
    let mut child = node(Path::root("app").join("ingest"), State::Running);
    child.restarts[3] = 2;
    child.mailbox_depth = Some(3);
    child.mailbox_capacity = Some(8);
    child.mailbox_oldest = Some(Duration::from_millis(1500));
    child.messages_lost = 5;
    child.messages_rejected = 6;
    let json = tree(&snapshot(vec![child]));
    assert_eq!(json["from_seq"], 9);
    assert!(json["shutdown"].is_null());
    let child = &json["root"]["children"][0];
    assert_eq!(child["path"], "/app/ingest");
    assert_eq!(child["kind"], "task");
    assert_eq!(child["state"], "running");
    assert_eq!(child["restarts"], 2);
    assert_eq!(child["mailbox_depth"], 3);
    assert_eq!(child["mailbox_capacity"], 8);
    assert_eq!(child["mailbox_oldest_seconds"], 1.5);
    assert_eq!(child["messages_lost"], 5);
    assert_eq!(child["messages_rejected"], 6);
    assert_eq!(
        child["restarts_by_reason"],
        serde_json::json!({ "panicked": 2 })
    );
}

#[test]
fn what_still_lives_is_in_the_report_as_hung() {
    let app = Path::root("app");
    let children = vec![
        node(app.join("stuck"), State::Stopping),
        node(app.join("gone"), State::Down),
    ];
    let report = still_alive(&snapshot(children));
    assert_eq!(report.hung(), [&app, &app.join("stuck")]);
}
