//! A tree's snapshot as others want it: readiness, JSON, and a report where the tree made none.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::event::{EventKind, SubsystemEvent};
use crate::exit::Exit;
use crate::health::{Health, Need};
use crate::http::{Check, Readiness};
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::{Outcome, StopReport, Stopped, readable};
use crate::supervisor::status::{NodeStatus, State};
use crate::time::WallClock;
use crate::tree::{self, Level, Snapshot};

/// Lists what the program needs and does not have.
pub(super) fn readiness(readiness: &tree::Readiness) -> Readiness {
    Readiness {
        missing: readiness.missing().map(check).collect(),
        is_shutting_down: readiness.is_shutting_down,
    }
}

/// Lists everything that the program needs.
pub(super) fn checks(readiness: &tree::Readiness) -> Vec<Check> {
    readiness.requirements.iter().map(check).collect()
}

fn check(requirement: &tree::Requirement) -> Check {
    Check {
        name: requirement.name.clone(),
        failure: requirement.failure.clone(),
    }
}

/// Turns one node with its past, and its children without theirs, into JSON.
pub(super) fn node_with_past(level: &Level, clock: WallClock) -> Value {
    let status = &level.node;
    let runs: Vec<Value> = level
        .history
        .iter()
        .map(|run| {
            json!({
                "incarnation": run.incarnation,
                "exit": { "code": run.exit.code(), "text": run.exit.to_string() },
                "uptime_seconds": run.uptime.map(|uptime| uptime.as_secs_f64()),
                "ended_at_seconds": seconds_since_1970(clock, run.ended),
            })
        })
        .collect();
    let at = Instant::now();
    let ended: Vec<Value> = status
        .recently_ended
        .iter()
        .map(|ended| node(ended, at))
        .collect();
    let mut shown = node(status, at);
    shown["history"] = runs.into();
    shown["recently_ended"] = ended.into();
    shown["child_count"] = json!({
        "specifications": level.children.specifications,
        "active": level.children.active,
        "supervisors": level.children.supervisors,
        "workers": level.children.workers,
    });
    let children = shown["children"].as_array_mut().into_iter().flatten();
    for child in children.filter_map(Value::as_object_mut) {
        // They were not read: an empty list would say that there are none.
        child.remove("children");
    }
    shown
}

fn seconds_since_1970(clock: WallClock, instant: Instant) -> f64 {
    let at = clock.time_of_day(instant).duration_since(UNIX_EPOCH);
    at.unwrap_or_default().as_secs_f64()
}

/// Turns the tree into JSON; times are in seconds.
pub(super) fn tree(snapshot: &Snapshot) -> Value {
    let shutdown = snapshot.shutdown.map(|shutdown| {
        let left = shutdown.deadline.saturating_duration_since(snapshot.at);
        json!({ "reason": shutdown.reason.to_string(), "seconds_left": left.as_secs_f64() })
    });
    json!({ "from_seq": snapshot.from_seq, "shutdown": shutdown, "root": node(&snapshot.root, snapshot.at) })
}

fn node(status: &NodeStatus, at: Instant) -> Value {
    let by_reason: Map<String, Value> = Exit::CODES
        .iter()
        .zip(status.restarts)
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| ((*reason).to_owned(), count.into()))
        .collect();
    let last_exit = status
        .last_exit
        .as_ref()
        .map(|exit| json!({ "code": exit.code(), "text": exit.to_string() }));
    let children: Vec<Value> = status
        .children
        .iter()
        .map(|child| node(child, at))
        .collect();
    json!({
        "path": status.path,
        "kind": status.kind,
        "is_dynamic": status.is_dynamic,
        "state": status.state.code(),
        "incarnation": status.incarnation,
        "restarts": status.restart_count(),
        "restarts_by_reason": by_reason,
        "last_exit": last_exit,
        "mailbox_depth": status.mailbox_depth,
        "mailbox_oldest_seconds": status.mailbox_oldest.map(|age| age.as_secs_f64()),
        "mailbox_capacity": status.mailbox_capacity,
        "messages_lost": status.messages_lost,
        "messages_rejected": status.messages_rejected,
        "health": health_of(&status.health),
        "need": need_of(&status.need),
        "messages_handled": status.messages_handled,
        "next_run_seconds": status.next_run.map(|next| next.saturating_duration_since(at).as_secs_f64()),
        "intensity_used": status.intensity_used,
        "meltdowns": status.meltdowns,
        "since_seconds": at.saturating_duration_since(status.since).as_secs_f64(),
        "awaits_stable": status.awaits_stable,
        "stuck_in": status.stuck_in,
        "stuck": status.stuck,
        "last_seq": status.last_seq,
        "children": children,
    })
}

fn health_of(health: &Health) -> Value {
    json!({ "health": health.code(), "reason": health.reason() })
}

fn need_of(need: &Need) -> Value {
    match need {
        Need::Required => "required".into(),
        Need::Optional => "optional".into(),
        Need::OneOf(group) => json!({ "one_of": &**group }),
    }
}

/// Turns an event into JSON; times are in seconds, the instant since 1970.
pub(super) fn event(event: &SubsystemEvent, clock: WallClock) -> Value {
    let exit_of = |exit: &Exit| json!({ "code": exit.code(), "text": exit.to_string() });
    let seconds = |duration: &Duration| duration.as_secs_f64();
    let details = match &event.kind {
        EventKind::Exited { exit, uptime } => {
            json!({ "exit": exit_of(exit), "uptime_seconds": seconds(uptime) })
        }
        EventKind::StartFailed { exit } => json!({ "exit": exit_of(exit) }),
        EventKind::BackingOff { attempt, until } => {
            let wait = until.saturating_duration_since(event.at);
            json!({ "attempt": attempt, "wait_seconds": seconds(&wait) })
        }
        EventKind::Restarted { latency } => json!({ "latency_seconds": seconds(latency) }),
        EventKind::Stopped { outcome, spent } => {
            json!({ "outcome": outcome.code(), "spent_seconds": seconds(spent) })
        }
        EventKind::StopRequested { deadline } | EventKind::ShutdownBegan { deadline, .. } => {
            let left = deadline.saturating_duration_since(event.at);
            json!({ "seconds_left": seconds(&left) })
        }
        EventKind::ShutdownEnded { report } => json!({ "reason": report.reason.to_string() }),
        EventKind::ConfigUpdated {
            version,
            keys,
            needs_restart,
        } => {
            json!({ "version": version, "keys": &**keys, "needs_restart": &**needs_restart })
        }
        EventKind::ConfigRejected { reason } => json!({ "reason": &**reason }),
        EventKind::LimitReached { excess, is_hard } => {
            json!({ "excess": &**excess, "is_hard": is_hard })
        }
        EventKind::HealthChanged { health } => health_of(health),
        EventKind::Stuck {
            hook,
            lasted,
            is_blocking,
        } => {
            json!({ "hook": hook, "lasted_seconds": seconds(lasted), "is_blocking": is_blocking })
        }
        EventKind::Stable { uptime, attempts } => {
            json!({ "uptime_seconds": seconds(uptime), "attempts": attempts })
        }
        EventKind::Starting | EventKind::Started | EventKind::Meltdown | EventKind::Quarantined => {
            Value::Null
        }
    };
    json!({
        "seq": event.seq,
        "at_seconds": seconds_since_1970(clock, event.at),
        "path": event.path,
        "incarnation": event.incarnation,
        "kind": event.kind.code(),
        "details": details,
    })
}

/// Lists what is still alive, a line each: what it is doing, and since when.
pub(super) fn still_running(snapshot: &Snapshot) -> String {
    let mut lines = String::new();
    snapshot.root.visit(&mut |node| {
        if is_alive(node) {
            let since = readable(snapshot.at.saturating_duration_since(node.since));
            let line = format!("  {}  {} for {since}\n", node.path, node.state.code());
            lines.push_str(&line);
        }
    });
    lines
}

/// Says in a line what a shutdown waits for.
pub(super) fn stopping_in_words(snapshot: &Snapshot) -> String {
    let mut left = Vec::new();
    snapshot.root.visit(&mut |node| {
        if node.children.is_empty() && is_alive(node) {
            left.push(node.path.as_str());
        }
    });
    match left.split_first() {
        None => "stopping: nothing is left".to_owned(),
        Some((first, [])) => format!("stopping: waiting for {first}"),
        Some((_, [rest @ .., last])) => {
            format!("stopping: {} left, the next is {last}", rest.len() + 2)
        }
    }
}

fn is_alive(node: &NodeStatus) -> bool {
    use State::{BackingOff, Down, Pending, Quarantined};

    !matches!(node.state, Pending | Down | BackingOff | Quarantined)
}

/// Makes a report that names what is still alive; how long each was given is not known.
pub(super) fn still_alive(snapshot: &Snapshot) -> StopReport {
    let reason = snapshot
        .shutdown
        .map_or(ShutdownReason::Requested, |shutdown| shutdown.reason);
    StopReport {
        reason,
        exit: Exit::Hung,
        root: line(&snapshot.root, snapshot.at),
        guards: Vec::new(),
    }
}

fn line(status: &NodeStatus, at: Instant) -> Stopped {
    let (outcome, spent) = match (is_alive(status), status.state) {
        (false, _) => (Outcome::AlreadyDown, Duration::ZERO),
        (true, State::Stopping) => (Outcome::Hung, at.saturating_duration_since(status.since)),
        (true, _) => (Outcome::Hung, Duration::ZERO),
    };
    Stopped {
        path: status.path.clone(),
        allotted: Duration::ZERO,
        spent,
        outcome,
        children: status
            .children
            .iter()
            .map(|child| line(child, at))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
