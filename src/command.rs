//! What can be asked of a running supervisor, and what it may answer.
//!
//! A command is a message to the supervisor's loop with a place for its answer. The loop answers
//! each one; one that is still queued when the loop ends answers by being dropped.

use thiserror::Error;
use tokio::sync::oneshot;

use crate::exit::Exit;
use crate::path::{InvalidName, Path};

/// How many commands may wait for one supervisor; a caller beyond that waits for room.
///
/// The loop serves them between the ends of children; more than this means that callers outrun it,
/// and waiting is what slows them down.
pub(crate) const COMMAND_QUEUE_CAPACITY: usize = 256;

/// A request to a supervisor's loop. `N` is a declared node.
pub(crate) enum Command<N> {
    /// Adds a child and starts it.
    StartChild { node: N, answer: Answer },
}

/// Where the answer to a `StartChild` goes.
pub(crate) type Answer = oneshot::Sender<Result<Path, StartChildError>>;

/// Says why a child was not started at run time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StartChildError {
    /// The name can't be part of a path.
    #[error("a child of {supervisor} can't be called that")]
    Name {
        /// The supervisor that was asked.
        supervisor: Path,
        /// What is wrong with the name.
        #[source]
        source: InvalidName,
    },
    /// A child of that name exists.
    #[error("{path} exists already")]
    AlreadyPresent {
        /// The path that is taken.
        path: Path,
    },
    /// The supervisor has as many children as its `max_children` allows.
    #[error("{supervisor} is at its capacity of {max_children} children")]
    AtCapacity {
        /// The supervisor that was asked.
        supervisor: Path,
        /// Its limit.
        max_children: usize,
    },
    /// The child was added, but its start failed; it has been removed again.
    #[error("{path} did not start: {exit}")]
    Failed {
        /// The child's path.
        path: Path,
        /// How its start ended.
        exit: Exit,
    },
    /// The supervisor is still starting its declared children; ask again once it is up.
    #[error("the supervisor is still starting")]
    Starting,
    /// The supervisor is busy with a group restart; ask again.
    #[error("the supervisor is restarting a group of children")]
    InProgress,
    /// The tree, or this part of it, is shutting down.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
    /// The supervisor is not running: not started yet, down, or ended.
    #[error("the supervisor is not running")]
    NotRunning,
    /// The declaration of the child, or of something below it, makes no sense.
    #[error("the child's declaration is not valid: {reason}")]
    Invalid {
        /// What is wrong with it, and where.
        reason: String,
    },
}

impl StartChildError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "invalid_name",
            Self::AlreadyPresent { .. } => "already_present",
            Self::AtCapacity { .. } => "at_capacity",
            Self::Failed { .. } => "failed",
            Self::Starting => "starting",
            Self::InProgress => "in_progress",
            Self::ShuttingDown => "shutting_down",
            Self::NotRunning => "not_running",
            Self::Invalid { .. } => "invalid",
        }
    }
}
