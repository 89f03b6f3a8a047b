//! Commands: who asked, what was decided, and the answer.

use super::{RunLoop, Waiting, bury_elsewhere};
use crate::command::{Command, CommandError, Refusal, StartAnswer, StartChildError};
use crate::exit::ErrorChain;
use crate::policy::restart::Strategy;
use crate::supervisor::children::Ticket;
use crate::supervisor::decide::Happened;
use crate::supervisor::{Node, validate};

// An answer that nobody waits for any more is dropped: the caller gave up, what was done stays done.
impl RunLoop {
    pub(super) fn command(&mut self, command: Command<Node>) {
        match command {
            // Nobody waits any more when it fails.
            #[cfg(feature = "daemon")]
            Command::Ping(answer) => drop(answer.send(())),
            Command::StartChild { node, answer } => self.add_child(node, answer),
            Command::Child {
                name,
                ask,
                answer,
                only_accept,
            } => {
                let Some(key) = self.names.get(&name) else {
                    return drop(answer.send(Err(self.not_found(&name))));
                };
                let path = self.cell.path().join(&name);
                let ticket = self.ticket(Waiting::ForChild(path, answer));
                self.happened(Happened::Asked { key, ask, ticket });
                if only_accept {
                    self.accepted(ticket);
                }
            }
        }
    }

    /// Says that there is no child of that name; once it leaves, its children are nobody's business.
    fn not_found(&self, name: &str) -> CommandError {
        let is_leaving = self.tree.early_notice().get().is_some()
            || self.supervision.refusal_to_add() == Some(Refusal::ShuttingDown);
        match is_leaving {
            true => CommandError::ShuttingDown,
            false => CommandError::NotFound {
                path: format!("{}/{name}", self.cell.path()),
            },
        }
    }

    /// Answers a command that was not refused before it is done.
    fn accepted(&mut self, ticket: Ticket) {
        if let Some(Waiting::ForChild(_, answer)) = self.answers.remove(&ticket) {
            drop(answer.send(Ok(())));
        }
    }

    fn add_child(&mut self, node: Node, answer: StartAnswer) {
        if let Some(refusal) = self.refusal(&node) {
            node.retire();
            bury_elsewhere(node, ());
            return drop(answer.send(Err(refusal)));
        }
        let name = match node.name() {
            "" => self.free_number(),
            name => name.to_owned(),
        };
        let path = self.cell.path().join(&name);
        let key = self.admit(node, &name);
        if let Some(live) = self.lives.get(&key) {
            live.cell.set_dynamic();
        }
        self.tell_stop_need(key);
        let ticket = self.ticket(Waiting::ForStart(path, answer));
        self.happened(Happened::Added { key, ticket });
    }

    /// Returns the first number, from the child's own on, that is nobody's name.
    fn free_number(&self) -> String {
        let numbers = (self.next_key..).map(|number| number.to_string());
        let mut free = numbers.filter(|number| self.names.get(number).is_none());
        free.next().unwrap_or_default()
    }

    fn ticket(&mut self, waiting: Waiting) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.answers.insert(ticket, waiting);
        ticket
    }

    /// Says why a child can't be added now.
    fn refusal(&self, node: &Node) -> Option<StartChildError> {
        if self.tree.early_notice().get().is_some() {
            return Some(StartChildError::ShuttingDown);
        }
        let path = self.cell.path().join(node.name());
        if let Some(refusal) = self.supervision.refusal_to_add() {
            return Some(StartChildError::new(refusal, path));
        }
        if let Err(invalid) = validate::validate_under(&self.declared, node) {
            let reason = ErrorChain::new(&invalid);
            return Some(StartChildError::Invalid { reason });
        }
        // First: to wait for room would not help whoever asks for a name that is taken.
        if let Some(key) = self.names.get(node.name()) {
            let is_alive = self.supervision.has_task(key);
            return Some(StartChildError::AlreadyPresent { path, is_alive });
        }
        let max_children = self.declared.max_children;
        let is_limited = self.declared.strategy == Strategy::Dynamic;
        (is_limited && self.lives.len() >= max_children).then(|| StartChildError::AtCapacity {
            supervisor: self.cell.path().clone(),
            max_children,
        })
    }

    pub(super) fn answer(&mut self, ticket: Ticket, outcome: Result<(), Refusal>) {
        match self.answers.remove(&ticket) {
            Some(Waiting::ForStart(path, answer)) => drop(answer.send(match outcome {
                Ok(()) => Ok(path),
                Err(refusal) => Err(StartChildError::new(refusal, path)),
            })),
            Some(Waiting::ForChild(path, answer)) => {
                drop(answer.send(outcome.map_err(|refusal| CommandError::new(refusal, path))));
            }
            // Asked from inside, and answered when it was accepted.
            None => {}
        }
    }
}
