//! What a verdict means: events in order, exact times, and the line of the stop report.

use std::time::Duration;

use crate::cell::{Cell, Fault, Hook, Phase, Verdict};

/// How long a slow hook takes where it can await.
pub(crate) const SLOW: Duration = Duration::from_millis(100);
/// The child's backoff, the same before every restart.
pub(crate) const RESTART_DELAY: Duration = Duration::from_millis(70);
/// What the shutdown of the whole tree may take.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);
/// How much before its deadline a leaf is killed, when it has half a second or more.
const KILL_GRACE: Duration = Duration::from_millis(50);

/// The limits of the child with the fault.
pub(crate) struct Limits {
    pub(crate) start: Duration,
    pub(crate) stop: Duration,
}

impl Cell {
    /// Returns the child's limits: short where the real clock has to reach them, long otherwise.
    pub(crate) fn limits(&self) -> Limits {
        let millis = match (self.fault, self.verdict) {
            (Fault::Block, Verdict::Hangs) => (1_500, 300),
            (Fault::Block, _) => (15_000, 300),
            _ if self.needs_threads() => (15_000, 10_000),
            _ => (3_000, 2_000),
        };
        Limits {
            start: Duration::from_millis(millis.0),
            stop: Duration::from_millis(millis.1),
        }
    }

    /// Returns the child's events before the fault, from the moment the test begins to watch.
    fn prelude(&self) -> Vec<String> {
        let events: &[&str] = match (self.phase, self.hook) {
            (Phase::Starting, _) => &["starting"],
            // Asked for by hand.
            (_, Hook::StepBody) => &["starting"],
            (Phase::Restarting, _) => &["exited: failed", "backing_off", "starting"],
            (Phase::ShuttingDown, _) if self.is_early() => {
                &["exited: failed", "backing_off", "starting"]
            }
            (Phase::Running, _) if self.is_early() => &[
                "exited: failed",
                "backing_off",
                "starting",
                "started",
                "restarted",
            ],
            (Phase::Running | Phase::ShuttingDown, _) => &[],
        };
        events.iter().map(|event| (*event).to_owned()).collect()
    }

    /// Returns the child's events before it is asked to stop.
    pub(crate) fn events_before_the_stop(&self) -> Vec<String> {
        let is_step = self.hook == Hook::StepBody;
        let mut events = self.prelude();
        let mut add = |more: &[&str]| events.extend(more.iter().map(|event| (*event).to_owned()));
        match (self.phase, self.verdict) {
            (Phase::ShuttingDown, _) | (_, Verdict::Never(_)) => {}
            (Phase::Running, Verdict::Lives(_)) => {}
            (Phase::Starting, Verdict::Lives(_)) => add(&["started"]),
            // A step is restarted by hand, and how long it was down says nothing.
            (Phase::Restarting, Verdict::Lives(_)) if is_step => add(&["started"]),
            (Phase::Restarting, Verdict::Lives(_)) => add(&["started", "restarted"]),
            (_, Verdict::Hangs) => add(&["exited: hung"]),
            (Phase::Running, Verdict::Ends(exit)) => add(&[&format!("exited: {exit}")]),
            (_, Verdict::Ends(exit)) => add(&[&format!("start_failed: {exit}")]),
        }
        if matches!(self.verdict, Verdict::Lives("already_down")) {
            add(&["exited: normal"]);
        }
        let comes_back = matches!(self.phase, Phase::Running | Phase::Restarting) && !is_step;
        if matches!(self.verdict, Verdict::Ends(_)) && comes_back {
            add(&["backing_off", "starting", "started", "restarted"]);
        }
        events
    }

    /// Returns the outcome of the child's stop; `None` where it is no more.
    pub(crate) fn outcome(&self) -> Option<&'static str> {
        match (self.phase, self.verdict) {
            (_, Verdict::Lives(outcome)) => Some(outcome),
            (_, Verdict::Hangs) => Some("hung"),
            (Phase::Starting, _) => None,
            (_, Verdict::Ends(_)) if self.hook == Hook::StepBody => Some("already_down"),
            (_, Verdict::Ends(_) | Verdict::Never(_)) => Some("stopped"),
        }
    }

    /// Returns the child's events from its being asked to stop on.
    pub(crate) fn events_of_the_stop(&self) -> Vec<String> {
        let outcome = match (self.verdict, self.outcome()) {
            (Verdict::Hangs, _) | (_, None | Some("already_down")) => return Vec::new(),
            (_, Some(outcome)) => outcome,
        };
        vec!["stop_requested".to_owned(), format!("stopped: {outcome}")]
    }

    /// Returns how long the fault holds up what waits for it, on the paused clock.
    fn delay(&self) -> Duration {
        match (self.verdict, self.fault) {
            (Verdict::Ends("start_timed_out"), _) => self.limits().start,
            (_, Fault::Slow) if !self.is_subtask() => SLOW,
            _ => Duration::ZERO,
        }
    }

    /// Returns how long it takes, on the paused clock, from the test's doing until the last event
    /// before the stop.
    pub(crate) fn time_before_the_stop(&self) -> Duration {
        let is_by_hand = self.hook == Hook::StepBody;
        let before = match self.incarnation() {
            1 => Duration::ZERO,
            _ if is_by_hand => Duration::ZERO,
            _ => RESTART_DELAY,
        };
        match (self.phase, self.verdict) {
            (Phase::ShuttingDown, _) => before,
            (Phase::Starting, _) => self.delay(),
            (Phase::Running, Verdict::Lives(_)) => before,
            (_, Verdict::Ends(_)) if !is_by_hand => before + self.delay() + RESTART_DELAY,
            _ => before + self.delay(),
        }
    }

    /// Returns how long the stop takes, on the paused clock.
    pub(crate) fn time_of_the_stop(&self) -> Duration {
        match self.outcome() {
            Some("killed") => self.limits().stop - KILL_GRACE,
            Some("stopped") if self.phase == Phase::ShuttingDown => self.delay(),
            _ => Duration::ZERO,
        }
    }

    /// Returns the state in which the child is seen before the stop.
    pub(crate) fn state_before_the_stop(&self) -> Option<&'static str> {
        let is_step = self.hook == Hook::StepBody;
        match (self.phase, self.verdict) {
            (Phase::ShuttingDown, _) | (_, Verdict::Never(_)) => None,
            (_, Verdict::Hangs) => Some("hung"),
            (Phase::Starting, Verdict::Ends(_)) => None,
            _ if is_step => Some("down"),
            _ => Some("running"),
        }
    }

    /// Returns the child's last exit before the stop, where there is one.
    pub(crate) fn last_exit(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict::Ends(exit) => Some(exit),
            Verdict::Hangs => Some("hung"),
            Verdict::Lives("already_down") => Some("normal"),
            Verdict::Lives(_) if self.incarnation() == 2 => Some("failed"),
            Verdict::Lives(_) | Verdict::Never(_) => None,
        }
    }
}
