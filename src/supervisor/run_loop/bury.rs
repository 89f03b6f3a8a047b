//! Drops what is the user's, out of the way of the supervisor that held it.

use crate::supervisor::Node;
use crate::supervisor::children::Key;
use crate::supervisor::live::{Live, Lives};

/// Nothing follows for children that were added while a run was up.
pub(super) fn forget_run_time_children(lives: &mut Lives, declared: usize) {
    let added = lives.split_off(&(declared as Key));
    added.values().for_each(|live| live.node.retire());
    if !added.is_empty() {
        let bury = |Live {
                        node,
                        cell,
                        run,
                        control,
                    }| {
            // First: what is left then is the user's.
            drop((cell, run, control));
            node.bury();
        };
        drop(tokio::spawn(
            async move { added.into_values().for_each(bury) },
        ));
    }
}

/// Drops a declaration and what ran by it, in a task of its own and one leaf at a time: a drop that blocks
/// or panics must neither hold up a supervisor nor keep others from theirs.
pub(super) fn bury_elsewhere<T: Send + 'static>(node: Node, run: T) {
    drop(tokio::spawn(async move {
        drop(run);
        node.bury();
    }));
}
