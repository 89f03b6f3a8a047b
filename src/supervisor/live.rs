//! A child as its supervisor's loop holds it: everything that decisions do not need.

use std::sync::Arc;

use super::cell::Cell;
use super::children::Key;
use super::decide::StopTimes;
use super::ends::Ends;
use super::in_order::InOrder;
use super::status::{NodeStatus, State};
use super::{Node, NodeKind, Tree, spawn};
use crate::child::{Control, End, Launched};
use crate::context::{Above, Identity, Run};
use crate::exit::{ErrorChain, Exit};
use crate::shutdown::report::{Outcome, Stopped};

/// One child with its present run.
pub(super) struct Live {
    pub(super) node: Node,
    pub(super) cell: Arc<Cell>,
    pub(super) run: Option<Arc<Run>>,
    pub(super) control: Option<Arc<dyn Control>>,
}

/// The children of one supervisor, in start order.
pub(super) type Lives = InOrder<Live>;

/// Whose child it is.
pub(super) struct Parent<'a> {
    pub(super) tree: &'a Arc<Tree>,
    pub(super) above: &'a Arc<Above>,
    pub(super) ends: &'a mut Ends,
}

impl Live {
    pub(super) fn new(node: Node, cell: Arc<Cell>) -> Self {
        Self {
            node,
            cell,
            run: None,
            control: None,
        }
    }

    /// Asks the present run to stop, as a message ahead of all others.
    pub(super) fn ask_to_stop(&self, times: StopTimes) {
        if let Some(run) = &self.run {
            run.stop().request(times.deadline, times.latest);
        }
        if let Some(control) = &self.control {
            control.stop();
        }
    }

    /// Tells whether it has a run of which something is left.
    pub(super) fn is_not_over(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.is_over())
    }

    /// Asks the present run to handle what it has accepted, and nothing more.
    pub(super) fn ask_to_drain(&self, times: StopTimes) {
        if let Some(run) = &self.run {
            run.stop().drain(times.deadline, times.latest);
        }
        if let Some(control) = &self.control {
            control.drain();
        }
    }

    /// Starts an incarnation, whose end its parent then expects. A launch that fails has ended with
    /// the reason.
    pub(super) fn start(&mut self, key: Key, incarnation: u64, parent: Parent<'_>) {
        let identity = Identity {
            path: self.cell.path().clone(),
            key,
            incarnation,
        };
        parent.tree.count_begun();
        let run = Run::new(identity, parent.above);
        let launched = match &self.node.0 {
            NodeKind::Leaf(leaf) => leaf.launch.launch(&run),
            NodeKind::Supervisor(below) => Ok(Launched::from(End::Task(spawn::supervisor(
                parent.tree,
                below,
                &self.cell,
                &run,
            )))),
        };
        self.run = Some(Arc::clone(&run));
        let treatment = match &self.node.0 {
            NodeKind::Leaf(leaf) => Some(&leaf.specification.treatment),
            NodeKind::Supervisor(_) => None,
        };
        self.cell.set_run(&run, treatment);
        match launched {
            Ok(Launched { end, control }) => {
                self.control = control;
                parent.ends.expect(&run, end);
            }
            Err(error) => {
                run.record(Exit::Failed(ErrorChain::new(&error)));
                parent.ends.never_began(&run);
            }
        }
    }

    /// Writes this child's line of the stop report.
    pub(super) fn report(
        &self,
        outcome: Outcome,
        times: (std::time::Duration, std::time::Duration),
    ) -> Stopped {
        let (allotted, spent) = times;
        let children = match (&outcome, &self.run) {
            (Outcome::AlreadyDown, _) | (_, None) => Vec::new(),
            (_, Some(run)) => run.take_report().children,
        };
        let children = match outcome {
            // It did not come to write its own report.
            Outcome::Hung if children.is_empty() => unfinished(&self.cell.read()),
            _ => children,
        };
        // A supervisor that ended in time may still have left something behind.
        let hangs_below = children.iter().any(|line| line.outcome == Outcome::Hung);
        let outcome = if hangs_below { Outcome::Hung } else { outcome };
        Stopped {
            path: self.cell.path().clone(),
            allotted,
            spent,
            outcome,
            children,
        }
    }
}

/// Names what still lives below a supervisor that did not end in time.
fn unfinished(status: &NodeStatus) -> Vec<Stopped> {
    let lives = |child: &&NodeStatus| {
        !matches!(
            child.state,
            State::Down | State::Pending | State::BackingOff | State::Quarantined
        )
    };
    let line = |child: &NodeStatus| Stopped {
        path: child.path.clone(),
        allotted: std::time::Duration::ZERO,
        spent: std::time::Duration::ZERO,
        outcome: Outcome::Hung,
        children: unfinished(child),
    };
    status.children.iter().filter(lives).map(line).collect()
}
