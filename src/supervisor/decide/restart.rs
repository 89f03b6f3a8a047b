//! After an end: does the child come back, when, and is that once too often?

use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Mode, Supervision, Timer};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::auto_shutdown::AutoShutdown;
use crate::policy::intensity::Window;
use crate::policy::limit::OnLimit;
use crate::policy::restart::Strategy;
use crate::shutdown::plan::{Floors, StopNeed};
use crate::supervisor::children::{ChildState, Key, Phase, Then};
use crate::time::later;

impl Supervision {
    /// A run that was up ended without having been asked to.
    pub(super) fn ended_by_itself(&mut self, key: Key, exit: Exit, uptime: Duration) {
        let was_waited_for = self.is_waited_for(key);
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.phase = Phase::Down;
        child.end_run(self.now);
        let comes_back = child.policy.restart.wants_restart(&exit);
        self.note(
            key,
            EventKind::Exited {
                exit: exit.clone(),
                uptime,
            },
        );
        match &mut self.mode {
            // Whoever comes after it was not to start beside one that fails.
            Mode::Starting { .. } if was_waited_for && comes_back => {
                self.give_up_starting(key, exit);
            }
            Mode::Starting { deferred, .. } => {
                deferred.push((key, exit));
                if was_waited_for {
                    self.start_next_declared();
                }
            }
            Mode::Running | Mode::Group(_) => self.after_exit(key, &exit),
            Mode::Leaving { walk, .. } => walk.release(key),
            Mode::Ended => {}
        }
    }

    /// A hung child's task ended after all.
    pub(super) fn ended_after_all(&mut self, key: Key, exit: Exit, then: Then) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let comes_back = match then {
            Then::RestartByType => true,
            Then::RestartAfterStop => child.policy.restart.wants_restart(&exit),
            Then::StayDown => false,
        };
        let is_leaving = matches!(self.mode, Mode::Leaving { .. });
        if is_leaving || comes_back && !child.is_provisional {
            return self.ended_by_itself(key, exit, Duration::ZERO);
        }
        child.phase = Phase::Down;
        child.end_run(self.now);
        let uptime = Duration::ZERO;
        self.note(key, EventKind::Exited { exit, uptime });
        self.remove_if_not_kept(key);
    }

    pub(super) fn after_exit(&mut self, key: Key, exit: &Exit) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        if child.policy.restart.wants_restart(exit) {
            return self.restart(key);
        }
        let is_significant = child.policy.is_significant;
        self.remove_if_not_kept(key);
        // In a shutdown each supervisor's turn comes in order; this would be out of it.
        if is_significant && !self.is_quiet && self.has_nothing_left_to_do() {
            let budget = self.worst_case_stop();
            return self.leave(Exit::Shutdown, later(self.now, budget));
        }
        if matches!(self.mode, Mode::Group(_)) {
            self.drive_group();
        }
    }

    /// Decides whether the end for good of a significant child ends the supervisor.
    fn has_nothing_left_to_do(&self) -> bool {
        match self.rules.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => self
                .children
                .values()
                .filter(|child| child.policy.is_significant)
                .all(ChildState::has_ended_for_good),
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
        let until = match self.limit_reached(key, later(self.now, delay)) {
            Ok(until) => until,
            Err(OnLimit::Quarantine) => return self.quarantine(key),
            Err(OnLimit::Escalate | OnLimit::Throttle) => return self.melt_down(),
        };
        let is_at_once = until <= self.now;
        if !is_at_once {
            self.set_phase(key, Phase::BackingOff { until });
            self.note(key, EventKind::BackingOff { until, attempt });
        }
        if self.rules.strategy.is_group() {
            return self.restart_group(key, until);
        }
        match is_at_once {
            true => self.start(key),
            false => self.arm(Timer::BackoffOver { key, incarnation }, until),
        }
    }

    /// Counts a restart decision against every limit. Returns when the restart may begin, or what
    /// the limit that was reached asks for.
    ///
    /// Unset, the supervisor's intensity counts only children without backoff.
    fn limit_reached(&mut self, key: Key, until: Instant) -> Result<Instant, OnLimit> {
        let now = self.now;
        let Some(child) = self.children.get_mut(&key) else {
            return Ok(until);
        };
        let (policy, attempt) = (&child.policy, child.attempt);
        if policy.backoff.gives_up_at(attempt) {
            return Err(policy.on_limit);
        }
        let counts = self.rules.intensity.is_some() || policy.backoff.is_none();
        let own = match &mut child.window {
            Some(window) => count(window, policy.on_limit, now)?,
            None => now,
        };
        let of_all = match counts {
            true => count(&mut self.window, self.rules.on_limit, now)?,
            false => now,
        };
        Ok(until.max(own).max(of_all))
    }

    /// The child was restarted too often: it stays down until it is released.
    fn quarantine(&mut self, key: Key) {
        self.set_phase(key, Phase::Quarantined);
        self.note(key, EventKind::Quarantined);
    }

    fn melt_down(&mut self) {
        self.actions.push(Action::NoteSelf {
            kind: EventKind::Meltdown,
        });
        let budget = self.worst_case_stop();
        self.leave(Exit::Meltdown, later(self.now, budget));
    }

    /// Returns how long one child's stop takes at worst; nothing for one that is gone.
    pub(in crate::supervisor) fn worst_case_of(&self, key: Key) -> Duration {
        let child = self.children.get(&key);
        child.map_or(Duration::ZERO, |child| child.policy.worst_case_stop)
    }

    /// Returns what the stop of all children, one after the other, needs.
    pub(in crate::supervisor) fn stop_need(&self) -> StopNeed {
        let floors = self.children.values().map(|child| child.policy.floors());
        StopNeed {
            worst_case: self.worst_case_stop(),
            floors: floors.fold(Floors::default(), Floors::and),
        }
    }

    /// Returns the budget of a stop outside a shutdown.
    pub(super) fn worst_case_stop(&self) -> Duration {
        let times = self
            .children
            .values()
            .map(|child| child.policy.worst_case_stop);
        match self.rules.strategy {
            Strategy::Dynamic => times.max().unwrap_or_default(),
            _ => times.fold(Duration::ZERO, Duration::saturating_add),
        }
    }
}

/// Counts a decision against one window; returns from when on that window admits it.
fn count(window: &mut Window, on_limit: OnLimit, now: Instant) -> Result<Instant, OnLimit> {
    match on_limit {
        OnLimit::Throttle => Ok(window.admit_later(now)),
        OnLimit::Escalate | OnLimit::Quarantine if window.admit(now) => Ok(now),
        OnLimit::Escalate | OnLimit::Quarantine => Err(on_limit),
    }
}
