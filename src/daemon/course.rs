//! The course of one shutdown: what is due when. Pure; whoever waits and does it stands in `attend`.

use std::time::Duration;

use tokio::time::Instant;

use super::DaemonExit;
use super::orders::{Told, Wish};
use crate::exit::Exit;
use crate::shutdown::ladder::{Ladder, Steps};
use crate::shutdown::report::StopReport;
use crate::shutdown::{Shutdown, ShutdownReason};
use crate::supervisor::Leaving;
use crate::time::later;

/// How long a tree that is told to end at once may take to say what it left behind. It needs the grace
/// of one kill, 50 ms; the rest tells a busy machine from one whose threads are all blocked.
const FORCE_PATIENCE: Duration = Duration::from_millis(500);

/// How long after its deadline a tree that ends for an error may still report: nobody waits until `force`
/// for one that failed.
const ERROR_PATIENCE: Duration = Duration::from_secs(1);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The tree begins to stop, and has until `by`, however late it begins.
    Stop { reason: ShutdownReason, by: Instant },
    /// Nobody waits any longer.
    GiveUp(DaemonExit),
}

/// Where a shutdown stands.
#[derive(Debug, Default)]
pub(super) struct Course {
    wish: Option<Wish>,
    stop: Option<(Instant, Due)>,
    steps: Option<Steps>,
    give_up: Option<(Instant, DaemonExit)>,
    forced: Option<DaemonExit>,
    has_begun: bool,
    is_left: bool,
    has_failed: bool,
}

impl Course {
    /// Takes in what was told since.
    pub(super) fn told(&mut self, told: &Told, now: Instant) {
        if let (None, Some(wish)) = (self.wish, told.wish) {
            self.wish = Some(wish);
            let at = later(wish.at, wish.drain);
            let steps = wish.ladder.from(at);
            let stop = Due::Stop {
                reason: wish.reason,
                by: steps.graceful,
            };
            self.stop = (!self.has_begun).then_some((at, stop));
            self.step(steps);
        }
        if let (None, Some(signal)) = (self.forced, told.forced_by) {
            let reason = self
                .wish
                .map_or(ShutdownReason::Requested, |wish| wish.reason);
            let exit = DaemonExit::Forced(signal.number());
            self.forced = Some(exit);
            self.stop = Some((now, Due::Stop { reason, by: now }));
            // Before the process is killed, also where there is little time until then.
            let half = self.wish.map(|wish| wish.ladder.patience() / 2);
            let patience = half.map_or(FORCE_PATIENCE, |half| half.min(FORCE_PATIENCE));
            self.give_up = Some((later(now, patience), exit));
        }
    }

    /// Takes in that the tree has begun to stop, whoever asked for it.
    pub(super) fn tree_began(&mut self, shutdown: Shutdown, ladder: Ladder) -> Steps {
        self.has_begun = true;
        // A wish has its ladder: a reload changes the next shutdown and not this one.
        let ladder = self.wish.map_or(ladder, |wish| wish.ladder);
        if self.forced.is_none() {
            self.stop = None;
        }
        let steps = self.step(ladder.ending(shutdown.deadline));
        if shutdown.reason == ShutdownReason::Error {
            self.fail(DaemonExit::Failed, shutdown.deadline, steps);
        }
        steps
    }

    /// Takes in that the tree has begun to end by itself, which nobody asked for.
    pub(super) fn tree_leaves(&mut self, leaving: &Leaving, ladder: Ladder) -> Steps {
        self.is_left = true;
        let ladder = self.wish.map_or(ladder, |wish| wish.ladder);
        let steps = self.step(ladder.ending(leaving.deadline));
        let exit = match leaving.exit {
            Exit::Meltdown => DaemonExit::Meltdown,
            ref exit if exit.is_abnormal() => DaemonExit::Failed,
            _ => return steps,
        };
        self.fail(exit, leaving.deadline, steps);
        steps
    }

    fn fail(&mut self, exit: DaemonExit, deadline: Instant, steps: Steps) {
        if self.forced.is_none() && !self.has_failed {
            let at = later(deadline, ERROR_PATIENCE).min(steps.force);
            self.give_up = Some((at, exit));
        }
        self.has_failed = true;
    }

    fn step(&mut self, steps: Steps) -> Steps {
        let steps = self.steps.map_or(steps, |known| known.earlier(steps));
        self.steps = Some(steps);
        if self.forced.is_none() && !self.has_failed {
            self.give_up = Some((steps.force, DaemonExit::Late));
        }
        steps
    }

    /// Takes in that what was due is being done.
    pub(super) fn done(&mut self, due: Due) {
        if let Due::Stop { .. } = due {
            self.stop = None;
        }
    }

    /// Returns what is due next, and when.
    pub(super) fn next(&self) -> Option<(Instant, Due)> {
        let give_up = self.give_up.map(|(at, exit)| (at, Due::GiveUp(exit)));
        match (self.stop, give_up) {
            (Some(stop), Some(give_up)) => Some(if stop.0 <= give_up.0 { stop } else { give_up }),
            (stop, give_up) => stop.or(give_up),
        }
    }

    /// Returns until when what was left behind is waited for.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        self.give_up.map(|(at, _)| at)
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Returns how the daemon has ended if it must be given up on, or killed.
    pub(super) fn given_up(&self) -> DaemonExit {
        self.give_up.map_or(DaemonExit::Late, |(_, exit)| exit)
    }

    /// Tells whether the tree has begun to end by itself.
    pub(super) fn is_left(&self) -> bool {
        self.is_left
    }

    /// Returns the exit that a second signal has decided on.
    pub(super) fn forced(&self) -> Option<DaemonExit> {
        self.forced
    }

    /// Reads how a tree ended whose report came `now`; `ladder` is that of a tree nobody wished to end.
    pub(super) fn exit(&self, report: &StopReport, ladder: Ladder, now: Instant) -> DaemonExit {
        let ladder = self.wish.map_or(ladder, |wish| wish.ladder);
        match DaemonExit::of(report, ladder.graceful()) {
            // A tree that failed is not forgiven for the signals that came meanwhile.
            exit @ (DaemonExit::Failed | DaemonExit::Meltdown | DaemonExit::Exhausted) => exit,
            DaemonExit::Clean if self.was_begun_too_late(report, now) => {
                self.forced.unwrap_or(DaemonExit::Late)
            }
            exit => self.forced.unwrap_or(exit),
        }
    }

    /// Tells whether the tree took longer than was left of its time when it began: a process that was
    /// stopped, or had no processor, may find little of it.
    fn was_begun_too_late(&self, report: &StopReport, now: Instant) -> bool {
        let is_past = self.steps.is_some_and(|steps| now > steps.graceful);
        report.root.spent > report.root.allotted && is_past
    }
}

#[cfg(test)]
mod tests;
