//! What somebody asks for by hand: the table of state × command.

use std::time::Duration;

use super::{Mode, StopTimes, Supervision};
use crate::command::{Ask, Refusal};
use crate::event::EventKind;
use crate::shutdown::report::Outcome;
use crate::supervisor::children::{Awaited, Key, Phase, Then, Ticket};
use crate::supervisor::standing::Standing;
use crate::time::later;

/// What a command does to a child that is in a given phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervisor) enum Row {
    /// Nothing: it is as asked already.
    Nothing,
    /// Stops it; answered when it has ended.
    Stop,
    /// Stops and starts it; answered when it is up.
    StopThenStart,
    /// Starts it; answered when it is up.
    Start,
    /// Forgets its restarts and starts it; answered when it is up.
    StartAfresh,
    /// Calls its restart off.
    CallOff,
    /// Removes it from its supervisor.
    Remove,
    /// Refused: it is starting, ending, or stopping; ask again.
    InProgress,
    /// Refused: it runs.
    Running,
    /// Refused: it is not quarantined.
    NotQuarantined,
    /// Refused: its task can't be ended.
    Hung,
}

/// The table.
pub(in crate::supervisor) fn row(phase: &Phase, ask: Ask) -> Row {
    match (phase, ask) {
        (Phase::Hung { .. }, _) => Row::Hung,
        (Phase::Stopping(_) | Phase::Pending, _) => Row::InProgress,
        (Phase::Starting | Phase::StartTimedOut | Phase::Ending { .. }, Ask::Stop) => Row::Stop,
        (Phase::Starting | Phase::StartTimedOut | Phase::Ending { .. }, _) => Row::InProgress,
        (Phase::Up { .. }, Ask::Stop) => Row::Stop,
        (Phase::Up { .. }, Ask::Restart) => Row::StopThenStart,
        (Phase::Up { .. }, Ask::Delete) => Row::Running,
        (Phase::BackingOff { .. }, Ask::Stop) => Row::CallOff,
        (Phase::BackingOff { .. } | Phase::Down, Ask::Restart) => Row::Start,
        (Phase::BackingOff { .. }, Ask::Delete) => Row::InProgress,
        (Phase::Down, Ask::Stop) => Row::Nothing,
        (Phase::Quarantined, Ask::Stop) => Row::CallOff,
        (Phase::Quarantined, Ask::Restart | Ask::Release) => Row::StartAfresh,
        (Phase::Down | Phase::Quarantined, Ask::Delete) => Row::Remove,
        (Phase::Up { .. } | Phase::BackingOff { .. } | Phase::Down, Ask::Release) => {
            Row::NotQuarantined
        }
    }
}

impl Supervision {
    /// A child was added at run time. A stop may have come since there was room for it.
    pub(super) fn added(&mut self, key: Key, ticket: Ticket) {
        if let Some(refusal) = self.refusal_to_add() {
            self.remove(key);
            return self.answer(ticket, Err(refusal));
        }
        if let Some(child) = self.children.get_mut(&key) {
            child.is_provisional = true;
            child.awaited = Some(Awaited::Start(ticket));
            self.start(key);
        }
    }

    /// Says why no child can be added now.
    pub(in crate::supervisor) fn refusal_to_add(&self) -> Option<Refusal> {
        match self.mode {
            _ if self.is_quiet => Some(Refusal::ShuttingDown),
            Mode::Leaving { .. } | Mode::Ended => Some(Refusal::ShuttingDown),
            Mode::Starting { .. } => Some(Refusal::Starting),
            // It would be the last in the order, and so part of the group.
            Mode::Group(_) => Some(Refusal::InProgress),
            Mode::Running => None,
        }
    }

    /// Says why the supervisor as a whole accepts no command on this child now.
    fn refusal(&self, key: Key) -> Option<Refusal> {
        match self.mode {
            _ if self.is_quiet => Some(Refusal::ShuttingDown),
            Mode::Leaving { .. } | Mode::Ended => Some(Refusal::ShuttingDown),
            Mode::Starting { .. } => Some(Refusal::Starting),
            Mode::Group(group) if key >= group.from => Some(Refusal::InProgress),
            Mode::Group(_) | Mode::Running => None,
        }
    }

    pub(super) fn asked(&mut self, key: Key, ask: Ask, ticket: Ticket) {
        if let Some(refusal) = self.refusal(key) {
            return self.answer(ticket, Err(refusal));
        }
        let Some(child) = self.children.get(&key) else {
            return;
        };
        let refusal = match row(&child.phase, ask) {
            Row::Nothing => return self.answer(ticket, Ok(())),
            Row::Stop => return self.stop_by_hand(key, Awaited::Stop(ticket)),
            Row::StopThenStart => return self.stop_by_hand(key, Awaited::Restart(ticket)),
            Row::Start => return self.start_by_hand(key, ticket),
            Row::StartAfresh => {
                self.forget_restarts(key);
                return self.start_by_hand(key, ticket);
            }
            Row::CallOff => return self.call_off(key, ticket),
            Row::Remove => {
                self.remove(key);
                return self.answer(ticket, Ok(()));
            }
            Row::InProgress => Refusal::InProgress,
            Row::Running => Refusal::Running,
            Row::NotQuarantined => Refusal::NotQuarantined,
            Row::Hung => Refusal::Hung,
        };
        if let (Row::Hung, Ask::Stop) = (row(&child.phase, ask), ask) {
            self.set_phase(
                key,
                Phase::Hung {
                    then: Then::StayDown,
                },
            );
        }
        self.answer(ticket, Err(refusal));
    }

    fn stop_by_hand(&mut self, key: Key, awaited: Awaited) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        let deadline = later(self.now, child.policy.worst_case_stop);
        self.answer_start(key, Refusal::Stopped);
        self.ask_to_stop(key, StopTimes::fixed(deadline));
        if let Some(child) = self.children.get_mut(&key) {
            child.awaited = Some(awaited);
        }
    }

    fn start_by_hand(&mut self, key: Key, ticket: Ticket) {
        if let Some(child) = self.children.get_mut(&key) {
            child.awaited = Some(Awaited::Start(ticket));
            // How long it was down says nothing of how fast it can be restarted.
            child.standing = Standing::New;
        }
        self.start(key);
    }

    /// By hand, a released child begins anew: its own limit and its backoff are cleared.
    fn forget_restarts(&mut self, key: Key) {
        if let Some(child) = self.children.get_mut(&key) {
            child.attempt = 0;
            if let Some(window) = &mut child.window {
                window.clear();
            }
        }
    }

    /// A restart that is due is called off; a quarantined child is down like any other.
    fn call_off(&mut self, key: Key, ticket: Ticket) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.phase = Phase::Down;
        let kind = EventKind::Stopped {
            outcome: Outcome::AlreadyDown,
            spent: Duration::ZERO,
        };
        self.note(key, kind);
        self.answer(ticket, Ok(()));
        self.remove_if_not_kept(key);
    }
}
