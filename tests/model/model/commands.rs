//! Commands by hand on the model: the tables of `docs/commands.md`.

use super::{Hope, Id, Job, Model, Note, State};
use crate::script::{Ask, MAX_CHILDREN, Shape, Spec};

impl Model {
    pub(super) fn ask(&mut self, path: &str, ask: Ask) {
        let answer = self.answer_to(path, ask);
        if let Some(code) = answer {
            self.answer(self.asking, code);
        }
    }

    /// Does what was asked; `None` when the answer follows later.
    fn answer_to(&mut self, path: &str, ask: Ask) -> Option<&'static str> {
        let (above, _name) = path.rsplit_once('/')?;
        let Some(parent) = self.find(above).filter(|id| !self.is_leaf(*id)) else {
            return Some("not_found");
        };
        let refused = self.refused(parent);
        if matches!(refused, Some("not_running" | "shutting_down")) {
            return refused;
        }
        let Some(id) = self.find(path) else {
            return Some("not_found");
        };
        if refused.is_some() {
            return refused;
        }
        if self
            .group(parent)
            .is_some_and(|group| group.members.contains(&id))
        {
            return Some("in_progress");
        }
        match ask {
            Ask::Stop => self.stop(parent, id),
            Ask::Restart => self.restart_by_hand(id),
            Ask::Delete => self.delete(parent, id),
            Ask::Release => self.release(id),
        }
    }

    /// Says what a supervisor answers whatever is asked.
    fn refused(&self, parent: Id) -> Option<&'static str> {
        let is_shutting_down = self.is_shut_down && !self.is_over;
        // One that was never up knows of no tree.
        let was_up = self.nodes[parent].incarnation > 0;
        match self.nodes[parent].job {
            Job::Off if is_shutting_down && was_up => Some("shutting_down"),
            Job::Off => Some("not_running"),
            Job::Leaving(_) => Some("shutting_down"),
            _ if self.is_shut_down => Some("shutting_down"),
            Job::Opening(_) => Some("starting"),
            Job::Watching | Job::Restarting(_) => None,
        }
    }

    fn hope(&mut self, id: Id, hope: Hope) -> Option<&'static str> {
        let asking = self.asking;
        self.nodes[id].hopes.push((asking, hope));
        None
    }

    fn stop(&mut self, parent: Id, id: Id) -> Option<&'static str> {
        match self.nodes[id].state {
            State::Starting | State::Running => {
                // Whoever waits for it to be up need not wait for its end.
                for (operation, hope) in std::mem::take(&mut self.nodes[id].hopes) {
                    self.answer(operation, "stopped");
                    if hope == Hope::Added {
                        self.nodes[id].hopes.push((operation, Hope::Gone));
                    }
                }
                self.ask_to_stop(id);
                self.hope(id, Hope::Stopped)
            }
            State::Stopping => Some("in_progress"),
            State::BackingOff | State::Quarantined | State::Down | State::Pending => {
                if [State::BackingOff, State::Quarantined].contains(&self.nodes[id].state) {
                    self.set(id, State::Down);
                    self.event(id, "stopped already_down");
                }
                self.remove_if_not_kept(parent, id);
                Some("ok")
            }
        }
    }

    fn restart_by_hand(&mut self, id: Id) -> Option<&'static str> {
        match self.nodes[id].state {
            State::Starting | State::Stopping => Some("in_progress"),
            State::Running => {
                self.ask_to_stop(id);
                self.hope(id, Hope::Restarted)
            }
            State::BackingOff | State::Quarantined | State::Down | State::Pending => {
                if self.nodes[id].state == State::Quarantined {
                    self.forgive(id);
                }
                self.start_by_hand(id)
            }
        }
    }

    fn start_by_hand(&mut self, id: Id) -> Option<&'static str> {
        self.start(id);
        // How long it was down says nothing of how fast it can be restarted.
        self.nodes[id].is_restart = false;
        self.hope(id, Hope::Up)
    }

    fn delete(&mut self, parent: Id, id: Id) -> Option<&'static str> {
        match self.nodes[id].state {
            State::Running => Some("running"),
            State::Starting | State::Stopping | State::BackingOff => Some("in_progress"),
            State::Quarantined | State::Down | State::Pending => {
                self.remove(parent, id);
                Some("ok")
            }
        }
    }

    fn release(&mut self, id: Id) -> Option<&'static str> {
        match self.nodes[id].state {
            State::Starting | State::Stopping => Some("in_progress"),
            State::Quarantined => {
                self.forgive(id);
                self.start_by_hand(id)
            }
            _ => Some("not_quarantined"),
        }
    }

    pub(super) fn add(&mut self, path: &str, spec: &Spec) {
        if let Some(code) = self.answer_to_add(path, spec) {
            self.answer(self.asking, code);
        }
    }

    fn answer_to_add(&mut self, path: &str, spec: &Spec) -> Option<&'static str> {
        let Some(parent) = self.find(path) else {
            return Some("not_found");
        };
        if let Some(refused) = self.refused(parent) {
            return Some(refused);
        }
        if matches!(self.nodes[parent].job, Job::Restarting(_)) {
            return Some("in_progress");
        }
        if self.find(&format!("{path}/{}", spec.name)).is_some() {
            return Some("already_present");
        }
        let is_dynamic = self.settings(parent).shape == Shape::Dynamic;
        if is_dynamic && self.nodes[parent].children.len() >= MAX_CHILDREN {
            return Some("at_capacity");
        }
        let id = self.declare(spec, Some(parent));
        self.nodes[parent].children.push(id);
        self.start(id);
        self.hope(id, Hope::Added)
    }

    /// Answers who asked for something of a child whose supervisor is on its way out.
    pub(super) fn answer_leaving(&mut self, id: Id, note: &Note) {
        for (operation, hope) in std::mem::take(&mut self.nodes[id].hopes) {
            let code = match (hope, note) {
                (Hope::Gone, _) => continue,
                (Hope::Stopped, _) | (_, Note::Started) => "ok",
                (_, Note::StartFailed(_)) => "failed",
                _ => "shutting_down",
            };
            self.answer(operation, code);
        }
    }
}
