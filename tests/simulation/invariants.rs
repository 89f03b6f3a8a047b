//! What must hold of every run, whatever happened in it.
//!
//! 1. Events have numbers without holes, their instants rise, and the last is that of the end.
//! 2. One incarnation at a time: a body begins after the one before it has ended, and all have ended
//!    when the tree has, or are named as hung.
//! 3. Nothing starts once the shutdown has begun.
//! 4. Within a shutdown siblings stop in reverse start order, each after the one behind it.
//! 5. The tree is over at its deadline, and no child is told a later instant.
//! 6. Every command is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use perennial::EventKind;

use crate::world::Record;

/// A tree may be over so much later than its deadline: timers tell whole milliseconds.
const TIMER: Duration = Duration::from_millis(1);

pub(crate) fn check(record: &Record) -> Result<(), String> {
    numbers(record)?;
    bodies(record)?;
    shutdown(record)?;
    if record.asked != record.answered {
        let (asked, answered) = (record.asked, record.answered);
        return Err(format!("{asked} commands were asked, {answered} answered"));
    }
    Ok(())
}

fn numbers(record: &Record) -> Result<(), String> {
    let last = record.events.last().map(|event| event.kind.code());
    if record.report.is_some() && last != Some("shutdown_ended") {
        return Err(format!("the last event is {last:?}"));
    }
    for pair in record.events.windows(2) {
        if pair[1].seq != pair[0].seq + 1 || pair[1].at < pair[0].at {
            return Err(format!("{:?} follows {:?}", pair[1], pair[0]));
        }
        if pair[0].kind.code() == "shutdown_ended" {
            return Err("something follows the end".into());
        }
    }
    Ok(())
}

fn bodies(record: &Record) -> Result<(), String> {
    let mut alive = BTreeMap::new();
    for note in &record.notes {
        let mut words = note.split(' ');
        let (what, who) = (words.next(), words.next().unwrap_or_default());
        let (path, incarnation) = who.split_once('#').unwrap_or((who, ""));
        match what {
            Some("begin") => {
                if let Some(before) = alive.insert(path, incarnation) {
                    return Err(format!("{who} began while #{before} lived"));
                }
            }
            Some("end") if alive.remove(path) != Some(incarnation) => {
                return Err(format!("{who} ended and was not alive"));
            }
            _ => {}
        }
    }
    let hung = record.report.iter().flat_map(|report| report.hung());
    let hung: BTreeSet<&str> = hung.map(|path| path.as_str()).collect();
    match alive.keys().find(|path| !hung.contains(*path)) {
        Some(path) => Err(format!("{path} lives and is not named as hung")),
        None => Ok(()),
    }
}

fn shutdown(record: &Record) -> Result<(), String> {
    let began = |kind: &EventKind| matches!(kind, EventKind::ShutdownBegan { .. });
    let Some(first) = record.events.iter().position(|event| began(&event.kind)) else {
        return Ok(());
    };
    let after = &record.events[first..];
    if let Some(event) = after.iter().find(|event| event.kind == EventKind::Starting) {
        return Err(format!(
            "{} started after the shutdown had begun",
            event.path
        ));
    }
    if let Some(deadline) = record.deadline
        && record.ended > deadline + TIMER
    {
        return Err(format!("over {:?} too late", record.ended - deadline));
    }
    deadlines(record, first)?;
    reversed(record, first)
}

/// No child is told a later instant than its supervisor has.
fn deadlines(record: &Record, first: usize) -> Result<(), String> {
    let mut told = BTreeMap::new();
    for event in &record.events[first..] {
        let (own, is_root) = match &event.kind {
            EventKind::StopRequested { deadline } => (*deadline, false),
            EventKind::ShutdownBegan { deadline, .. } => (*deadline, true),
            _ => continue,
        };
        let path = event.path.as_str();
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        if let Some(limit) = told.get(above).filter(|limit| own > **limit && !is_root) {
            return Err(format!(
                "{path} was told {:?} later than {above}",
                own - *limit
            ));
        }
        told.insert(path.to_owned(), own);
    }
    Ok(())
}

/// In a shutdown, a child that is not the child of a dynamic supervisor is asked after those that
/// were started behind it have ended.
fn reversed(record: &Record, first: usize) -> Result<(), String> {
    let mut stopping: BTreeMap<&str, &str> = BTreeMap::new();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &record.events[first..] {
        let path = event.path.as_str();
        let Some((above, name)) = path.rsplit_once('/') else {
            continue;
        };
        // Those that are added have no number; declared ones are called by it.
        let Some(place) = name.strip_prefix('c').and_then(|n| n.parse().ok()) else {
            continue;
        };
        match &event.kind {
            EventKind::StopRequested { deadline } => {
                // Once its supervisor has no time left there is no more order to keep.
                if let Some(other) = stopping.insert(above, path).filter(|other| *other != path)
                    && event.at < *deadline
                {
                    return Err(format!("{path} was asked while {other} was stopping"));
                }
                let before = last.insert(above, place);
                if before.is_some_and(|before| before <= place) {
                    return Err(format!("{path} was asked after c{before:?}"));
                }
            }
            EventKind::Stopped { .. } if stopping.get(above) == Some(&path) => {
                stopping.remove(above);
            }
            _ => {}
        }
    }
    Ok(())
}
