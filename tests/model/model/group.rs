//! Group restarts of the model: siblings stop in reverse, the group waits, starts follow in order.

use super::{Due, Hope, Id, Job, Model, Note, State, Time};
use crate::script::{Restart, Shape};

/// How far a group restart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Stopping,
    Waiting,
    Starting,
}

/// A group restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Who takes part, in start order.
    pub(super) members: Vec<Id>,
    pub(super) until: Time,
    pub(super) phase: Phase,
}

impl Model {
    /// Begins a group restart because of a child, or widens the one that is under way to it.
    pub(super) fn begin_group(&mut self, parent: Id, id: Id, until: Time) {
        let before = self.group(parent).cloned();
        let children = &self.nodes[parent].children;
        let place = |id: Id| children.iter().position(|child| *child == id);
        let also = before.iter().flat_map(|group| &group.members);
        let first = also.copied().chain([id]).filter_map(place).min();
        let first = match self.settings(parent).shape {
            Shape::RestForOne => first.unwrap_or(0),
            _ => 0,
        };
        let members = children[first..].to_vec();
        let until = before.map_or(until, |group| group.until.max(until));
        self.nodes[parent].job = Job::Restarting(Group {
            members,
            until,
            phase: Phase::Stopping,
        });
        self.go_on(parent);
    }

    /// Takes the next step of a group restart, if there is one to take now.
    pub(super) fn go_on(&mut self, parent: Id) {
        let now = self.now;
        // Once the shutdown has begun nothing follows; who was not asked yet stays until its turn.
        if self.is_shut_down {
            return;
        }
        let Some(group) = self.group(parent) else {
            return;
        };
        let (members, until) = (group.members.clone(), group.until);
        if group.phase == Phase::Stopping {
            let last = members.iter().rev().find(|id| self.is_alive(**id));
            if let Some(last) = last.copied() {
                if self.nodes[last].state != State::Stopping {
                    self.ask_to_stop(last);
                }
                return;
            }
            self.enter(parent, Phase::Waiting);
            if until > now {
                return self.later(parent, until, Due::StartGroup);
            }
        }
        if self
            .group(parent)
            .is_some_and(|group| group.phase == Phase::Waiting)
        {
            if until > now {
                return;
            }
            self.enter(parent, Phase::Starting);
        }
        let next = members
            .iter()
            .find(|id| self.nodes[**id].state != State::Running);
        match next.copied() {
            Some(next) if self.nodes[next].state == State::Starting => {}
            Some(next) => self.start(next),
            None => self.nodes[parent].job = Job::Watching,
        }
    }

    fn enter(&mut self, parent: Id, phase: Phase) {
        if let Some(group) = self.group(parent) {
            group.phase = phase;
        }
    }

    fn drop_out(&mut self, parent: Id, id: Id) {
        if let Some(group) = self.group(parent) {
            group.members.retain(|member| *member != id);
        }
    }

    /// Whoever stands before a child of a `rest_for_one` that is up again, or being started, is up again
    /// too and stays up, as in OTP: what is left of the group begins there.
    fn begin_at(&mut self, parent: Id, id: Id) {
        if self.settings(parent).shape != Shape::RestForOne {
            return;
        }
        if let Some(group) = self.group(parent) {
            let place = group.members.iter().position(|member| *member == id);
            group.members.drain(..place.unwrap_or(0));
        }
    }

    /// A child changed that is part of a group restart.
    pub(super) fn member_changed(&mut self, parent: Id, id: Id, note: Note) {
        let temporary = self.nodes[id].policy.restart == Restart::Temporary;
        let phase = self.group(parent).map(|group| group.phase);
        let hopes = std::mem::take(&mut self.nodes[id].hopes);
        match &note {
            Note::Started => {}
            Note::StartFailed(_) => {
                self.begin_at(parent, id);
                let added = hopes.iter().any(|(_, hope)| *hope == Hope::Added);
                for (operation, _) in hopes {
                    self.answer(operation, "failed");
                }
                if !added {
                    return self.restart(parent, id);
                }
                self.drop_out(parent, id);
                self.remove(parent, id);
                return self.go_on(parent);
            }
            Note::Exited(_) if phase == Some(Phase::Stopping) => {
                // What ends before the group asks it counts as stopped, as in OTP.
                if temporary {
                    self.drop_out(parent, id);
                    self.remove(parent, id);
                }
            }
            Note::Exited(exit) => {
                // One that ends well stays down; one that does not brings down those behind it.
                self.begin_at(parent, id);
                self.drop_out(parent, id);
                self.ended(parent, id, exit);
                return self.go_on(parent);
            }
            Note::Stopped(_) if temporary => {
                self.drop_out(parent, id);
                self.remove(parent, id);
            }
            Note::Stopped(_) => {}
        }
        for (operation, hope) in hopes {
            match (hope, &note) {
                // The group starts it, which is what was asked for.
                (Hope::Stopped, _) | (_, Note::Started) => self.answer(operation, "ok"),
                _ if self.is_shut_down => self.answer(operation, "shutting_down"),
                _ if temporary => self.answer(operation, "stopped"),
                (Hope::Restarted, _) => self.nodes[id].hopes.push((operation, Hope::Up)),
                _ => self.nodes[id].hopes.push((operation, hope)),
            }
        }
        self.go_on(parent);
    }
}
