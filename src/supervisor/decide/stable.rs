//! The moment at which a run has been up and well for long enough, and what waits for it.
//!
//! [`Standing`](crate::supervisor::standing::Standing) knows whether it has come. A timer is armed only where
//! somebody is to be told: of a child that was declared so, and of every one that has failed before. For
//! the others it is found out when the run ends, which comes to the same.

use super::{Action, Mode, Supervision, Timer};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::supervisor::children::{Key, Phase, Then};
use crate::supervisor::standing::Standing;
use crate::time::later;

impl Supervision {
    /// The run is stable if its time has come: the restarts in a row are forgotten, and who waited starts.
    pub(super) fn settle(&mut self, key: Key, incarnation: u64) {
        let (now, is_quiet) = (self.now, self.is_quiet);
        let was_waited_for = self.is_waited_for(key);
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        let Phase::Up { since } = child.phase else {
            return;
        };
        let is_told = child.tells_stable_at().is_some();
        if is_quiet || !child.standing.settle(now, child.policy.stable_after()) {
            return;
        }
        let attempts = std::mem::take(&mut child.attempt);
        if is_told {
            let uptime = now - since;
            self.note(key, EventKind::Stable { uptime, attempts });
        }
        if was_waited_for {
            self.go_on_starting();
        }
    }

    /// A run that is up does better or worse: the time in which it has to be well may begin anew.
    pub(super) fn health_heard(&mut self, key: Key, incarnation: u64, is_well: bool) {
        self.settle(key, incarnation);
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        if !matches!(child.phase, Phase::Up { .. }) {
            return;
        }
        let before = child.standing;
        child.standing.hear(is_well, now);
        if child.standing != before {
            self.arm_stable(key);
        }
    }

    /// The timer is due; the moment may have been put off.
    pub(super) fn stable_due(&mut self, key: Key, incarnation: u64) {
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        child.is_stable_due = false;
        self.settle(key, incarnation);
        self.arm_stable(key);
    }

    /// Sees to it that somebody hears of it when the run is stable. One timer at a time, however often
    /// the run is well and not well meanwhile: the moment is only ever put off.
    pub(super) fn arm_stable(&mut self, key: Key) {
        let is_quiet = self.is_quiet;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        // Whose run is ending is told nothing more.
        if is_quiet || !matches!(child.phase, Phase::Up { .. }) {
            return;
        }
        let incarnation = child.incarnation;
        if let Some(at) = child.tells_stable_at()
            && !std::mem::replace(&mut child.is_stable_due, true)
        {
            self.arm(Timer::StableDue { key, incarnation }, at);
        }
    }

    /// Bounds the time for which siblings wait: what is not well for ever may not hold up a start for ever.
    pub(super) fn arm_stable_timeout(&mut self, key: Key) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        let incarnation = child.incarnation;
        let patience = child.policy.start_timeout.unwrap_or_default();
        let at = later(later(self.now, child.policy.stable_after()), patience);
        self.arm(Timer::StableTimeout { key, incarnation }, at);
    }

    /// It was not well for long enough in time: its run ends as one whose start took too long.
    pub(super) fn stable_timed_out(&mut self, key: Key, incarnation: u64) {
        if self.present(key, incarnation).is_some() && self.is_waited_for(key) {
            self.actions.push(Action::FailStart { key });
        }
    }

    /// Tells whether the siblings after this child, which is up, wait until it is stable.
    pub(super) fn is_waited_for(&self, key: Key) -> bool {
        let is_next = match &self.mode {
            Mode::Starting { next, .. } => key + 1 == *next,
            // An earlier run of it is stopped before anybody asks.
            Mode::Group(group) => group.start_from == key,
            Mode::Running | Mode::Leaving { .. } | Mode::Ended => false,
        };
        is_next
            && self.children.get(&key).is_some_and(|child| {
                let is_up = matches!(child.phase, Phase::Up { .. } | Phase::Ending { .. });
                is_up && child.policy.siblings_wait && child.standing != Standing::Stable
            })
    }

    /// A child that was to be up is, or is not waited for any more: starts the next one.
    pub(super) fn go_on_starting(&mut self) {
        match self.mode {
            Mode::Starting { .. } => self.start_next_declared(),
            Mode::Group(_) => self.drive_group(),
            Mode::Running | Mode::Leaving { .. } | Mode::Ended => {}
        }
    }

    /// A run that was up does not come to its end, although nobody asked it to.
    pub(super) fn hangs_by_itself(&mut self, key: Key) {
        let was_waited_for = self.is_waited_for(key);
        self.hangs(key, Then::RestartByType);
        if !was_waited_for {
            return;
        }
        match self.mode {
            Mode::Starting { .. } => self.give_up_starting(key, Exit::Hung),
            _ => self.go_on_starting(),
        }
    }
}
