//! Starts, ends and stops of the model's nodes.

use super::{Body, Due, Hope, Id, Job, MILLI, Model, Note, ROOT, State};
use crate::script::{Auto, Restart, START_TIMEOUT, STOP_TIMEOUT, Shape, Starting, Stopping};

/// How long before its deadline a leaf is killed: the lesser of 50 ms and a tenth.
const GRACE: u64 = if STOP_TIMEOUT / 10 < 50 {
    STOP_TIMEOUT / 10
} else {
    50
};

impl Model {
    /// Begins the next incarnation.
    pub(super) fn start(&mut self, id: Id) {
        // Nothing starts once the shutdown has begun.
        if self.is_shut_down {
            return;
        }
        self.set(id, State::Starting);
        let node = &mut self.nodes[id];
        node.incarnation += 1;
        node.restarts += u64::from(node.incarnation > 1);
        node.start_failed = false;
        node.is_restart = node.incarnation > 1;
        let path = node.path.clone();
        self.event(id, "starting");
        if !self.is_leaf(id) {
            return self.open(id);
        }
        let next = self.next.get_mut(&path).and_then(|next| next.pop_front());
        match next.unwrap_or(Starting::AtOnce) {
            Starting::AtOnce => self.tell(id, Note::Started),
            Starting::Fails => self.tell(id, Note::StartFailed("failed")),
            Starting::Takes(time) => {
                self.later(id, self.now + time * MILLI, Due::Tell(Note::Started));
            }
            Starting::Never => {
                let note = Note::StartFailed("start_timed_out");
                self.later(id, self.now + START_TIMEOUT * MILLI, Due::Tell(note));
            }
        }
    }

    /// A supervisor starts from its declaration: what was added is forgotten, windows are empty.
    fn open(&mut self, id: Id) {
        let declared = self.nodes[id].declared.clone();
        self.nodes[id].children.clone_from(&declared);
        self.nodes[id].intensity.clear();
        self.nodes[id].deferred.clear();
        self.nodes[id].job = Job::Opening(0);
        for child in declared {
            self.forgive(child);
        }
        self.open_next(id);
    }

    /// Forgets how often a child was restarted.
    pub(super) fn forgive(&mut self, id: Id) {
        self.nodes[id].attempt = 0;
        self.nodes[id].window.clear();
    }

    fn open_next(&mut self, id: Id) {
        // A start that the shutdown overtakes is called off.
        if self.is_shut_down {
            return;
        }
        let Job::Opening(opened) = &mut self.nodes[id].job else {
            return;
        };
        *opened += 1;
        let next = *opened - 1;
        match self.nodes[id].children.get(next).copied() {
            Some(child) => {
                self.start(child);
                // It begins with its supervisor; only that one is restarted.
                self.nodes[child].is_restart = false;
            }
            None => {
                self.nodes[id].job = Job::Watching;
                self.tell(id, Note::Started);
                self.hear_deferred(id);
            }
        }
    }

    /// What ended while its supervisor was starting is looked at afterwards, as in OTP.
    fn hear_deferred(&mut self, id: Id) {
        let deferred = std::mem::take(&mut self.nodes[id].deferred);
        if deferred.len() > 1 && self.settings(id).shape.is_group() {
            self.murky = Some("several members of a group ended while it was starting");
        }
        for (child, exit) in deferred {
            self.ended(id, child, exit);
        }
    }

    /// A supervisor hears what became of one of its children.
    pub(super) fn hear(&mut self, id: Id, note: Note) {
        let uptime = (self.now - self.nodes[id].up_since) / MILLI;
        match &note {
            Note::Started => {
                self.set(id, State::Running);
                self.nodes[id].up_since = self.now;
                self.nodes[id].was_up = true;
                self.event(id, "started");
                if self.nodes[id].is_restart {
                    self.event(id, "restarted");
                }
            }
            Note::StartFailed(exit) => self.down(id, format!("start_failed {exit}")),
            Note::Exited(exit) => self.down(id, format!("exited {exit} after {uptime}")),
            Note::Stopped(how) => self.down(id, format!("stopped {how}")),
        }
        match self.nodes[id].parent {
            Some(parent) => self.react(parent, id, note),
            None => self.root_heard(&note),
        }
    }

    fn down(&mut self, id: Id, what: String) {
        self.event(id, what);
        self.set(id, State::Down);
        if std::mem::take(&mut self.nodes[id].was_up) {
            self.note_uptime(id, self.now - self.nodes[id].up_since);
        }
    }

    fn root_heard(&mut self, note: &Note) {
        if let Note::Exited(exit) = note {
            self.event(ROOT, "stopped stopped");
            self.event(ROOT, "shutdown_ended");
            self.is_over = true;
            let completed = if *exit == "meltdown" {
                "meltdown"
            } else {
                "completed"
            };
            let reason = if self.is_shut_down {
                "requested"
            } else {
                completed
            };
            self.end = format!("{exit} {reason}");
        }
    }

    fn react(&mut self, parent: Id, id: Id, note: Note) {
        match (&self.nodes[parent].job, note) {
            (Job::Leaving(_), note) => {
                self.answer_leaving(id, &note);
                self.leave_on(parent);
            }
            (Job::Opening(_), Note::Started) => self.open_next(parent),
            // In a shutdown it waits for its turn, as with any other end.
            (Job::Opening(_), Note::StartFailed(_)) if self.is_shut_down => {}
            (Job::Opening(_), Note::StartFailed(exit)) => {
                self.nodes[parent].start_failed = true;
                self.leave(parent, exit);
            }
            (Job::Opening(_), Note::Exited(exit)) => self.nodes[parent].deferred.push((id, exit)),
            (Job::Opening(_), Note::Stopped(_)) => {}
            (Job::Restarting(group), note) if group.members.contains(&id) => {
                self.member_changed(parent, id, note);
            }
            (_, Note::Exited(exit)) => self.ended(parent, id, exit),
            (_, note) => self.changed(parent, id, note),
        }
    }

    /// A child changed that is no part of a group restart.
    fn changed(&mut self, parent: Id, id: Id, note: Note) {
        let hopes = std::mem::take(&mut self.nodes[id].hopes);
        match note {
            Note::Started => {
                for (operation, _) in hopes {
                    self.answer(operation, "ok");
                }
            }
            Note::StartFailed(_) if hopes.is_empty() => self.restart(parent, id),
            Note::StartFailed(_) => {
                let added = hopes.iter().any(|(_, hope)| *hope == Hope::Added);
                match added {
                    true => self.remove(parent, id),
                    false => self.remove_if_not_kept(parent, id),
                }
                for (operation, _) in hopes {
                    self.answer(operation, "failed");
                }
            }
            Note::Stopped(_) => self.stopped_by_hand(parent, id, hopes),
            Note::Exited(_) => {}
        }
    }

    fn stopped_by_hand(&mut self, parent: Id, id: Id, hopes: Vec<(usize, Hope)>) {
        let again = hopes
            .iter()
            .copied()
            .find(|(_, hope)| *hope == Hope::Restarted);
        if let Some((operation, _)) = again {
            if self.is_shut_down {
                self.remove_if_not_kept(parent, id);
                return self.answer(operation, "shutting_down");
            }
            self.nodes[id].hopes.push((operation, Hope::Up));
            return self.start(id);
        }
        let added = |hope: &Hope| matches!(hope, Hope::Added | Hope::Gone);
        match hopes.iter().any(|(_, hope)| added(hope)) {
            true => self.remove(parent, id),
            false => self.remove_if_not_kept(parent, id),
        }
        for (operation, hope) in hopes {
            if hope == Hope::Gone {
                continue;
            }
            self.answer(
                operation,
                if hope == Hope::Stopped {
                    "ok"
                } else {
                    "stopped"
                },
            );
        }
    }

    /// A child ended by itself.
    pub(super) fn ended(&mut self, parent: Id, id: Id, exit: &'static str) {
        let abnormal = !["normal", "shutdown"].contains(&exit);
        let policy = &self.nodes[id].policy;
        let significant = policy.significant;
        match policy.restart {
            Restart::Permanent => return self.restart(parent, id),
            Restart::Transient if abnormal => return self.restart(parent, id),
            Restart::Transient | Restart::Temporary => self.remove_if_not_kept(parent, id),
        }
        if !significant || self.is_shut_down {
            return;
        }
        let children = &self.nodes[parent].children;
        let waits_for = |child: &&Id| {
            let comes_back = [State::BackingOff, State::Quarantined];
            let lives = self.is_alive(**child) || comes_back.contains(&self.nodes[**child].state);
            self.nodes[**child].policy.significant && lives
        };
        let leaves = match self.settings(parent).auto {
            Auto::Never => false,
            Auto::Any => true,
            Auto::All => children.iter().find(waits_for).is_none(),
        };
        if leaves {
            self.leave(parent, "shutdown");
        }
    }

    /// A temporary child that is down is gone, and so is any child of a dynamic supervisor.
    pub(super) fn remove_if_not_kept(&mut self, parent: Id, id: Id) {
        let is_dynamic = self.settings(parent).shape == Shape::Dynamic;
        if is_dynamic || self.nodes[id].policy.restart == Restart::Temporary {
            self.remove(parent, id);
        }
    }

    pub(super) fn remove(&mut self, parent: Id, id: Id) {
        self.nodes[parent].children.retain(|child| *child != id);
    }

    /// Asks a child that starts or runs to stop.
    pub(super) fn ask_to_stop(&mut self, id: Id) {
        let was = self.nodes[id].state;
        self.event(id, "stop_requested");
        self.set(id, State::Stopping);
        let Body::Leaf(stopping) = self.nodes[id].body else {
            if !matches!(self.nodes[id].job, Job::Leaving(_)) {
                self.leave(id, "shutdown");
            }
            return;
        };
        let killed_at = STOP_TIMEOUT - GRACE;
        match stopping {
            _ if was == State::Starting => self.tell(id, Note::Stopped("killed")),
            Stopping::AtOnce => self.tell(id, Note::Stopped("stopped")),
            Stopping::Badly => self.tell(id, Note::Stopped("cleanup_failed")),
            Stopping::Takes(time) if time < killed_at => {
                self.later(
                    id,
                    self.now + time * MILLI,
                    Due::Tell(Note::Stopped("stopped")),
                );
            }
            Stopping::Takes(_) | Stopping::Deaf => {
                let note = Note::Stopped("killed");
                self.later(id, self.now + killed_at * MILLI, Due::Tell(note));
            }
        }
    }

    /// A supervisor begins to stop its children, in order to end.
    pub(super) fn leave(&mut self, id: Id, exit: &'static str) {
        self.nodes[id].job = Job::Leaving(exit);
        for child in self.nodes[id].children.clone() {
            // A group would have started it.
            if !self.is_alive(child) {
                for (operation, _) in std::mem::take(&mut self.nodes[child].hopes) {
                    self.answer(operation, "shutting_down");
                }
            }
        }
        self.leave_on(id);
    }

    fn leave_on(&mut self, id: Id) {
        let all_at_once = self.settings(id).shape == Shape::Dynamic;
        for child in self.nodes[id].children.clone().into_iter().rev() {
            let state = self.nodes[child].state;
            if [State::Starting, State::Running].contains(&state) {
                // Who waits for its start waits in vain.
                for (operation, _) in std::mem::take(&mut self.nodes[child].hopes) {
                    self.answer(operation, "shutting_down");
                }
                self.ask_to_stop(child);
            } else if state == State::BackingOff {
                self.set(child, State::Down);
                self.event(child, "stopped already_down");
            }
            if self.is_alive(child) && !all_at_once {
                return;
            }
        }
        let alive = |child: &Id| self.is_alive(*child);
        let Job::Leaving(exit) = self.nodes[id].job else {
            return;
        };
        if self.nodes[id].children.iter().any(alive) {
            return;
        }
        self.nodes[id].job = Job::Off;
        let note = match self.nodes[id].state {
            // A meltdown that had begun keeps its exit.
            State::Stopping if exit != "shutdown" => Note::Stopped("cleanup_failed"),
            State::Stopping => Note::Stopped("stopped"),
            _ if self.nodes[id].start_failed => Note::StartFailed(exit),
            _ => Note::Exited(exit),
        };
        self.tell(id, note);
    }
}
