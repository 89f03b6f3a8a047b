//! A child as its supervisor's loop holds it: everything that decisions do not need.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::cell::Cell;
use super::children::Key;
use super::decide::StopTimes;
use super::status::{NodeStatus, State};
use super::{Node, NodeKind, Tree, spawn};
use crate::child::{Control, End, Kind, Launched};
use crate::context::{Identity, Notices, Run};
use crate::exit::{ErrorChain, Exit};
use crate::shutdown::StopSignal;
use crate::shutdown::report::{Outcome, Stopped};

/// One child with its present run.
pub(super) struct Live {
    pub(super) node: Arc<Node>,
    pub(super) cell: Arc<Cell>,
    pub(super) run: Option<Arc<Run>>,
    pub(super) control: Option<Box<dyn Control>>,
}

/// Which run ended; its task is gone, its state and its subtasks too.
pub(super) type Ending = Pin<Box<dyn Future<Output = (Key, u64)> + Send>>;

/// The children of one supervisor, in start order.
pub(super) type Lives = BTreeMap<Key, Live>;

/// Whose child it is.
pub(super) struct Parent<'a> {
    pub(super) tree: &'a Arc<Tree>,
    pub(super) notices: &'a Arc<Notices>,
    pub(super) stop: &'a Arc<StopSignal>,
}

impl Live {
    pub(super) fn new(node: Arc<Node>, cell: Arc<Cell>) -> Self {
        if let NodeKind::Leaf(specification, launch) = &node.0
            && matches!(specification.kind, Kind::Actor | Kind::Worker)
        {
            cell.set_mailbox(launch.address());
        }
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

    /// Asks the present run to handle what it has accepted, and nothing more.
    pub(super) fn ask_to_drain(&self, times: StopTimes) {
        if let Some(run) = &self.run {
            run.stop().drain(times.deadline, times.latest);
        }
        if let Some(control) = &self.control {
            control.drain();
        }
    }

    /// Starts an incarnation. A launch that fails has ended with the reason.
    pub(super) fn start(&mut self, key: Key, incarnation: u64, parent: &Parent<'_>) -> Ending {
        let identity = Identity {
            path: self.cell.path().clone(),
            key,
            incarnation,
        };
        let early_notice = parent.tree.early_notice().clone();
        let run = Run::new(identity, early_notice, Arc::clone(parent.notices));
        run.stop().stands_below(parent.stop);
        let launched = match &self.node.0 {
            NodeKind::Leaf(_, launch) => launch.launch(&run),
            NodeKind::Supervisor(below) => Ok(Launched::from(spawn::supervisor(
                parent.tree,
                below,
                &self.cell,
                &run,
            ))),
        };
        self.run = Some(Arc::clone(&run));
        #[cfg(feature = "testkit")]
        self.cell.set_run(&run);
        match launched {
            Ok(Launched { end, control }) => {
                self.control = control;
                Box::pin(ended(end, run, (key, incarnation)))
            }
            Err(error) => {
                run.record(Exit::Failed(ErrorChain::new(&error)));
                run.set_over();
                Box::pin(std::future::ready((key, incarnation)))
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

/// Waits until nothing of a run is left.
pub(super) async fn ended(end: End, run: Arc<Run>, who: (Key, u64)) -> (Key, u64) {
    end.await;
    run.reaped().await;
    run.end_subtasks().await;
    run.set_over();
    who
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
