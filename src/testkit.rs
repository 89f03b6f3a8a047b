//! For tests of trees: waits for what a tree does, and does to it what only an accident would.
//!
//! Behind the feature `testkit`, for `[dev-dependencies]`. Nothing in here is of use to a program: a
//! child that has to go is stopped by its supervisor.

mod observed;
mod order;
mod pattern;
mod recorder;

pub use self::observed::Observed;
pub use self::pattern::UnknownEvent;
pub use self::recorder::{DEFAULT_WAIT_TIMEOUT, Recorder, WaitError};
use crate::tree::Running;

/// Kills the child at `path` as if somebody else had: its task is dropped at its next await, without
/// its supervisor's knowledge. It exits [`Killed`](crate::exit::Exit::Killed), which is abnormal, and
/// is restarted by its type. The counterpart of Erlang's `exit(Pid, kill)`.
///
/// Returns whether a run was there to be killed. A supervisor never is, and a thread can't be.
pub fn kill(running: &Running, path: &str) -> bool {
    let run = running
        .node(path)
        .and_then(|node| node.run_that_can_be_killed());
    if let Some(run) = &run {
        run.kill();
    }
    run.is_some()
}
