//! What a scrape says of a tree.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Exposition, MOST_CHILDREN, MOST_SUBSCRIBERS, Reading};
use crate::bus::{BusStatistics, SubscriberStatistics};
use crate::child::{Child, Kind};
use crate::context::Context;
use crate::exit::Exit;
use crate::handle::durations::HandlerDurations;
use crate::health::{Health, Need};
use crate::path::Path;
use crate::policy::restart::Restart;
use crate::shutdown::ShutdownReason;
use crate::supervisor::Supervisor;
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
        ended_by_itself: false,
        mailbox_depth: Some(3),
        mailbox_oldest: Some(Duration::from_millis(2500)),
        mailbox_capacity: Some(8),
        messages_lost: 4,
        messages_rejected: 5,
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
            runs_begun: 9,
            runs_killed: 1,
            shutdown_progress: None,
        },
        bus: BusStatistics {
            published: 10,
            to_nobody: 2,
            lost: 7,
            subscribers: vec![slow],
            lagged_by_gone: [("gone".into(), 3)].into(),
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
    assert_sample(
        &text,
        "perennial_mailbox_oldest_age_seconds",
        &[path],
        "2.5",
    );
    for (outcome, count) in [("handled", "6"), ("lost", "4"), ("rejected", "5")] {
        let outcome = format!("outcome=\"{outcome}\"");
        assert_sample(&text, "perennial_messages_total", &[path, &outcome], count);
    }
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
    assert_no_line_twice(&text);
}

/// Claims that nothing is said twice, and that what belongs to one name stands together, as scrapers want it.
#[track_caller]
fn assert_no_line_twice(text: &str) {
    let mut series = HashSet::new();
    let mut families = HashSet::new();
    let mut family = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (what, _value) = line.rsplit_once(' ').expect("a name and a value");
        if let Some(head) = line.strip_prefix("# TYPE ") {
            family = head.split(' ').next().expect("a name");
            assert!(families.insert(family), "{family} twice in\n{text}");
        } else {
            assert!(series.insert(what), "{what} twice in\n{text}");
            let is_its = what.starts_with(family) || what.starts_with("# HELP ");
            assert!(is_its, "{what} under {family} in\n{text}");
        }
    }
}

#[test]
fn a_subscriber_of_the_name_of_the_rest_is_counted_among_them() {
    let mut read = reading(Vec::new(), Vec::new());
    let subscriber = |number: usize| SubscriberStatistics {
        name: if number == 0 {
            "others".into()
        } else {
            number.to_string().into()
        },
        received: 1,
        lagged: 1,
        depth: 1,
    };
    read.bus.subscribers = (0..2 * MOST_SUBSCRIBERS).map(subscriber).collect();
    read.bus.lost = 1_000;
    let text = Exposition::new().render_reading(&read);
    assert_no_line_twice(&text);
    let others = "subscriber=\"others\"";
    // Of the hundred that have series one is gone, with 3; the others lost 1 each.
    assert_sample(&text, "perennial_bus_lagged_total", &[others], "898");
    assert_sample(&text, "perennial_bus_queue_depth", &[others], "101");
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
    assert_sample(
        &text,
        "perennial_mailbox_oldest_age_seconds",
        &[root],
        "2.5",
    );
    for (outcome, count) in [("handled", "18"), ("lost", "9"), ("rejected", "10")] {
        let outcome = format!("outcome=\"{outcome}\"");
        assert_sample(&text, "perennial_messages_total", &[root, &outcome], count);
    }
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
    assert_sample(&text, "perennial_bus_dropped_total", &[], "7");
    assert_sample(&text, "perennial_bus_subscribers", &[], "1");
    assert_sample(&text, "perennial_bus_lagged_total", &[slow], "4");
    assert_sample(&text, "perennial_bus_queue_depth", &[slow], "5");
    let gone = "subscriber=\"gone\"";
    assert_sample(&text, "perennial_bus_lagged_total", &[gone], "3");
    assert!(!text.contains(&format!("queue_depth{{{gone}}}")), "{text}");
    assert!(!text.contains("subscriber=\"others\""), "{text}");
}

#[test]
fn what_a_subscriber_has_lost_does_not_fall_when_it_leaves() {
    let exposition = Exposition::new();
    let mut read = reading(Vec::new(), Vec::new());
    let slow = "subscriber=\"slow\"";
    let lagged = |text: &str| {
        let mut lines = text.lines();
        let line =
            lines.find(|line| line.starts_with("perennial_bus_lagged") && line.contains(slow));
        let (_, value) = line.expect("it is told").rsplit_once(' ').expect("a value");
        value.parse::<u64>().expect("a number")
    };
    assert_eq!(lagged(&exposition.render_reading(&read)), 4);
    let left = read.bus.subscribers.remove(0);
    read.bus.lagged_by_gone.insert(left.name, left.lagged);
    let text = exposition.render_reading(&read);
    assert_eq!(lagged(&text), 4);
    assert!(!text.contains("queue_depth{"), "nobody is behind: {text}");
}

#[test]
fn the_histogram_of_a_removed_child_goes_with_it() {
    let app = Path::root("app");
    let exposition = Exposition::new();
    let took = vec![(app.join("gone"), Duration::from_millis(3))];
    let gone = node(app.join("gone"), State::Running);
    let first = exposition.render_reading(&reading(vec![gone], took));
    assert!(first.contains("restart_duration_seconds_count{path=\"/app/gone\"} 1"));
    let second = exposition.render_reading(&reading(Vec::new(), Vec::new()));
    assert!(!second.contains("/app/gone"), "{second}");
}

#[test]
fn a_crowd_of_declared_children_counts_for_their_supervisor() {
    let app = Path::root("app");
    let child = |number: usize| node(app.join(&number.to_string()), State::Running);
    let crowd = (0..=MOST_CHILDREN).map(child).collect();
    let took = vec![(app.join("7"), Duration::from_millis(3))];
    let text = Exposition::new().render_reading(&reading(crowd, took));
    assert!(!text.contains("/app/"), "{text}");
    let running = ["path=\"/app\"", "state=\"running\""];
    assert_sample(&text, "perennial_children", &running, "251");
    assert!(text.contains("restart_duration_seconds_count{path=\"/app\"} 1"));
}

#[test]
fn subscribers_beyond_a_hundred_are_summed_up() {
    let mut read = reading(Vec::new(), Vec::new());
    read.bus.lost = 2 * (MOST_SUBSCRIBERS as u64 + 3);
    read.bus.lagged_by_gone.clear();
    read.bus.subscribers = (0..MOST_SUBSCRIBERS + 3)
        .map(|number| SubscriberStatistics {
            name: number.to_string().into(),
            received: 0,
            lagged: 2,
            depth: 0,
        })
        .collect();
    let exposition = Exposition::new();
    let text = exposition.render_reading(&read);
    let others = "subscriber=\"others\"";
    assert_sample(&text, "perennial_bus_lagged_total", &[others], "6");
    // There is room for one of them now, and what they have lost together is lost all the same.
    read.bus.subscribers.remove(0);
    let text = exposition.render_reading(&read);
    assert_sample(&text, "perennial_bus_lagged_total", &[others], "6");
}

#[test]
fn what_a_supervisor_went_through_is_told() {
    let mut read = reading(Vec::new(), Vec::new());
    let root = &mut read.snapshot.root;
    root.kind = Kind::Supervisor;
    (root.meltdowns, root.escalations, root.intensity_used) = (2, 1, Some(0.6));
    let mut late = node(Path::root("app").join("late"), State::BackingOff);
    late.next_run = Some(read.snapshot.at + Duration::from_secs(3));
    let mut durations = HandlerDurations::default();
    durations.counts[1] = 3;
    durations.sum = Duration::from_micros(6);
    late.handler_durations = Some(Box::new(durations));
    root.children = vec![late, node(Path::root("app").join("hung"), State::Hung)];
    let text = Exposition::new().render_reading(&read);
    let (root, late) = ("path=\"/app\"", "path=\"/app/late\"");
    assert_sample(&text, "perennial_meltdowns_total", &[root], "2");
    assert_sample(&text, "perennial_escalations_total", &[root], "1");
    assert_sample(&text, "perennial_restart_intensity_ratio", &[root], "0.6");
    assert_sample(&text, "perennial_backoff_seconds", &[late], "3");
    assert_sample(&text, "perennial_tasks_hung", &[], "1");
    assert_sample(&text, "perennial_tasks_spawned_total", &[], "9");
    assert_sample(&text, "perennial_tasks_aborted_total", &[], "1");
    assert_sample(&text, "perennial_shutdown_budget_used_ratio", &[], "0");
    assert!(
        !text.contains("perennial_shutdown_duration_seconds{"),
        "{text}"
    );
    let bucket = "perennial_handler_duration_seconds_bucket";
    assert_sample(&text, bucket, &[late, "le=\"0.000001\""], "0");
    assert_sample(&text, bucket, &[late, "le=\"0.000005\""], "3");
    assert_sample(
        &text,
        "perennial_handler_duration_seconds_sum",
        &[late],
        "0.000006",
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_seen_by_how_much_of_its_time_it_has_used() {
    let child = Child::task("slow", |cx: Context| async move {
        let _deadline = cx.shutdown().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    let running = Supervisor::one_for_one("app").child(child).start().await;
    let running = running.expect("it starts");
    let exposition = Exposition::new();
    running.shutdown(ShutdownReason::Requested, Duration::from_secs(4));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let text = exposition.render(&running);
    let name = "perennial_shutdown_duration_seconds";
    assert_sample(&text, name, &["outcome=\"running\""], "0.5");
    assert_sample(&text, "perennial_shutdown_budget_used_ratio", &[], "0.125");
    drop(running.wait().await);
    let text = exposition.render(&running);
    assert_sample(&text, name, &["outcome=\"stopped\""], "1");
    assert_sample(&text, "perennial_child_up", &["path=\"/app/slow\""], "0");
}

#[test]
fn every_metric_is_in_the_documentation_with_its_help_text() {
    let page = include_str!("../../docs/operations.md");
    let names = include_str!("names.rs");
    let quoted: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    let metrics = quoted.chunks(2);
    assert!(metrics.len() > 40, "{quoted:?}");
    for metric in metrics {
        let [name, help] = metric else {
            panic!("a name without a help text: {metric:?}");
        };
        let row = page
            .lines()
            .find(|row| row.starts_with(&format!("| `{name}` |")));
        assert!(row.is_some_and(|row| row.contains(help)), "{name}: {help}");
    }
}
