//! Whether, and when, a child of the model comes back: attempts, its own limit, the intensity.

use super::{Due, Group, Id, Job, MILLI, Model, State, Time};
use crate::script::{Limit, OnLimit, Wait};

/// What guards the children without backoff of a supervisor that says nothing.
const DEFAULT_INTENSITY: Limit = Limit {
    restarts: 5,
    period: 60_000,
};
/// The uptime after which a child that never waits counts as recovered.
const DEFAULT_RESET: u64 = 30_000;

impl Wait {
    /// Returns how long restart number `attempt` in a row waits, counted from 1.
    fn delay(self, attempt: u32) -> Time {
        match (self, attempt) {
            (Self::None, _) | (Self::Growing(..), 1) => 0,
            (Self::Fixed(delay), _) => delay * MILLI,
            (Self::Growing(first, max), attempt) => {
                let doubled = 1u64.checked_shl(attempt - 2).unwrap_or(u64::MAX);
                first.saturating_mul(doubled).min(max) * MILLI
            }
        }
    }

    fn resets_after(self) -> u64 {
        match self {
            Self::None => DEFAULT_RESET,
            Self::Fixed(delay) => delay,
            Self::Growing(_, max) => max,
        }
    }
}

/// Counts a restart now, unless it is one too many.
fn admits(window: &mut Vec<Time>, limit: Limit, now: Time) -> bool {
    // One exactly a period ago still counts.
    let counts = |then: &&Time| now - **then <= limit.period * MILLI;
    let admitted = window.iter().filter(counts).count() < limit.restarts as usize;
    if admitted {
        window.push(now);
    }
    admitted
}

/// Counts a restart at the first instant from now on that admits it, and returns that. A backoff that
/// is longer changes nothing: a decision counts, not the start that follows.
fn admits_later(window: &mut Vec<Time>, limit: Limit, at: Time) -> Time {
    let mut at = window.last().map_or(at, |last| at.max(*last));
    if let Some(nth) = window.len().checked_sub(limit.restarts as usize) {
        at = at.max(window[nth] + limit.period * MILLI + 1);
    }
    window.push(at);
    at
}

/// What a limit said.
enum Verdict {
    At(Time),
    Reached(OnLimit),
}

impl Model {
    /// Restarts a child that ended, or that did not start, by its supervisor's strategy.
    pub(super) fn restart(&mut self, parent: Id, id: Id) {
        // Nothing counts once the shutdown has begun.
        if self.is_shut_down {
            return;
        }
        let until = match self.verdict(parent, id) {
            Verdict::At(until) => until,
            Verdict::Reached(OnLimit::Quarantine) => {
                self.set(id, State::Quarantined);
                return self.event(id, "quarantined");
            }
            Verdict::Reached(_) => {
                let path = self.nodes[parent].path.clone();
                self.line(&path, parent, "meltdown".into());
                return self.leave(parent, "meltdown");
            }
        };
        if until > self.now {
            self.set(id, State::BackingOff);
            let attempt = self.nodes[id].attempt;
            self.event(id, format!("backing_off #{attempt} until {until}"));
        }
        if self.settings(parent).shape.is_group() {
            return self.begin_group(parent, id, until);
        }
        match until > self.now {
            true => self.later(id, until, Due::Start),
            false => self.start(id),
        }
    }

    fn verdict(&mut self, parent: Id, id: Id) -> Verdict {
        let settings = self.settings(parent);
        let (shape, intensity, on_intensity) =
            (settings.shape, settings.intensity, settings.on_limit);
        let now = self.now;
        let node = &mut self.nodes[id];
        let policy = node.policy.clone();
        let by_default = match shape.is_group() {
            true => OnLimit::Escalate,
            false => OnLimit::Quarantine,
        };
        let on_limit = policy.on_limit.unwrap_or(by_default);
        node.attempt += 1;
        if policy.attempts.is_some_and(|most| node.attempt > most) {
            return Verdict::Reached(on_limit);
        }
        let mut until = now + policy.wait.delay(node.attempt);
        if let Some(limit) = policy.limit {
            if on_limit == OnLimit::Throttle {
                until = until.max(admits_later(&mut node.window, limit, now));
            } else if !admits(&mut node.window, limit, now) {
                return Verdict::Reached(on_limit);
            }
        }
        let unguarded = policy.wait == Wait::None;
        let intensity = intensity.or(unguarded.then_some(DEFAULT_INTENSITY));
        let window = &mut self.nodes[parent].intensity;
        if let Some(limit) = intensity {
            if on_intensity == OnLimit::Throttle {
                until = until.max(admits_later(window, limit, now));
            } else if !admits(window, limit, now) {
                return Verdict::Reached(on_intensity);
            }
        }
        Verdict::At(until)
    }

    /// Counts a run that was long enough as a recovery.
    pub(super) fn note_uptime(&mut self, id: Id, uptime: Time) {
        let node = &mut self.nodes[id];
        if uptime >= node.policy.wait.resets_after() * MILLI {
            node.attempt = 0;
        }
    }

    /// Returns the group restart that is under way.
    pub(super) fn group(&mut self, parent: Id) -> Option<&mut Group> {
        match &mut self.nodes[parent].job {
            Job::Restarting(group) => Some(group),
            _ => None,
        }
    }
}
