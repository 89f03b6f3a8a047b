//! Restarting several children together: `one_for_all` and `rest_for_one`.
//!
//! A group restart is driven, not scheduled: each time something changes, [`drive_group`] looks at
//! the children from the group's first on and does the one next thing. What is alive and not fresh
//! is stopped, last first; when nothing of that is left and the backoff is over, what is not fresh
//! is started, first first. A new failure takes the freshness away, and the same rule applies.
//!
//! [`drive_group`]: Supervision::drive_group

use std::time::Duration;

use tokio::time::Instant;

use super::{Group, Mode, StopTimes, Supervision, Timer};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::restart::{Restart, Strategy};
use crate::supervisor::children::{Key, Phase};
use crate::time::later;

impl Supervision {
    /// Begins a group restart because of `key`, or widens the one under way.
    pub(super) fn restart_group(&mut self, key: Key, until: Instant) {
        let first = self.children.keys().next().copied().unwrap_or(key);
        let is_fresh = self.is_fresh(key);
        let (from, until) = match (&self.mode, self.rules.strategy) {
            (Mode::Group(other), Strategy::OneForAll) => (first, until.max(other.until)),
            // Whoever stands before a fresh child has been restarted already and stays up.
            (Mode::Group(other), _) if is_fresh => (key, until.max(other.until)),
            (Mode::Group(other), _) => (key.min(other.from), until.max(other.until)),
            (_, Strategy::OneForAll) => (first, until),
            _ => (key, until),
        };
        for (_, child) in self.children.range_mut(from..) {
            child.is_fresh = false;
        }
        self.mode = Mode::Group(Group {
            from,
            until,
            stop_below: Key::MAX,
            start_from: from,
        });
        self.drive_group();
    }

    /// Does the next thing of the group restart under way, if there is one.
    pub(super) fn drive_group(&mut self) {
        let Mode::Group(mut group) = self.mode else {
            return;
        };
        if self.is_quiet {
            return;
        }
        if let Some(key) = self.last_to_stop(group) {
            group.stop_below = key + 1;
            self.mode = Mode::Group(group);
            return self.stop_member(key);
        }
        group.stop_below = group.from;
        self.mode = Mode::Group(group);
        if self.now < group.until {
            return self.arm(Timer::GroupDue, group.until);
        }
        // The one before is being started, or failed to and hears of that first.
        let starting = self.children.get(&group.start_from);
        if starting
            .is_some_and(|child| matches!(child.phase, Phase::Starting | Phase::StartTimedOut))
        {
            return;
        }
        if self.is_waited_for(group.start_from) {
            return;
        }
        match self.first_to_start(group) {
            Some(key) => {
                group.start_from = key;
                self.mode = Mode::Group(group);
                self.start(key);
                if let Some(child) = self.children.get_mut(&key) {
                    child.is_fresh = true;
                }
            }
            None => {
                for (_, child) in self.children.range_mut(group.from..) {
                    child.is_fresh = false;
                }
                self.mode = Mode::Running;
            }
        }
    }

    /// Tells whether the group restart under way will stop this child, or would if it were up.
    pub(super) fn is_about_to_stop(&self, key: Key) -> bool {
        matches!(self.mode, Mode::Group(group) if key >= group.from) && !self.is_fresh(key)
    }

    /// Tells whether the group restart under way has started this child.
    pub(super) fn is_fresh(&self, key: Key) -> bool {
        self.children.get(&key).is_some_and(|child| child.is_fresh)
    }

    /// A member ended by itself before its group came to stop it: it counts as stopped. OTP takes
    /// such an end for the answer to its `shutdown`, which comes too late.
    pub(super) fn ended_with_its_group(&mut self, key: Key, exit: Exit, uptime: Duration) {
        let now = self.now;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.phase = Phase::Down;
        child.end_run(now);
        self.note(key, EventKind::Exited { exit, uptime });
        self.leave_to_its_group(key);
    }

    /// A member that is down comes back with its group, and decides nothing of its own.
    pub(super) fn leave_to_its_group(&mut self, key: Key) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        if child.policy.restart == Restart::Temporary {
            self.remove(key);
        }
        self.drive_group();
    }

    fn last_to_stop(&self, group: Group) -> Option<Key> {
        let members = self
            .children
            .range(group.from..group.stop_below.max(group.from));
        members
            .rev()
            .find(|(_, child)| child.is_alive() && !child.is_fresh)
            .map(|(key, _)| *key)
    }

    fn first_to_start(&self, group: Group) -> Option<Key> {
        let is_due = |phase: &Phase| !matches!(phase, Phase::Hung { .. });
        let mut members = self.children.range(group.start_from..);
        members
            .find(|(_, child)| !child.is_fresh && is_due(&child.phase))
            .map(|(key, _)| *key)
    }

    fn stop_member(&mut self, key: Key) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        if matches!(
            child.phase,
            Phase::Starting | Phase::Up { .. } | Phase::Ending { .. }
        ) {
            let deadline = later(self.now, child.policy.worst_case_stop);
            self.ask_to_stop(key, StopTimes::fixed(deadline));
        }
    }
}
