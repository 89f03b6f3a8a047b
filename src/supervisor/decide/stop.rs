//! Stopping one child: it is asked, it is killed, it is given up.

use tokio::time::Instant;

use super::{Action, Mode, StopTimes, Supervision, Timer};
use crate::command::Refusal;
use crate::event::EventKind;
use crate::exit::Exit;
use crate::policy::restart::Restart;
use crate::policy::stop::{OnHung, Stop};
use crate::shutdown::plan;
use crate::shutdown::report::Outcome;
use crate::supervisor::children::{Awaited, ChildState, Key, Phase, Reserve, Stopping, Then};

impl Supervision {
    /// Asks a child that is alive to stop. A leaf whose start is under way is killed: ractor looks
    /// at no stop before `pre_start` returned.
    pub(super) fn ask_to_stop(&mut self, key: Key, times: StopTimes) {
        let now = self.now;
        let [deadline, latest] =
            [times.deadline, times.latest].map(|at| self.bound.map_or(at, |bound| at.min(bound)));
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let is_starting = child.phase == Phase::Starting;
        let is_brutal = is_starting || child.policy.stop == Stop::Brutal;
        let can_be_killed = child.policy.can_be_killed();
        let drains = !is_starting && child.policy.stop == Stop::Drain;
        let stopping = Stopping {
            asked: now,
            deadline,
            latest,
            turn: None,
            drain_until: drains.then(|| drain_until(child, now, deadline)),
            kill_at: (can_be_killed && !is_brutal).then(|| plan::kill_at(now, deadline)),
        };
        child.phase = Phase::Stopping(Box::new(stopping));
        self.tell_to_stop(key, stopping);
        self.note(key, EventKind::StopRequested { deadline });
        if can_be_killed && is_brutal {
            self.actions.push(Action::Kill { key });
        }
        self.arm_stop(key, stopping);
    }

    /// Tells whoever waits for a child to be up that it was stopped instead.
    pub(super) fn answer_start(&mut self, key: Key, refusal: Refusal) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        if let Some(Awaited::Start(ticket)) = child.awaited {
            child.awaited = None;
            self.answer(ticket, Err(refusal));
        }
    }

    /// Brings the end of a stop that is under way forward.
    pub(super) fn stop_earlier(&mut self, key: Key, StopTimes { deadline, latest }: StopTimes) {
        let now = self.now;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let Phase::Stopping(stopping) = &child.phase else {
            return;
        };
        let mut stopping = **stopping;
        if deadline >= stopping.deadline && latest >= stopping.latest {
            return;
        }
        stopping.deadline = stopping.deadline.min(deadline);
        stopping.latest = stopping.latest.min(latest).max(stopping.deadline);
        if stopping.drain_until.is_some() {
            stopping.drain_until = Some(drain_until(child, now, stopping.deadline));
        }
        if stopping.kill_at.is_some() {
            stopping.kill_at = Some(plan::kill_at(now, stopping.deadline));
        }
        child.phase = Phase::Stopping(Box::new(stopping));
        self.tell_to_stop(key, stopping);
        self.arm_stop(key, stopping);
    }

    /// The child put its deadline off itself; whoever told it `latest` has allowed for that.
    pub(super) fn extended(&mut self, key: Key, incarnation: u64, deadline: Instant) {
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        let Phase::Stopping(stopping) = &child.phase else {
            return;
        };
        let mut stopping = **stopping;
        // Killed already, or brought forward since: it came too late.
        let can_be_killed = child.policy.can_be_killed();
        let is_killed = can_be_killed && stopping.kill_at.is_none();
        if is_killed || deadline > stopping.latest {
            return;
        }
        stopping.deadline = deadline;
        stopping.kill_at = can_be_killed.then(|| plan::kill_at(now, deadline));
        if stopping.drain_until.is_some() {
            stopping.drain_until = Some(drain_until(child, now, deadline));
        }
        child.phase = Phase::Stopping(Box::new(stopping));
        self.arm_stop(key, stopping);
    }

    fn tell_to_stop(&mut self, key: Key, stopping: Stopping) {
        let times = StopTimes {
            deadline: stopping.deadline,
            latest: stopping.latest,
        };
        let is_draining = stopping.drain_until.is_some_and(|until| until > self.now);
        self.actions.push(match is_draining {
            true => Action::Drain { key, times },
            false => Action::Stop { key, times },
        });
    }

    fn arm_stop(&mut self, key: Key, stopping: Stopping) {
        let Some(incarnation) = self.children.get(&key).map(|child| child.incarnation) else {
            return;
        };
        if let Some(until) = stopping.drain_until.filter(|until| *until > self.now) {
            self.arm(Timer::DrainOver { key, incarnation }, until);
        }
        match stopping.kill_at {
            Some(at) => self.arm(Timer::KillAt { key, incarnation }, at),
            None => self.arm_give_up(key, incarnation, stopping.deadline),
        }
    }

    /// Whatever its deadline, a child has the time that a task needs to die, and a supervisor that of
    /// its children, before it counts as hung.
    pub(super) fn arm_give_up(&mut self, key: Key, incarnation: u64, deadline: Instant) {
        let at = deadline.max(self.now + plan::MIN_KILL_GRACE);
        self.arm(Timer::GiveUp { key, incarnation }, at);
    }

    /// A drain has used all but the child's reserve: it becomes a stop.
    pub(super) fn drain_over(&mut self, key: Key, incarnation: u64) {
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        if let Phase::Stopping(stopping) = &mut child.phase
            && stopping.drain_until.is_some_and(|until| until <= now)
        {
            stopping.drain_until = None;
            let stopping = **stopping;
            self.tell_to_stop(key, stopping);
        }
    }

    pub(super) fn kill_due(&mut self, key: Key, incarnation: u64) {
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        if let Phase::Stopping(stopping) = &mut child.phase
            && stopping.kill_at.is_some_and(|at| at <= now)
        {
            stopping.kill_at = None;
            let deadline = stopping.deadline;
            self.actions.push(Action::Kill { key });
            self.arm_give_up(key, incarnation, deadline);
        }
    }

    pub(super) fn give_up(&mut self, key: Key, incarnation: u64) {
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        match &child.phase {
            Phase::StartTimedOut => self.start_hangs(key, Exit::StartTimedOut),
            Phase::Ending { .. } => self.hangs_by_itself(key),
            Phase::Stopping(stopping) if stopping.kill_at.is_none() && stopping.deadline <= now => {
                let stopping = **stopping;
                self.stop_hangs(key, stopping, now);
            }
            _ => {}
        }
    }

    /// A supervisor below is over but for tasks that hang: so it hangs, until they end.
    pub(super) fn left_hung(&mut self, (key, incarnation): (Key, u64), exit: Exit) {
        let now = self.now;
        let Some(child) = self.present(key, incarnation) else {
            return;
        };
        match &child.phase {
            Phase::Starting | Phase::StartTimedOut if exit.is_abnormal() => {
                self.start_hangs(key, exit);
            }
            Phase::Starting | Phase::StartTimedOut => self.start_hangs(key, Exit::Hung),
            Phase::Up { .. } | Phase::Ending { .. } => self.hangs_by_itself(key),
            Phase::Stopping(stopping) => {
                let stopping = **stopping;
                self.stop_hangs(key, stopping, now);
            }
            _ => {}
        }
    }

    fn stop_hangs(&mut self, key: Key, stopping: Stopping, now: Instant) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let then = match child.awaited {
            Some(Awaited::Stop(_)) => Then::StayDown,
            _ => Then::RestartAfterStop,
        };
        child.phase = Phase::Hung { then };
        child.end_run(now);
        self.stop_over(key, Outcome::Hung, stopping);
        self.end_process_if_declared(key);
    }

    /// A child that was asked to stop has ended.
    pub(super) fn stopped(&mut self, key: Key, stopping: Stopping, exit: Exit) {
        let now = self.now;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.phase = Phase::Down;
        child.end_run(now);
        let outcome = match exit {
            Exit::Normal | Exit::Shutdown => Outcome::Stopped,
            Exit::Killed if child.policy.stop == Stop::Brutal => Outcome::Stopped,
            Exit::Killed => Outcome::Killed,
            failed => Outcome::CleanupFailed(failed),
        };
        self.stop_over(key, outcome, stopping);
    }

    fn stop_over(&mut self, key: Key, outcome: Outcome, stopping: Stopping) {
        let is_hung = outcome == Outcome::Hung;
        let allotted = stopping.deadline - stopping.asked;
        let spent = self.now - stopping.asked;
        let kind = EventKind::Stopped {
            outcome: outcome.clone(),
            spent,
        };
        self.note(key, kind);
        if let Mode::Leaving { walk, .. } = &mut self.mode {
            // One whose turn has not come is reported when it comes, as down already.
            let was_its_turn = stopping.turn.is_some();
            match was_its_turn {
                true => walk.end_turn(),
                false => walk.release(key),
            }
            self.answer_stop(key, is_hung);
            if was_its_turn {
                self.report(key, outcome, (allotted, spent));
                self.advance();
            }
            return;
        }
        self.answer_stop(key, is_hung);
        if !is_hung {
            self.after_stop(key);
        }
        self.drive_group();
    }

    /// Tells whoever asked for a stop by hand that it is over.
    fn answer_stop(&mut self, key: Key, is_hung: bool) {
        let is_leaving = matches!(self.mode, Mode::Leaving { .. });
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let (ticket, restarts) = match child.awaited {
            Some(Awaited::Stop(ticket)) => (ticket, false),
            Some(Awaited::Restart(ticket)) => (ticket, true),
            Some(Awaited::Start(_)) | None => return,
        };
        let outcome = match (is_hung, restarts) {
            (true, _) => Err(Refusal::Hung),
            (false, true) if is_leaving => Err(Refusal::ShuttingDown),
            // Answered once it has started.
            (false, true) => return,
            (false, false) => Ok(()),
        };
        child.awaited = None;
        self.answer(ticket, outcome);
    }

    /// A child outside a shutdown has stopped: it starts again if that was asked for; a temporary
    /// one is removed, as in OTP.
    fn after_stop(&mut self, key: Key) {
        let is_member = matches!(self.mode, Mode::Group(group) if key >= group.from);
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let is_temporary = child.policy.restart == Restart::Temporary;
        match child.awaited.take() {
            // Nothing starts any more: who waits for that need not wait for the turn to stop.
            Some(Awaited::Restart(ticket) | Awaited::Start(ticket)) if self.is_quiet => {
                self.answer(ticket, Err(Refusal::ShuttingDown));
                self.remove_if_not_kept(key);
            }
            Some(Awaited::Restart(ticket)) if is_member && is_temporary => {
                self.answer(ticket, Err(Refusal::Stopped));
                self.remove(key);
            }
            Some(Awaited::Restart(ticket)) => {
                child.awaited = Some(Awaited::Start(ticket));
                if !is_member {
                    self.start(key);
                }
            }
            // Its start was cancelled by the group, which will start it again.
            Some(awaited @ Awaited::Start(_)) if is_member && !is_temporary => {
                child.awaited = Some(awaited);
            }
            awaited => {
                if let Some(Awaited::Start(ticket)) = awaited {
                    self.answer(ticket, Err(Refusal::Stopped));
                }
                self.remove_if_not_kept(key);
            }
        }
    }

    /// A hung child may have been declared to take its process with it.
    pub(super) fn end_process_if_declared(&mut self, key: Key) {
        let ends = |child: &ChildState| child.policy.on_hung == OnHung::EndProcess;
        if !self.is_quiet && self.children.get(&key).is_some_and(ends) {
            self.actions.push(Action::EndProcess { key });
        }
    }
}

/// Computes when a drain becomes a stop: when the child's reserve is all that is left.
fn drain_until(child: &ChildState, now: Instant, deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(now);
    let by_hand = match child.policy.stop_reserve {
        Reserve::Exactly(reserve) => Some(reserve),
        Reserve::Below(_) | Reserve::Default => None,
    };
    let reserve = plan::leaf_reserve(by_hand, left, left, 1);
    deadline - reserve.min(left)
}
