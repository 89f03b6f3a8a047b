//! After an end: does the child come back, when, and is that once too often?

use std::time::Duration;

use super::{Action, Mode, Supervision, Timer};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::restart::{Restart, Strategy};
use crate::supervisor::children::{Key, Phase};

impl Supervision {
    /// A run that was up ended without having been asked to.
    pub(super) fn ended_by_itself(&mut self, key: Key, exit: Exit, uptime: Duration) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.phase = Phase::Down;
        child.down_since = Some(self.now);
        self.note(
            key,
            EventKind::Exited {
                exit: exit.clone(),
                uptime,
            },
        );
        match &mut self.mode {
            Mode::Starting { deferred } => deferred.push((key, exit, uptime)),
            Mode::Running | Mode::Group { .. } => self.after_exit(key, &exit, uptime),
            Mode::Leaving { .. } | Mode::Ended => {}
        }
    }

    /// A hung child's task ended after all: it is treated by its type.
    pub(super) fn ended_after_all(&mut self, key: Key, exit: Exit) {
        if matches!(self.mode, Mode::Leaving { .. } | Mode::Ended) {
            return;
        }
        self.ended_by_itself(key, exit, Duration::ZERO);
    }

    pub(super) fn after_exit(&mut self, key: Key, exit: &Exit, uptime: Duration) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        if child.policy.backoff.resets(uptime) {
            child.attempt = 0;
        }
        if child.policy.restart.wants_restart(exit) {
            return self.restart(key);
        }
        if child.policy.restart == Restart::Temporary {
            self.remove(key);
        }
        if matches!(self.mode, Mode::Group { .. }) {
            self.drive_group();
        }
    }

    /// Restarts a child, alone or with its group, after its backoff, unless that is once too often.
    pub(super) fn restart(&mut self, key: Key) {
        if self.is_quiet {
            return;
        }
        let random = self.jitter.next();
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.attempt = child.attempt.saturating_add(1);
        let (attempt, incarnation) = (child.attempt, child.incarnation);
        let delay = child.policy.backoff.delay(attempt, random);
        let counts = self.counts_all || child.policy.backoff.is_none();
        if counts && !self.window.admit(self.now) {
            return self.melt_down();
        }
        let until = self.now + delay;
        if !delay.is_zero() {
            child.phase = Phase::BackingOff { until };
            self.note(key, EventKind::BackingOff { until, attempt });
        }
        if self.strategy.is_group() {
            return self.restart_group(key, until);
        }
        match delay.is_zero() {
            true => self.start(key),
            false => self.arm(Timer::BackoffOver { key, incarnation }, until),
        }
    }

    fn melt_down(&mut self) {
        self.actions.push(Action::NoteSelf {
            kind: EventKind::Meltdown,
        });
        let budget = self.worst_case_stop();
        self.leave(Exit::Meltdown, self.now + budget);
    }

    /// Returns the budget of a stop outside a shutdown.
    pub(super) fn worst_case_stop(&self) -> Duration {
        let times = self
            .children
            .values()
            .map(|child| child.policy.worst_case_stop);
        match self.strategy {
            Strategy::Dynamic => times.max().unwrap_or_default(),
            _ => times.fold(Duration::ZERO, Duration::saturating_add),
        }
    }
}
