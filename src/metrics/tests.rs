//! What a scrape says of a tree.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Exposition, Reading};
use crate::bus::{BusStatistics, SubscriberStatistics};
use crate::child::Kind;
use crate::exit::Exit;
use crate::path::Path;
use crate::policy::restart::Restart;
use crate::supervisor::status::{NodeStatus, State};
use crate::tree::Snapshot;

fn node(path: Path, state: State) -> NodeStatus {
    NodeStatus {
        path,
        kind: Kind::Worker,
        restart: Restart::Permanent,
        is_dynamic: false,
        state,
        incarnation: 1,
        since: Instant::now(),
        restarts: [0; Exit::CODES.len()],
        last_exit: None,
        mailbox_depth: Some(3),
        mailbox_oldest: Some(Duration::from_millis(2500)),
        mailbox_capacity: Some(8),
        messages_lost: 4,
        messages_rejected: 5,
        last_seq: 0,
        children: Vec::new(),
        recently_ended: Vec::new(),
    }
}

fn added(path: Path, panics: u64) -> NodeStatus {
    let mut node = node(path, State::Running);
    node.is_dynamic = true;
    node.restarts[3] = panics;
    node
}

fn reading(children: Vec<NodeStatus>, latencies: Vec<(Path, Duration)>) -> Reading {
    let mut root = node(Path::root("app"), State::Running);
    root.mailbox_depth = None;
    root.mailbox_oldest = None;
    root.mailbox_capacity = None;
    // What children that were removed left behind.
    root.messages_lost = 1;
    root.messages_rejected = 0;
    root.children = children;
    let slow = SubscriberStatistics {
        name: Arc::from("slow"),
        received: 1,
        lagged: 4,
        depth: 5,
    };
    Reading {
        snapshot: Snapshot {
            from_seq: 0,
            at: Instant::now(),
            shutdown: None,
            root,
        },
        bus: BusStatistics {
            published: 10,
            to_nobody: 2,
            subscribers: vec![slow],
        },
        latencies: (latencies, 0),
    }
}

/// Checks that a sample is there, whatever the order of its labels.
#[track_caller]
fn assert_sample(text: &str, name: &str, labels: &[&str], value: &str) {
    let is_it = |line: &&str| {
        line.split(['{', ' ']).next() == Some(name)
            && line.ends_with(&format!(" {value}"))
            && labels.iter().all(|label| line.contains(label))
    };
    assert!(
        text.lines().any(|line| is_it(&line)),
        "{name} {labels:?} {value} is not in\n{text}"
    );
}

#[test]
fn a_declared_child_has_series_of_its_own() {
    let ingest = Path::root("app").join("ingest");
    let text = Exposition::new()
        .render_reading(&reading(vec![node(ingest, State::BackingOff)], Vec::new()));
    let path = "path=\"/app/ingest\"";
    assert_sample(&text, "perennial_child_up", &["path=\"/app\""], "1");
    assert_sample(&text, "perennial_child_up", &[path], "0");
    assert_sample(
        &text,
        "perennial_child_state",
        &[path, "state=\"backing_off\""],
        "1",
    );
    assert_sample(
        &text,
        "perennial_child_state",
        &[path, "state=\"running\""],
        "0",
    );
    assert_sample(&text, "perennial_mailbox_depth", &[path], "3");
    assert_sample(&text, "perennial_mailbox_oldest_seconds", &[path], "2.5");
    assert_sample(&text, "perennial_messages_lost_total", &[path], "4");
    assert_sample(&text, "perennial_messages_rejected_total", &[path], "5");
    assert_sample(
        &text,
        "perennial_restarts_total",
        &[path, "reason=\"panicked\""],
        "0",
    );
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert_sample(&text, "perennial_build_info", &[&version], "1");
    assert!(
        text.contains("# TYPE perennial_restarts_total counter"),
        "{text}"
    );
    assert!(text.contains("# HELP perennial_child_up "), "{text}");
}

#[test]
fn added_children_count_for_their_supervisor() {
    let app = Path::root("app");
    let children = vec![added(app.join("a"), 2), added(app.join("b"), 1)];
    let text = Exposition::new().render_reading(&reading(
        children,
        vec![(app.join("a"), Duration::from_millis(2))],
    ));
    assert!(
        !text.contains("/app/a") && !text.contains("/app/b"),
        "{text}"
    );
    assert_sample(
        &text,
        "perennial_children",
        &["path=\"/app\"", "state=\"running\""],
        "2",
    );
    let root = "path=\"/app\"";
    assert_sample(&text, "perennial_mailbox_depth", &[root], "6");
    assert_sample(&text, "perennial_mailbox_oldest_seconds", &[root], "2.5");
    assert_sample(&text, "perennial_messages_lost_total", &[root], "9");
    assert_sample(&text, "perennial_messages_rejected_total", &[root], "10");
    assert_sample(
        &text,
        "perennial_restarts_total",
        &["path=\"/app\"", "reason=\"panicked\""],
        "3",
    );
    assert_sample(
        &text,
        "perennial_restart_duration_seconds_count",
        &["path=\"/app\""],
        "1",
    );
}

#[test]
fn a_removed_child_takes_its_series_but_not_what_it_counted() {
    let app = Path::root("app");
    let exposition = Exposition::new();
    let gone = node(app.join("gone"), State::Running);
    let first =
        exposition.render_reading(&reading(vec![gone, added(app.join("a"), 2)], Vec::new()));
    assert!(first.contains("/app/gone"), "{first}");
    let second = exposition.render_reading(&reading(Vec::new(), Vec::new()));
    assert!(!second.contains("/app/gone"), "{second}");
    assert_sample(
        &second,
        "perennial_restarts_total",
        &["path=\"/app\"", "reason=\"panicked\""],
        "2",
    );
    let third = exposition.render_reading(&reading(vec![added(app.join("a"), 1)], Vec::new()));
    assert_sample(
        &third,
        "perennial_restarts_total",
        &["path=\"/app\"", "reason=\"panicked\""],
        "3",
    );
}

#[test]
fn restart_durations_are_a_histogram_that_adds_up() {
    let ingest = Path::root("app").join("ingest");
    let exposition = Exposition::new();
    let took = |millis| vec![(ingest.clone(), Duration::from_millis(millis))];
    let child = || vec![node(ingest.clone(), State::Running)];
    drop(exposition.render_reading(&reading(child(), took(3))));
    let text = exposition.render_reading(&reading(child(), took(300)));
    let path = "path=\"/app/ingest\"";
    assert_sample(
        &text,
        "perennial_restart_duration_seconds_bucket",
        &[path, "le=\"0.0025\""],
        "0",
    );
    assert_sample(
        &text,
        "perennial_restart_duration_seconds_bucket",
        &[path, "le=\"0.005\""],
        "1",
    );
    assert_sample(
        &text,
        "perennial_restart_duration_seconds_bucket",
        &[path, "le=\"60\""],
        "2",
    );
    assert_sample(
        &text,
        "perennial_restart_duration_seconds_bucket",
        &[path, "le=\"+Inf\""],
        "2",
    );
}

#[test]
fn the_bus_tells_how_far_each_subscriber_is_behind() {
    let text = Exposition::new().render_reading(&reading(Vec::new(), Vec::new()));
    let slow = "subscriber=\"slow\"";
    assert_sample(&text, "perennial_bus_published_total", &[], "10");
    assert_sample(&text, "perennial_bus_no_receivers_total", &[], "2");
    assert_sample(&text, "perennial_bus_subscribers", &[], "1");
    assert_sample(&text, "perennial_bus_lagged_total", &[slow], "4");
    assert_sample(&text, "perennial_bus_queue_depth", &[slow], "5");
}
