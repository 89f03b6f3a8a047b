//! How a supervisor begins: the root of a tree, and any below it.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cell::{Cell, Role};
use super::run_loop::{Ear, RunLoop};
use super::{Supervisor, Tree};
use crate::child::Kind;
use crate::context::{Above, Identity, Run};
use crate::event::EventKind;
use crate::path::Path;
use crate::policy::restart::Restart;

/// The root of a tree whose start has begun.
pub(crate) struct Root {
    pub(crate) cell: Arc<Cell>,
    pub(crate) run: Arc<Run>,
    /// What the root has to say, as a child of nobody.
    pub(crate) above: Arc<Above>,
    pub(crate) task: JoinHandle<()>,
}

/// Begins a tree at its root.
pub(crate) fn root(tree: &Arc<Tree>, declared: &Arc<Supervisor>, ear: Option<Ear>) -> Root {
    let path = Path::root(&declared.name);
    let role = Role {
        kind: Kind::Supervisor,
        restart: declared.restart.unwrap_or(Restart::Temporary),
        // The root is always needed.
        duty: None,
    };
    let cell = Cell::new(path.clone(), role, None);
    cell.begin(1);
    cell.note(tree.events(), EventKind::Starting);
    let identity = Identity {
        path,
        key: 0,
        incarnation: 1,
    };
    let above = Above::new(tree.early_notice(), None);
    let run = Run::new(identity, &above);
    cell.set_run(&run, None);
    tree.set_root(&cell, &run);
    let run_loop = RunLoop::new(tree, declared, &cell, &run).hearing(ear);
    let task = tokio::spawn(run_loop.run());
    Root {
        cell,
        run,
        above,
        task,
    }
}

/// Begins one incarnation of a supervisor in a task of its own.
pub(super) fn supervisor(
    tree: &Arc<Tree>,
    declared: &Arc<Supervisor>,
    cell: &Arc<Cell>,
    run: &Arc<Run>,
) -> JoinHandle<()> {
    let run_loop = RunLoop::new(tree, declared, cell, run);
    tokio::spawn(run_loop.run())
}

/// Returns by when a supervisor's children must have ended so that it can end by `deadline`.
pub(crate) fn deadline_of_children(now: Instant, deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(now);
    deadline - crate::shutdown::plan::tick(left)
}
