//! Restarting several children together: `one_for_all` and `rest_for_one`.
//!
//! A group restart is driven, not scheduled: each time something changes, [`drive_group`] looks at
//! the children from the group's first on and does the one next thing. What is alive and not fresh
//! is stopped, last first; when nothing of that is left and the backoff is over, what is not fresh
//! is started, first first. A new failure takes the freshness away, and the same rule applies.
//!
//! [`drive_group`]: Supervision::drive_group

use tokio::time::Instant;

use super::{Mode, Supervision, Timer};
use crate::policy::restart::Strategy;
use crate::supervisor::children::{Key, Phase};

impl Supervision {
    /// Begins a group restart because of `key`, or widens the one under way.
    pub(super) fn restart_group(&mut self, key: Key, until: Instant) {
        let first = self.children.keys().next().copied().unwrap_or(key);
        let is_fresh = self.children.get(&key).is_some_and(|child| child.is_fresh);
        let (from, until) = match (&self.mode, self.strategy) {
            (Mode::Group { until: other, .. }, Strategy::OneForAll) => (first, until.max(*other)),
            // Whoever stands before a fresh child has been restarted already and stays up.
            (Mode::Group { until: other, .. }, _) if is_fresh => (key, until.max(*other)),
            (Mode::Group { from, until: other }, _) => (key.min(*from), until.max(*other)),
            (_, Strategy::OneForAll) => (first, until),
            _ => (key, until),
        };
        for (_, child) in self.children.range_mut(from..) {
            child.is_fresh = false;
        }
        self.mode = Mode::Group { from, until };
        self.drive_group();
    }

    /// Does the next thing of the group restart under way, if there is one.
    pub(super) fn drive_group(&mut self) {
        let Mode::Group { from, until } = self.mode else {
            return;
        };
        if self.is_quiet {
            return;
        }
        let mut members = self.children.range(from..);
        let to_stop = members
            .clone()
            .rev()
            .find(|(_, child)| child.is_alive() && !child.is_fresh);
        if let Some((&key, child)) = to_stop {
            if matches!(child.phase, Phase::Starting | Phase::Up { .. }) {
                let deadline = self.now + child.policy.worst_case_stop;
                self.ask_to_stop(key, deadline);
            }
            return;
        }
        if self.now < until {
            return self.arm(Timer::GroupDue, until);
        }
        if members
            .clone()
            .any(|(_, child)| child.phase == Phase::Starting)
        {
            return;
        }
        let is_due = |phase| !matches!(phase, Phase::Hung);
        let to_start = members.find(|(_, child)| !child.is_fresh && is_due(child.phase));
        match to_start {
            Some((&key, _)) => {
                self.start(key);
                if let Some(child) = self.children.get_mut(&key) {
                    child.is_fresh = true;
                }
            }
            None => {
                self.children
                    .values_mut()
                    .for_each(|child| child.is_fresh = false);
                self.mode = Mode::Running;
            }
        }
    }
}
