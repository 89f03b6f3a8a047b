//! A tree's snapshot as others want it: readiness, JSON, and a report where the tree made none.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::event::{EventKind, SubsystemEvent};
use crate::exit::Exit;
use crate::http::Readiness;
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::{Outcome, StopReport, Stopped};
use crate::supervisor::status::{NodeStatus, State};
use crate::time::WallClock;
use crate::tree::Snapshot;

/// Tells whether every declared child is up or has finished well. Children added while the program
/// runs come and go with its work and do not count.
pub(super) fn readiness(snapshot: &Snapshot) -> Readiness {
    let mut missing = Vec::new();
    collect_missing(&snapshot.root, &mut missing);
    Readiness {
        missing,
        is_shutting_down: snapshot.shutdown.is_some(),
    }
}

fn collect_missing(node: &NodeStatus, missing: &mut Vec<String>) {
    if node.is_dynamic {
        return;
    }
    if !node.is_settled() {
        missing.push(node.path.to_string());
    }
    for child in &node.children {
        collect_missing(child, missing);
    }
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
        "since_seconds": at.saturating_duration_since(status.since).as_secs_f64(),
        "last_seq": status.last_seq,
        "children": children,
    })
}

/// Turns an event into JSON; times are in seconds, the instant since 1970.
pub(super) fn event(event: &SubsystemEvent, clock: WallClock) -> Value {
    let at = clock
        .time_of_day(event.at)
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
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
        EventKind::Starting | EventKind::Started | EventKind::Meltdown | EventKind::Quarantined => {
            Value::Null
        }
    };
    json!({
        "seq": event.seq,
        "at_seconds": at.as_secs_f64(),
        "path": event.path,
        "incarnation": event.incarnation,
        "kind": event.kind.code(),
        "details": details,
    })
}

/// Makes a report that names what is still alive; how long each was given is not known.
pub(super) fn still_alive(snapshot: &Snapshot) -> StopReport {
    let reason = snapshot
        .shutdown
        .map_or(ShutdownReason::Requested, |shutdown| shutdown.reason);
    StopReport {
        reason,
        exit: Exit::Hung,
        root: line(&snapshot.root),
    }
}

fn line(status: &NodeStatus) -> Stopped {
    let outcome = match status.state {
        State::Pending | State::Down => Outcome::AlreadyDown,
        _ => Outcome::Hung,
    };
    Stopped {
        path: status.path.clone(),
        allotted: Duration::ZERO,
        spent: Duration::ZERO,
        outcome,
        children: status.children.iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests;
