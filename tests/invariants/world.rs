//! What the children of a random tree see and do, kept for the checks.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use perennial::{Context, Running, SupervisorHandle};
use tokio::time::Instant;

use crate::commands::Asked;
use crate::shape::Shape;

/// What is known of one tree from the inside.
#[derive(Default)]
pub(crate) struct World {
    seen: Mutex<Seen>,
    /// The tree itself, once it is up.
    pub(crate) running: OnceLock<Running>,
}

#[derive(Default)]
pub(crate) struct Seen {
    /// Every node that was ever declared, by its path, as it was declared.
    pub(crate) specs: HashMap<String, Spec>,
    /// Their paths, in the order of the declaration.
    pub(crate) order: Vec<String>,
    pub(crate) handles: HashMap<String, SupervisorHandle>,
    /// The starts of leaves, as they saw them.
    pub(crate) starts: Vec<(Mark, String, u64)>,
    /// How many runs of each leaf hold its state.
    pub(crate) alive: HashMap<String, u32>,
    /// What the children found to be wrong.
    pub(crate) broken: Vec<String>,
    pub(crate) told: Vec<Told>,
    pub(crate) asked: Vec<Asked>,
    /// Of whom something was asked by hand.
    pub(crate) targeted: HashSet<String>,
    /// When the shutdown of the whole tree was asked for, and by when it was to be over.
    pub(crate) shutdowns: Vec<(Instant, Instant)>,
}

/// One declared node.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) shape: Shape,
    /// Not part of its supervisor's declaration, but added while that ran.
    pub(crate) is_added: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Begins,
    IsUp,
}

/// By when a leaf was told to end, whenever it looked.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) path: String,
    pub(crate) at: Instant,
    pub(crate) deadline: Instant,
}

impl World {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic holds it")
    }

    pub(crate) fn mark(&self, mark: Mark, cx: &Context) {
        let path = cx.path().to_string();
        self.seen().starts.push((mark, path, cx.incarnation()));
    }

    /// Keeps by when a leaf must end, as it is told now.
    pub(crate) fn told(&self, cx: &Context) {
        if let Some(left) = cx.time_left() {
            let at = Instant::now();
            let (path, deadline) = (cx.path().to_string(), at + left);
            self.seen().told.push(Told { path, at, deadline });
        }
    }
}

/// Counts a living run of a leaf; dropped with the run's state.
pub(crate) struct Alive(String, Arc<World>);

impl Alive {
    pub(crate) fn new(cx: &Context, world: &Arc<World>) -> Self {
        let path = cx.path().to_string();
        let mut seen = world.seen();
        let count = seen.alive.entry(path.clone()).or_default();
        *count += 1;
        if *count > 1 {
            seen.broken.push(format!("two runs of {path} at once"));
        }
        drop(seen);
        world.mark(Mark::Begins, cx);
        Self(path, Arc::clone(world))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        *self.1.seen().alive.entry(self.0.clone()).or_default() -= 1;
    }
}
