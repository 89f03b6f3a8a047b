//! Restart limits, told from the events alone.
//!
//! What counts, exactly. A *decision* of supervisor S is an event of one of its children in a run of
//! S that is up, and that has not begun to stop its children:
//!
//! - `Exited`, where the child's restart type wants it back after that exit, unless a group restart
//!   was about to stop it: one that began after the child's last `Starting`, at it or before it;
//! - `StartFailed`, unless that start was the child's first or asked for by hand.
//!
//! It is *refused* when the next event of the tree is the child's `Quarantined` or S's `Meltdown`
//! (both are published by the very decision), and *admitted* otherwise. It counts for S if S has an
//! intensity or the child has no backoff. Its instant is that of the event.
//!
//! For every supervisor: no closed stretch of `period` holds more than `n` admitted decisions that
//! count; for every child with a limit of its own likewise. And the converse: a refusal is preceded
//! by `n` decisions in that stretch, or by a limit or attempts of the child's own.

use std::collections::HashMap;
use std::time::Duration;

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit::OnLimit;
use perennial::policy::restart::Restart;
use perennial::{EventKind, SubsystemEvent};
use tokio::time::Instant;

use crate::grow::millis;
use crate::replay::{Replay, parent_of};
use crate::shape::{Branch, Limit, Limits, Pause, Shape, Strategies};
use crate::world::World;

/// What guards the children without backoff of a supervisor without an intensity.
const DEFAULT: Limit = Limit {
    restarts: 5,
    period: 60_000,
};

/// One run of one supervisor.
#[derive(Default)]
struct Run {
    /// How many of its declared children have been up.
    up: Vec<String>,
    is_leaving: bool,
    /// It was up before the replay began, with restarts that nobody saw.
    is_older: bool,
    /// Admitted decisions that count, and of which child.
    admitted: Vec<(String, Instant, bool)>,
    /// Decisions that may have counted: made at the end of the start, or after a start by hand.
    perhaps: Vec<Instant>,
    /// Its children, in start order.
    order: Vec<String>,
    /// Whom a group restart is about to stop; false where it is not sure that there is one.
    stale: HashMap<String, bool>,
    /// A child that was up ended before all of them were.
    has_waiting_end: bool,
}

impl Run {
    fn new(order: Vec<String>) -> Self {
        Self {
            order,
            ..Self::default()
        }
    }

    /// A child begins: no group restart is about to stop it any more.
    fn begins(&mut self, path: &str, incarnation: u64) {
        self.stale.remove(path);
        let is_known = self.order.iter().any(|child| child == path);
        if !is_known || (incarnation == 1 && !self.up.iter().any(|child| child == path)) {
            self.order.retain(|child| child != path);
            self.order.push(path.to_owned());
        }
    }

    /// A restart was decided on, or may have been.
    fn restarts(&mut self, path: &str, strategy: Strategies, is_sure: bool) {
        let first = match strategy {
            Strategies::OneForAll => Some(0),
            Strategies::RestForOne => self.order.iter().position(|child| child == path),
            Strategies::OneForOne | Strategies::Dynamic => return,
        };
        for child in self.order.iter().skip(first.unwrap_or(0)) {
            let was_sure = self.stale.get(child).copied().unwrap_or(false);
            self.stale.insert(child.clone(), is_sure || was_sure);
        }
    }
}

pub(crate) fn check(replay: &Replay<'_>, world: &World) -> Vec<String> {
    let mut windows = Windows {
        world,
        began: replay.events.first().map(|event| event.at),
        runs: HashMap::new(),
        broken: Vec::new(),
    };
    // Every supervisor was up when the replay began, or had been and started anew.
    let paths = world.seen().order.clone();
    for path in paths {
        if let Some((branch, _)) = world.branch(&path) {
            let order = declared(&path, &branch);
            let starting = replay.starting.get(&path);
            windows.runs.insert(
                path.clone(),
                Run {
                    is_leaving: replay.is_doubtful(&path),
                    is_older: true,
                    has_waiting_end: starting.is_some(),
                    up: starting.unwrap_or(&order).clone(),
                    ..Run::new(order)
                },
            );
        }
    }
    for (index, event) in replay.events.iter().enumerate() {
        windows.see(event, replay.events.get(index + 1));
    }
    let paths: Vec<String> = windows.runs.keys().cloned().collect();
    paths.iter().for_each(|path| windows.close(path));
    windows.broken
}

fn declared(path: &str, branch: &Branch) -> Vec<String> {
    match branch.strategy {
        Strategies::Dynamic => Vec::new(),
        _ => (0..branch.children.len())
            .map(|index| format!("{path}/c{index}"))
            .collect(),
    }
}

struct Windows<'a> {
    world: &'a World,
    began: Option<Instant>,
    runs: HashMap<String, Run>,
    broken: Vec<String>,
}

impl Windows<'_> {
    fn see(&mut self, event: &SubsystemEvent, next: Option<&SubsystemEvent>) {
        let path = event.path.as_str();
        match &event.kind {
            EventKind::Starting => {
                self.close(path);
                let branch = self.world.branch(path);
                let order = branch.map(|(branch, _)| declared(path, &branch));
                self.runs
                    .insert(path.to_owned(), Run::new(order.unwrap_or_default()));
                if let Some(above) = parent_of(path) {
                    self.run(above).begins(path, event.incarnation);
                }
            }
            EventKind::StopRequested { .. } | EventKind::Meltdown => {
                self.run(path).is_leaving = true
            }
            EventKind::ShutdownBegan { .. } => {
                self.runs.values_mut().for_each(|run| run.is_leaving = true)
            }
            EventKind::Started => {
                if let Some(above) = parent_of(path) {
                    self.is_up_too(above, path);
                }
            }
            EventKind::Exited { .. } | EventKind::StartFailed { .. } => self.decision(event, next),
            _ => {}
        }
    }

    fn run(&mut self, path: &str) -> &mut Run {
        self.runs.entry(path.to_owned()).or_default()
    }

    /// A child is up. When that was the last one, the ends that waited are decided on.
    fn is_up_too(&mut self, path: &str, child: &str) {
        let Some((branch, _)) = self.world.branch(path) else {
            return;
        };
        let run = self.run(path);
        run.up.push(child.to_owned());
        let is_up = declared(path, &branch)
            .iter()
            .all(|child| run.up.contains(child));
        if is_up && std::mem::take(&mut run.has_waiting_end) {
            run.restarts("", branch.strategy, false);
        }
    }

    fn decision(&mut self, event: &SubsystemEvent, next: Option<&SubsystemEvent>) {
        let path = event.path.as_str();
        let Some(above) = parent_of(path) else { return };
        let Some((branch, _)) = self.world.branch(above) else {
            return;
        };
        let seen = self.world.seen();
        let Some(spec) = seen.specs.get(path) else {
            return;
        };
        let (restart, limits) = match &spec.shape {
            Shape::Leaf(leaf) => (leaf.restart, leaf.limits.clone()),
            Shape::Branch(branch) => (branch.restart, branch.limits.clone()),
        };
        let restart = restart.unwrap_or(Restart::Permanent);
        let is_by_hand = event.kind.code() == "start_failed" && seen.targeted.contains(path);
        drop(seen);
        let at = event.at;
        let counts =
            branch.intensity.is_some() || limits.pause.unwrap_or(branch.pause) == Pause::None;
        let run = self.runs.entry(above.to_owned()).or_default();
        let is_up = declared(above, &branch)
            .iter()
            .all(|child| run.up.contains(child));
        let wants = match &event.kind {
            EventKind::Exited { exit, .. } => restart.wants_restart(exit),
            _ => run.up.iter().any(|child| child == path),
        };
        if run.is_leaving || !wants {
            // Perhaps a significant child that has ended for good.
            run.is_leaving |= branch.auto_shutdown != AutoShutdown::Never;
            return;
        }
        let is_stale = run.stale.get(path).copied();
        run.has_waiting_end |= !is_up;
        if is_stale == Some(true) {
            return;
        }
        if !is_up || is_by_hand || is_stale.is_some() {
            run.restarts(path, branch.strategy, false);
            return run.perhaps.push(at);
        }
        let is_refused = next.is_some_and(|next| {
            (next.kind == EventKind::Quarantined && next.path == *path)
                || (next.kind == EventKind::Meltdown && next.path == *above)
        });
        if !is_refused {
            run.restarts(path, branch.strategy, true);
            let effective = match next.map(|next| (&next.kind, next.path == *path)) {
                Some((EventKind::BackingOff { until, .. }, true)) => *until,
                _ => at,
            };
            let throttled = branch.on_limit == Some(OnLimit::Throttle);
            return run.admitted.push((
                path.to_owned(),
                if throttled { effective } else { at },
                counts,
            ));
        }
        if !can_refuse(&limits, &branch) && !self.is_due(above, &branch, at) {
            self.broken.push(format!("refused too early: {event:?}"));
        }
    }

    /// Tells whether so many restarts came before this instant that one more is refused.
    fn is_due(&self, path: &str, branch: &Branch, at: Instant) -> bool {
        let Some(run) = self.runs.get(path) else {
            return false;
        };
        let limit = branch.intensity.unwrap_or(DEFAULT);
        let within = |then: &Instant| at - *then <= millis(limit.period);
        let admitted = run.admitted.iter();
        let certain = admitted
            .filter(|(_, then, counts)| *counts && within(then))
            .count();
        let is_unseen = run.is_older && self.began.as_ref().is_some_and(within);
        is_unseen || certain + run.perhaps.len() >= limit.restarts as usize
    }

    /// Checks the windows of a run that is over.
    fn close(&mut self, path: &str) {
        let Some(run) = self.runs.remove(path) else {
            return;
        };
        let Some((branch, _)) = self.world.branch(path) else {
            return;
        };
        let limit = branch.intensity.unwrap_or(DEFAULT);
        let seen = self.world.seen();
        let only_none = branch.children.iter().all(|child| {
            of_itself(child).pause.unwrap_or(branch.pause) == Pause::None
                && of_itself(child).limit.is_none()
        });
        let is_plain = only_none
            && run
                .admitted
                .iter()
                .all(|(path, ..)| !seen.order.is_empty() && path.contains("/c"));
        let counted: Vec<Instant> = run
            .admitted
            .iter()
            .filter(|(_, _, counts)| *counts)
            .map(|(_, at, _)| *at)
            .collect();
        if branch.on_limit != Some(OnLimit::Throttle) || is_plain {
            self.broken.extend(
                exceeded(&counted, limit)
                    .map(|at| format!("{path} restarts more than {limit:?} at {at:?}")),
            );
        }
        for (child, spec) in &seen.specs {
            let own = of_itself(&spec.shape);
            let Some(limit) = own.limit.filter(|_| parent_of(child) == Some(path)) else {
                continue;
            };
            if own.on_limit == Some(OnLimit::Throttle)
                || seen.targeted.contains(child)
                || branch.on_limit == Some(OnLimit::Throttle)
            {
                continue;
            }
            let own: Vec<Instant> = run
                .admitted
                .iter()
                .filter(|(path, ..)| path == child)
                .map(|(_, at, _)| *at)
                .collect();
            self.broken.extend(
                exceeded(&own, limit)
                    .map(|at| format!("{child} restarts more than its {limit:?} at {at:?}")),
            );
        }
    }
}

/// Tells whether a child's own limit, or the attempts of its backoff, may refuse a restart.
fn can_refuse(own: &Limits, parent: &Branch) -> bool {
    let pause = own.pause.unwrap_or(parent.pause);
    let has_attempts = matches!(
        pause,
        Pause::Grows {
            attempts: Some(_),
            ..
        }
    );
    own.limit.is_some() || has_attempts
}

fn of_itself(shape: &Shape) -> Limits {
    match shape {
        Shape::Leaf(leaf) => leaf.limits.clone(),
        Shape::Branch(branch) => branch.limits.clone(),
    }
}

/// Returns when there were more than `limit.restarts` within its period, the ends included.
fn exceeded(at: &[Instant], limit: Limit) -> Option<Duration> {
    let mut at = at.to_vec();
    at.sort();
    let over = at.windows(limit.restarts as usize + 1).find(|stretch| {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
            return false;
        };
        *last - *first <= millis(limit.period)
    });
    over.map(|stretch| stretch[0] - at[0])
}
