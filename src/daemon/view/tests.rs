//! What is said of a tree at one moment.

use std::time::Duration;

use tokio::time::Instant;

use super::{node_with_past, still_alive, tree};
use crate::child::Kind;
use crate::exit::Exit;
use crate::health::{Health, Need};
use crate::path::Path;
use crate::policy::restart::Restart;
use crate::supervisor::status::ChildCount;
use crate::supervisor::status::{NodeStatus, State};
use crate::time::WallClock;
use crate::tree::{Level, Snapshot};

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
        ended_by_itself: false,
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
        health: Health::Ok,
        need: Need::Required,
        awaits_stable: false,
        stuck_in: None,
        stuck: 0,
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

#[test]
fn a_node_is_shown_with_some_of_its_children_and_the_count_of_all() {
    let app = Path::root("app");
    let snapshot = snapshot(vec![node(app.join("first"), State::Running)]);
    let level = Level {
        node: snapshot.root,
        children: ChildCount::of([(Kind::Task, State::Running); 300].into_iter()),
        history: Vec::new(),
    };
    let json = node_with_past(&level, WallClock::anchored());
    assert_eq!(json["child_count"]["specifications"], 300);
    assert_eq!(json["child_count"]["active"], 300);
    let child = &json["children"][0];
    assert_eq!(child["path"], "/app/first");
    assert!(child.get("children").is_none(), "they were not read");
}
