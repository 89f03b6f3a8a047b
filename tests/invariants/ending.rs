//! What must be true of a tree that is over, and of its report.

use std::collections::HashSet;
use std::time::Duration;

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::stop::DEFAULT_STOP_TIMEOUT;
use perennial::shutdown::plan::{MIN_KILL_GRACE, SUPERVISOR_TICK};
use perennial::shutdown::report::{Outcome, Stopped};
use perennial::supervisor::status::{NodeStatus, State};
use perennial::tree::Snapshot;
use perennial::{EventKind, StopReport, SubsystemEvent};
use tokio::time::Instant;

use crate::ancestors;
use crate::grow::millis;
use crate::replay::{Replay, is_alive, parent_of};
use crate::shape::{Shape, Strategies};
use crate::world::{Seen, World};

/// What is kept for a leaf that asked for nothing: the library's default.
const DEFAULT_RESERVE: Duration = Duration::from_millis(100);

/// tokio's timers tell milliseconds apart, so that what is due now may come one later.
const TIMER: Duration = Duration::from_millis(1);

/// `Duration::mul_f64` rounds.
const ROUNDING: Duration = Duration::from_micros(40);

/// Checks everything that the end of a tree shows.
pub(crate) fn check(
    (report, over): &mut (StopReport, Instant),
    last: &Snapshot,
    replay: &Replay<'_>,
    world: &World,
) -> Vec<String> {
    let mut broken = Vec::new();
    let first = world.seen().shutdowns.first().copied();
    let deadline = world
        .seen()
        .shutdowns
        .iter()
        .map(|(_, deadline)| *deadline)
        .min();
    if let (Some((asked, _)), Some(deadline)) = (first, deadline)
        && *over > deadline.max(asked)
        && replay.began.is_some()
    {
        broken.push(format!("late by {:?}\n{report}", *over - deadline));
    }
    let hung: Vec<String> = report.hung().iter().map(ToString::to_string).collect();
    if !hung.is_empty() {
        broken.push(format!(
            "nothing here blocks its thread, but {hung:?} hang\n{report}"
        ));
    }
    broken.extend(check_nothing_left(world, &hung));
    broken.extend(check_told(replay, world));
    let mut stopping = HashSet::new();
    last.root.visit(&mut |status| {
        if status.state == State::Stopping {
            stopping.insert(status.path.to_string());
        }
    });
    let mut sums = Sums {
        replay,
        world,
        report,
        stopping,
        broken: &mut broken,
    };
    sums.line(&report.root);
    sums.named(&last.root);
    broken
}

/// Every run of every leaf has dropped its state.
pub(crate) fn check_nothing_left(world: &World, hung: &[String]) -> Vec<String> {
    let seen = world.seen();
    let left = seen
        .alive
        .iter()
        .filter(|(path, count)| **count > 0 && !hung.contains(path));
    left.map(|(path, count)| format!("{count} runs of {path} are left"))
        .collect()
}

/// No leaf was ever told a later instant than those above it had then.
fn check_told(replay: &Replay<'_>, world: &World) -> Vec<String> {
    let seen = world.seen();
    let mut broken = Vec::new();
    for told in &seen.told {
        let before = |at: &Instant| *at < told.at;
        let of_all = seen
            .shutdowns
            .iter()
            .filter(|(at, _)| before(at))
            .map(|(_, deadline)| *deadline)
            .min();
        let mut bounds: Vec<(&str, Instant)> = of_all
            .map(|bound| ("the whole tree", bound))
            .into_iter()
            .collect();
        let mut above = parent_of(&told.path);
        while let Some(path) = above {
            // What comes at the same instant may have come before it or after.
            let of_it = replay
                .events
                .iter()
                .rev()
                .filter(|event| event.path == *path);
            let last = of_it.clone().find(|event| event.at <= told.at);
            if let Some(last) = last.filter(|last| before(&last.at))
                && let EventKind::StopRequested { deadline } = last.kind
            {
                bounds.push((path, deadline));
            }
            above = parent_of(path);
        }
        let exceeded = bounds.iter().find(|(_, bound)| told.deadline > *bound);
        broken.extend(exceeded.map(|bound| format!("{told:?}, but {bound:?}")));
    }
    broken
}

struct Sums<'a> {
    replay: &'a Replay<'a>,
    world: &'a World,
    report: &'a StopReport,
    /// What was stopping when the shutdown came.
    stopping: HashSet<String>,
    broken: &'a mut Vec<String>,
}

impl Sums<'_> {
    fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            let what = what();
            self.broken.push(format!("{what}\n{}", self.report));
        }
    }

    /// Checks the line of a supervisor against those of its children.
    fn line(&mut self, line: &Stopped) {
        let path = line.path.to_string();
        // Killed at its very deadline, it has a moment to die.
        let most = line.allotted + MIN_KILL_GRACE + TIMER;
        self.require(line.spent <= most, || {
            format!("{path} spent more than it had")
        });
        let Some((branch, _)) = self.world.branch(&path) else {
            return;
        };
        let spent: Duration = line.children.iter().map(|child| child.spent).sum();
        let is_dynamic = branch.strategy == Strategies::Dynamic;
        if !self.left_by_itself(&path) {
            self.require(is_dynamic || spent <= line.spent, || {
                format!("the children of {path} spent {spent:?}")
            });
            if !self.replay.is_tightened() {
                for child in &line.children {
                    self.require(child.allotted <= line.allotted, || {
                        format!("{} had more than its supervisor", child.path)
                    });
                }
                self.floors(line, is_dynamic);
            }
        }
        line.children.iter().for_each(|child| self.line(child));
    }

    /// Tells whether a supervisor, or one above it, may have begun to stop its children before the
    /// shutdown came: then it was told an earlier instant after it had told them theirs.
    fn left_by_itself(&self, path: &str) -> bool {
        ancestors(path).any(|above| self.was_leaving(above))
    }

    fn was_leaving(&self, path: &str) -> bool {
        let replay = self.replay;
        let mut of_it = replay.events.iter().filter(|event| event.path == *path);
        let gave_up = of_it.any(|event| event.kind == EventKind::Meltdown);
        // A declared child's first start failed.
        let first_failed = replay.nodes.get(path).is_some_and(|node| node.is_leaving);
        let is_early = self.was_asked_early(path) || replay.began.is_none();
        is_early
            || gave_up
            || first_failed
            || self.has_significant(path)
            || replay.is_doubtful(path)
    }

    fn has_significant(&self, path: &str) -> bool {
        let branch = self.world.branch(path);
        branch.is_some_and(|(branch, _)| branch.auto_shutdown != AutoShutdown::Never)
    }

    /// Whatever the others spent, each child that was up had its floor.
    fn floors(&mut self, line: &Stopped, is_dynamic: bool) {
        let available = line.allotted - SUPERVISOR_TICK.min(line.allotted / 10);
        // Siblings without a line may have counted: their turn to start never came, or they were
        // removed since.
        let declared = self.world.branch(line.path.as_str());
        let declared = declared.map_or(0, |(branch, _)| branch.children.len());
        let least = line.children.len().max(1);
        let counts = least..=declared.max(least);
        let shares: Vec<_> = counts
            .map(|count| self.shares(line, available, (count, is_dynamic)))
            .collect();
        for (index, child) in line.children.iter().enumerate() {
            let path = child.path.to_string();
            let floor = shares.iter().filter_map(|shares| shares.get(index)).min();
            let floor = floor.map_or(Duration::ZERO, |floor| {
                (*floor).min(self.stop_timeout(&path))
            });
            let is_early = child.outcome == Outcome::AlreadyDown || self.was_asked_early(&path);
            self.require(is_early || child.allotted + ROUNDING >= floor, || {
                format!("{path} had less than its floor of {floor:?}")
            });
        }
    }

    /// Computes the floors of a supervisor's children when so many share what it has for them.
    fn shares(
        &self,
        line: &Stopped,
        available: Duration,
        (count, is_dynamic): (usize, bool),
    ) -> Vec<Duration> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let floors = line
            .children
            .iter()
            .map(|child| self.floor(child, available, count));
        let floors: Vec<Duration> = floors.collect();
        let largest = line.children.iter().zip(&floors);
        let largest = largest.map(|(child, floor)| self.floor_ever(child, available).max(*floor));
        let reserved: Duration = largest.sum();
        let shrink = match reserved > available && !is_dynamic {
            true => available.as_secs_f64() / reserved.as_secs_f64(),
            false => 1.0,
        };
        let shrunk = floors
            .into_iter()
            .map(|floor| floor.mul_f64(shrink).min(available));
        shrunk.collect()
    }

    fn was_asked_early(&self, path: &str) -> bool {
        let began = self.replay.began;
        let is_early = |event: &SubsystemEvent| {
            let is_asked = matches!(event.kind, EventKind::StopRequested { .. });
            event.path == *path && is_asked && began.is_none_or(|began| event.at <= began)
        };
        let was_stopping = self.stopping.contains(path);
        was_stopping || self.replay.events.iter().any(is_early)
    }

    fn floor(&self, child: &Stopped, available: Duration, count: u32) -> Duration {
        let seen = self.world.seen();
        let (timeout, reserve) = match seen.specs.get(child.path.as_str()).map(|spec| &spec.shape) {
            Some(Shape::Branch(_)) => {
                let (by_hand, by_default) = floors_reported(&seen, child);
                return by_hand + by_default.min(available);
            }
            Some(Shape::Leaf(leaf)) => (leaf.stop_timeout, leaf.stop_reserve),
            None => (None, None),
        };
        let share = DEFAULT_RESERVE.min(available / count);
        reserve.map_or_else(|| stop_timeout_of(timeout).min(share), millis)
    }

    /// What may have been kept for a supervisor, with everything that was ever added below it.
    fn floor_ever(&self, child: &Stopped, available: Duration) -> Duration {
        let (by_hand, by_default) = floors_ever(&self.world.seen(), child.path.as_str());
        by_hand + by_default.min(available)
    }

    fn stop_timeout(&self, path: &str) -> Duration {
        let seen = self.world.seen();
        match seen.specs.get(path).map(|spec| &spec.shape) {
            Some(Shape::Leaf(leaf)) => stop_timeout_of(leaf.stop_timeout),
            Some(Shape::Branch(branch)) => branch.stop_timeout.map_or(Duration::MAX, millis),
            None => DEFAULT_STOP_TIMEOUT,
        }
    }

    /// Everything that lived when the shutdown began is a line of the report, or ended by itself.
    fn named(&mut self, status: &NodeStatus) {
        let path = status.path.as_str();
        let lines = self.report.lines();
        let is_named = lines.iter().any(|(_, line)| line.path == status.path);
        let ended = self
            .replay
            .nodes
            .get(path)
            .is_none_or(|node| !is_alive(node.state));
        let is_under_way =
            self.replay.events.iter().any(|event| {
                event.path == *path && event.at >= self.replay.began.unwrap_or(event.at)
            });
        self.require(
            !is_alive(status.state) || is_named || (ended && is_under_way),
            || format!("{path} is not in the report"),
        );
        for child in &status.children {
            self.named(child);
        }
    }
}

fn stop_timeout_of(set: Option<u64>) -> Duration {
    set.map_or(DEFAULT_STOP_TIMEOUT, millis)
}

/// As [`floors_below`], of those that were there when the supervisor stopped: what is down for good,
/// and not kept, needs no time.
fn floors_reported(seen: &Seen, line: &Stopped) -> (Duration, Duration) {
    match seen.specs.get(line.path.as_str()).map(|spec| &spec.shape) {
        Some(leaf @ Shape::Leaf(_)) => floors_below(leaf),
        Some(Shape::Branch(branch)) => with_tick(match branch.strategy {
            Strategies::Dynamic => (Duration::ZERO, DEFAULT_RESERVE),
            _ => sum(line.children.iter().map(|line| floors_reported(seen, line))),
        }),
        None => (Duration::ZERO, Duration::ZERO),
    }
}

fn sum(floors: impl Iterator<Item = (Duration, Duration)>) -> (Duration, Duration) {
    let zero = (Duration::ZERO, Duration::ZERO);
    floors.fold(zero, |sum, floor| (sum.0 + floor.0, sum.1 + floor.1))
}

/// As [`floors_below`], with everything that was ever added; nothing for a leaf.
fn floors_ever(seen: &Seen, path: &str) -> (Duration, Duration) {
    let Some(Shape::Branch(branch)) = seen.specs.get(path).map(|spec| &spec.shape) else {
        return (Duration::ZERO, Duration::ZERO);
    };
    let children = seen
        .order
        .iter()
        .filter(|child| parent_of(child) == Some(path));
    let floors = children.map(|child| match &seen.specs[child].shape {
        leaf @ Shape::Leaf(_) => floors_below(leaf),
        Shape::Branch(_) => floors_ever(seen, child),
    });
    with_tick(match branch.strategy {
        Strategies::Dynamic => (Duration::ZERO, DEFAULT_RESERVE),
        _ => sum(floors),
    })
}

/// Sums up what is kept for the leaves below a supervisor, and for itself.
pub(crate) fn floor_below(shape: &Shape) -> Duration {
    let (by_hand, by_default) = floors_below(shape);
    by_hand + by_default
}

/// Tells apart what was set by hand and what is kept by default, of which there is no more than the
/// budget, however many the leaves are.
fn floors_below(shape: &Shape) -> (Duration, Duration) {
    let zero = Duration::ZERO;
    match shape {
        Shape::Leaf(leaf) => match leaf.stop_reserve {
            Some(reserve) => (millis(reserve), zero),
            None => (
                zero,
                stop_timeout_of(leaf.stop_timeout).min(DEFAULT_RESERVE),
            ),
        },
        Shape::Branch(branch) => {
            let children = branch.children.iter().map(floors_below);
            with_tick(match branch.strategy {
                Strategies::Dynamic => (zero, DEFAULT_RESERVE),
                _ => sum(children),
            })
        }
    }
}

/// Adds what a supervisor keeps for itself.
fn with_tick((by_hand, by_default): (Duration, Duration)) -> (Duration, Duration) {
    let tick = SUPERVISOR_TICK.min((by_hand + by_default) / 9);
    match by_hand.is_zero() {
        true => (by_hand, by_default + tick),
        false => (by_hand + tick, by_default),
    }
}
