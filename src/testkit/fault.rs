//! Faults: what is done to a running child whose own code knows nothing of it.

use std::fmt;

use thiserror::Error;

use crate::child::Kind;
use crate::context;
use crate::supervisor::status::State;
use crate::tree::Running;

/// What can be done to a running child.
///
/// | kind | `Panic` | `Error` | `Hang` | `Kill` |
/// |---|---|---|---|---|
/// | task, worker, step | ✓ | ✓ | ✓ | ✓ |
/// | actor | ✓ | ✓ | ✓ | ✓ |
/// | supervisor | ✓ | | | |
/// | blocking | | | | |
///
/// The library polls a child's future for it, and there the first three happen: **at the next poll**,
/// which is made to begin at once. The child's own code is not polled any more; after a panic or an
/// error its future is dropped before the run counts as ended, as after a failure of its own.
///
/// - **Task, worker, step**: in the middle of its body, at the await where it is. Before its start was
///   acknowledged the fault is a failed start.
/// - **Actor**: in the hook that it is in, at the await where it is; between two messages, before the
///   next one. As after a failure of its own, `post_stop` is not called after a panic or an error, and
///   what waits in the mailbox is lost and counted.
/// - **Supervisor**: its loop panics, as only a mistake in this library could make it. Its children are
///   stopped in reverse order, then its parent sees the exit. The panic of a root ends the tree.
/// - **Subtasks** of [`Context::spawn`](crate::context::Context::spawn) go on while the child hangs and
///   end with its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It panics: [`Exit::Panicked`](crate::exit::Exit::Panicked), without a location. The panic hook
    /// is not called, so that a test prints no backtrace of what it ordered.
    Panic,
    /// Its body or hook returns an error: [`Exit::Failed`](crate::exit::Exit::Failed).
    Error,
    /// It is pending for ever: it handles nothing and ignores its stop. Only a kill ends it, which is
    /// what its supervisor does when its stop timeout is over; or another fault.
    Hang,
    /// It is dropped at an await without its supervisor's knowledge:
    /// [`Exit::Killed`](crate::exit::Exit::Killed). The counterpart of Erlang's `exit(Pid, kill)`.
    Kill,
}

impl Fault {
    /// Every fault, in a fixed order.
    pub const ALL: [Self; 4] = [Self::Panic, Self::Error, Self::Hang, Self::Kill];

    /// Returns the fault as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Hang => "hang",
            Self::Kill => "kill",
        }
    }

    /// Tells whether this can be done to a node of that kind.
    #[must_use]
    pub fn can_befall(self, kind: Kind) -> bool {
        match kind {
            Kind::Actor | Kind::Worker | Kind::Task | Kind::Step => true,
            Kind::Supervisor => self == Self::Panic,
            Kind::Blocking => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Says why nothing was done to a child.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FaultError {
    /// No node has that path.
    #[error("nothing is at {path}")]
    NotFound {
        /// The path that was given.
        path: String,
    },
    /// The node has no run that it could be done to.
    #[error("{path} does not run: it is {}", .state.code())]
    NotRunning {
        /// The path that was given.
        path: String,
        /// What the node is doing.
        state: State,
    },
    /// It can't be done to a node of that kind: a thread has no await, and a supervisor is never killed.
    #[error("{path} is of the kind {kind:?}, which takes no {fault}")]
    Unsupported {
        /// The path that was given.
        path: String,
        /// What the node is.
        kind: Kind,
        /// What was to be done.
        fault: Fault,
    },
}

impl FaultError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::NotRunning { .. } => "not_running",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

/// Does something to the present run of the child at `path`; [`Fault`] says what, and when.
///
/// Returns when the fault is on its way; what follows from it is for a
/// [`Recorder`](super::Recorder) to wait for. A later fault takes the place of one that has not
/// happened yet. A run that ends first takes it along: the next one begins without.
///
/// # Errors
///
/// [`FaultError`]; nothing was done.
pub fn inject(running: &Running, path: &str, fault: Fault) -> Result<(), FaultError> {
    let not_found = || FaultError::NotFound {
        path: path.to_owned(),
    };
    let node = running.node(path).ok_or_else(not_found)?;
    let (kind, state) = node.kind_and_state();
    if !fault.can_befall(kind) {
        return Err(FaultError::Unsupported {
            path: path.to_owned(),
            kind,
            fault,
        });
    }
    let run = node.present_run().filter(|_| has_a_run(state));
    let not_running = || FaultError::NotRunning {
        path: path.to_owned(),
        state,
    };
    let run = run.ok_or_else(not_running)?;
    match fault {
        Fault::Panic => run.fault_point().set(context::Fault::Panic),
        Fault::Error => run.fault_point().set(context::Fault::Error),
        Fault::Hang => run.fault_point().set(context::Fault::Hang),
        Fault::Kill => drop(run.kill()),
    }
    Ok(())
}

fn has_a_run(state: State) -> bool {
    matches!(
        state,
        State::Starting | State::Running | State::Stopping | State::Hung
    )
}

/// Makes the child at `path` panic: [`inject`] with [`Fault::Panic`].
///
/// # Errors
///
/// [`FaultError`]; nothing was done.
pub fn crash(running: &Running, path: &str) -> Result<(), FaultError> {
    inject(running, path, Fault::Panic)
}

/// Makes the child at `path` end with an error: [`inject`] with [`Fault::Error`].
///
/// # Errors
///
/// [`FaultError`]; nothing was done.
pub fn fail(running: &Running, path: &str) -> Result<(), FaultError> {
    inject(running, path, Fault::Error)
}

/// Makes the child at `path` hang: [`inject`] with [`Fault::Hang`].
///
/// # Errors
///
/// [`FaultError`]; nothing was done.
pub fn hang(running: &Running, path: &str) -> Result<(), FaultError> {
    inject(running, path, Fault::Hang)
}

/// Kills the child at `path`: [`inject`] with [`Fault::Kill`].
///
/// # Errors
///
/// [`FaultError`]; nothing was done.
pub fn kill(running: &Running, path: &str) -> Result<(), FaultError> {
    inject(running, path, Fault::Kill)
}
