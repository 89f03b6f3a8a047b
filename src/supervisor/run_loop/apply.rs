//! Carries out the actions that were decided on.

use super::{RunLoop, bury_elsewhere, log};
use crate::context::StartFailure;
use crate::event::EventKind;
use crate::exit::Exit;
use crate::supervisor::children::Key;
use crate::supervisor::decide::Action;
use crate::supervisor::live::Parent;

impl RunLoop {
    pub(super) fn apply(&mut self, action: Action) {
        match action {
            Action::Start { key, incarnation } => self.start(key, incarnation),
            Action::Drain { key, times } => {
                if let Some(live) = self.lives.get(&key) {
                    live.ask_to_drain(times);
                }
            }
            Action::Stop { key, times } => {
                if let Some(live) = self.lives.get(&key) {
                    live.ask_to_stop(times);
                }
            }
            Action::Kill { key } => {
                if let Some(run) = self.lives.get(&key).and_then(|live| live.run.as_ref()) {
                    self.tree.count_killed(run.kill());
                }
            }
            Action::FailStart { key } => {
                if let Some(run) = self.lives.get(&key).and_then(|live| live.run.as_ref()) {
                    run.fail_from_outside(Exit::StartTimedOut);
                }
            }
            Action::Arm { timer, at } => self.arm(timer, at),
            Action::Note { key, kind } => self.note(key, kind),
            Action::NoteSelf { kind } => {
                log::event(self.cell.path(), self.run.incarnation(), &kind);
                self.cell.note(self.tree.events(), kind);
            }
            Action::Report {
                key,
                outcome,
                allotted,
                spent,
            } => {
                if let Some(live) = self.lives.get(&key) {
                    self.report.push(live.report(outcome, (allotted, spent)));
                }
            }
            Action::Remove { key } => self.remove(key),
            Action::Answer { ticket, outcome } => self.answer(ticket, outcome),
            Action::Up => {
                // The root notes it for itself: it has no supervisor that would.
                self.run.acknowledge();
            }
            Action::StartFailed { key, exit } => self.leave_start_failure(key, exit),
            Action::EndProcess { key } => {
                if let Some(live) = self.lives.get(&key) {
                    self.tree.end_process(live.cell.path(), "hung");
                }
            }
            Action::Finish { exit } => self.finished = Some(exit),
        }
    }

    fn start(&mut self, key: Key, incarnation: u64) {
        let parent = Parent {
            tree: &self.tree,
            above: &self.above,
            ends: &mut self.ends,
        };
        let Some(live) = self.lives.get_mut(&key) else {
            return;
        };
        live.cell.begin(incarnation);
        live.start(key, incarnation, parent);
    }

    fn note(&mut self, key: Key, kind: EventKind) {
        let Some(live) = self.lives.get(&key) else {
            return;
        };
        log::event(live.cell.path(), live.cell.incarnation(), &kind);
        if let EventKind::Restarted { latency } = kind {
            self.tree.add_latency(live.cell.path(), latency);
        }
        live.cell.note(self.tree.events(), kind);
    }

    fn remove(&mut self, key: Key) {
        let Some(live) = self.lives.remove(&key) else {
            return;
        };
        self.names.remove(live.cell.path().name());
        if !self.is_declared(key) {
            self.tell_stop_need(key);
        }
        // Retired first: what is lost by it is still counted.
        live.node.retire();
        self.cell.forget(key, self.is_declared(key));
        bury_elsewhere(live.node, (live.run, live.control));
    }

    fn leave_start_failure(&mut self, key: Key, exit: Exit) {
        let Some(live) = self.lives.get(&key) else {
            return;
        };
        let deeper = live.run.as_ref().and_then(|run| run.take_start_failure());
        let here = || StartFailure {
            path: live.cell.path().clone(),
            exit,
        };
        self.run.leave_start_failure(deeper.unwrap_or_else(here));
    }
}
