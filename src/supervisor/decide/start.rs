//! Starting: the declared children in order, and what an acknowledged or failed start means.

use std::time::Duration;

use super::{Action, KILL_PATIENCE, Mode, StopTimes, Supervision, Timer};
use crate::command::Refusal;
use crate::event::EventKind;
use crate::exit::Exit;
use crate::supervisor::children::{Awaited, Key, Phase, Then};
use crate::time::later;

impl Supervision {
    /// Starts a child whose last run, if any, has ended.
    pub(super) fn start(&mut self, key: Key) {
        if self.is_quiet {
            return;
        }
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.phase = Phase::Starting;
        child.incarnation += 1;
        let incarnation = child.incarnation;
        let timeout = child.policy.start_timeout;
        self.actions.push(Action::Start { key, incarnation });
        self.note(key, EventKind::Starting);
        if let Some(timeout) = timeout {
            self.arm(
                Timer::StartTimeout { key, incarnation },
                later(self.now, timeout),
            );
        }
    }

    /// Starts the next declared child; when all are up, reacts to the ends that waited.
    pub(super) fn start_next_declared(&mut self) {
        if self.is_quiet {
            return;
        }
        if let Mode::Starting { next, .. } = &mut self.mode
            && let Some(key) = self.children.first_from(*next)
        {
            *next = key + 1;
            return self.start(key);
        }
        let mode = std::mem::replace(&mut self.mode, Mode::Running);
        self.actions.push(Action::Up);
        let Mode::Starting { deferred, .. } = mode else {
            return;
        };
        for (key, exit) in deferred {
            match self.mode {
                // An earlier one began a group restart that takes this child along. OTP takes such
                // an end for the answer to its `shutdown`.
                Mode::Group(_) if self.is_about_to_stop(key) => {
                    self.leave_to_its_group(key);
                }
                Mode::Running | Mode::Group(_) => self.after_exit(key, &exit),
                // An earlier one was once too often, or left nothing to do.
                Mode::Starting { .. } | Mode::Leaving { .. } | Mode::Ended => {}
            }
        }
    }

    pub(super) fn started(&mut self, key: Key, incarnation: u64) {
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        if child.phase != Phase::Starting {
            return;
        }
        child.phase = Phase::Up { since: now };
        let down_since = child.standing.come_up(now);
        child.is_stable_due = false;
        let awaited = child.awaited.take();
        child.is_provisional = false;
        self.note(key, EventKind::Started);
        if let Some(since) = down_since {
            self.note(
                key,
                EventKind::Restarted {
                    latency: now - since,
                },
            );
        }
        if let Some(Awaited::Start(ticket)) = awaited {
            self.answer(ticket, Ok(()));
        }
        self.arm_stable(key);
        match self.is_waited_for(key) {
            true => self.arm_stable_timeout(key),
            false => self.go_on_starting(),
        }
    }

    /// A run ended before its start was acknowledged.
    pub(super) fn start_failed(&mut self, key: Key, exit: Exit) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.phase = Phase::Down;
        child.standing.stay_down(self.now);
        let awaited = child.awaited.take();
        let is_fresh = child.is_fresh;
        self.note(key, EventKind::StartFailed { exit: exit.clone() });
        let Some(Awaited::Start(ticket)) = awaited else {
            return self.after_failed_start(key, exit);
        };
        self.answer(ticket, Err(Refusal::Failed(exit.clone())));
        if let Mode::Leaving { walk, .. } = &mut self.mode {
            // It keeps its place, and is reported as down when its turn comes.
            return walk.release(key);
        }
        self.remove_if_not_kept(key);
        let is_kept = self.children.contains_key(&key);
        match self.mode {
            // Whoever asked for this start, the group wants the child up.
            Mode::Group(group) if key >= group.from && is_fresh && is_kept => {
                self.after_failed_start(key, exit);
            }
            Mode::Group(_) => self.drive_group(),
            // By hand: it stays down.
            Mode::Starting { .. } | Mode::Running | Mode::Leaving { .. } | Mode::Ended => {}
        }
    }

    fn after_failed_start(&mut self, key: Key, exit: Exit) {
        match &mut self.mode {
            Mode::Starting { .. } => self.give_up_starting(key, exit),
            // The restart was decided when the run before ended; only its start failed. So it is
            // tried again whatever the restart type says, and it counts again, as in OTP.
            Mode::Running | Mode::Group(_) => self.restart(key),
            Mode::Leaving { walk, .. } => walk.release(key),
            Mode::Ended => {}
        }
    }

    /// A failed initial start is never retried: what is up stops, and the parent decides.
    pub(super) fn give_up_starting(&mut self, key: Key, exit: Exit) {
        // In a shutdown each supervisor's turn comes in order; this would be out of it.
        if self.is_quiet {
            return;
        }
        self.actions.push(Action::StartFailed {
            key,
            exit: exit.clone(),
        });
        let budget = self.worst_case_stop();
        self.leave(exit, later(self.now, budget));
    }

    pub(super) fn start_timed_out(&mut self, key: Key, incarnation: u64) {
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        if child.phase != Phase::Starting {
            return;
        }
        child.phase = Phase::StartTimedOut;
        let deadline = self.now + KILL_PATIENCE;
        let times = StopTimes::fixed(deadline);
        // A thread can't be killed, but it can listen.
        self.actions.push(Action::Stop { key, times });
        self.actions.push(Action::Kill { key });
        self.arm(Timer::GiveUp { key, incarnation }, deadline);
    }

    /// What was starting does not come to its end: its thread is blocked, or something below it hangs.
    pub(super) fn start_hangs(&mut self, key: Key, exit: Exit) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let awaited = child.awaited.take();
        self.hangs(key, Then::RestartByType);
        if let Some(Awaited::Start(ticket)) = awaited {
            self.answer(ticket, Err(Refusal::Failed(exit.clone())));
        }
        match self.mode {
            Mode::Starting { .. } => self.give_up_starting(key, exit),
            Mode::Group(_) => self.drive_group(),
            Mode::Running | Mode::Leaving { .. } | Mode::Ended => {}
        }
    }

    /// A child outside a stop neither ends nor dies.
    pub(super) fn hangs(&mut self, key: Key, then: Then) {
        let now = self.now;
        if let Some(child) = self.children.get_mut(&key) {
            child.phase = Phase::Hung { then };
            child.end_run(now);
        }
        if let Mode::Leaving { walk, .. } = &mut self.mode {
            // Its turn will not take what was kept for it.
            walk.release(key);
        }
        let kind = EventKind::Exited {
            exit: Exit::Hung,
            uptime: Duration::ZERO,
        };
        self.note(key, kind);
        self.end_process_if_declared(key);
    }
}
