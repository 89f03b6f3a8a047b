//! What can be asked of a running supervisor, and what it may answer.
//!
//! A command is a message to the supervisor's loop with a place for its answer. The loop answers
//! each one; one that is still queued when the loop ends answers by being dropped.

use thiserror::Error;
use tokio::sync::oneshot;

use crate::exit::{ErrorChain, Exit};
use crate::path::Path;

/// How many commands may wait for one supervisor; a caller beyond that waits for room.
///
/// The loop serves them between the ends of children; more than this means that callers outrun it,
/// and waiting is what slows them down.
pub(crate) const COMMAND_QUEUE_CAPACITY: usize = 256;

/// A request to a supervisor's loop. `N` is a declared node.
pub(crate) enum Command<N> {
    /// Answers.
    #[cfg(feature = "daemon")]
    Ping(oneshot::Sender<()>),
    /// Adds a child and starts it.
    StartChild { node: N, answer: StartAnswer },
    /// Does something to a child that is there.
    Child {
        name: String,
        ask: Ask,
        answer: ChildAnswer,
        /// Asked from inside that child: waiting for the end would wait for itself.
        only_accept: bool,
    },
}

/// Where the answer to a `StartChild` goes.
pub(crate) type StartAnswer = oneshot::Sender<Result<Path, StartChildError>>;
/// Where the answer to any other command goes.
pub(crate) type ChildAnswer = oneshot::Sender<Result<(), CommandError>>;

/// What can be asked of a child that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Stop,
    Restart,
    Delete,
    Release,
}

/// Why a command was not done, as decided; [`StartChildError`] and [`CommandError`] add the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Starting,
    ShuttingDown,
    InProgress,
    Running,
    NotQuarantined,
    Hung,
    Stopped,
    Failed(Exit),
}

/// Says why a child was not started at run time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StartChildError {
    /// A child of that name exists.
    #[error("{path} exists already")]
    AlreadyPresent {
        /// The path that is taken.
        path: Path,
        /// Whether its task lives at this moment.
        is_alive: bool,
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
    /// The child was added, but somebody stopped it before it was up; it has been removed again.
    #[error("{path} was stopped before it was up")]
    Stopped {
        /// The child's path.
        path: Path,
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
    /// The declaration of the child, or of something below it, makes no sense. A path in it begins
    /// at the child.
    #[error("the child's declaration is not valid: {reason}")]
    Invalid {
        /// What is wrong with it, and where.
        reason: ErrorChain,
    },
}

impl StartChildError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyPresent { .. } => "already_present",
            Self::AtCapacity { .. } => "at_capacity",
            Self::Failed { .. } => "failed",
            Self::Stopped { .. } => "stopped",
            Self::Starting => "starting",
            Self::InProgress => "in_progress",
            Self::ShuttingDown => "shutting_down",
            Self::NotRunning => "not_running",
            Self::Invalid { .. } => "invalid",
        }
    }

    pub(crate) fn new(refusal: Refusal, path: Path) -> Self {
        match refusal {
            Refusal::Failed(exit) => Self::Failed { path, exit },
            Refusal::Stopped => Self::Stopped { path },
            Refusal::Starting => Self::Starting,
            Refusal::ShuttingDown => Self::ShuttingDown,
            Refusal::InProgress | Refusal::Running | Refusal::NotQuarantined | Refusal::Hung => {
                Self::InProgress
            }
        }
    }
}

/// Says why a child was not stopped, restarted, deleted or released.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no child there.
    #[error("there is no {path}")]
    NotFound {
        /// Where none is.
        path: String,
    },
    /// The supervisor is still starting its declared children; ask again once it is up.
    #[error("the supervisor of {path} is still starting")]
    Starting {
        /// The child.
        path: Path,
    },
    /// The child is starting, stopping, waiting for its restart, or part of a group restart; ask
    /// again.
    #[error("{path} is being started, stopped or restarted")]
    InProgress {
        /// The child.
        path: Path,
    },
    /// The child runs; stop it before it is deleted.
    #[error("{path} is running; stop it first")]
    Running {
        /// The child.
        path: Path,
    },
    /// The child is not quarantined, so that there is nothing to release.
    #[error("{path} is not quarantined")]
    NotQuarantined {
        /// The child.
        path: Path,
    },
    /// The child neither stops nor dies; its task still lives.
    #[error("{path} hangs: it neither stops nor dies")]
    Hung {
        /// The child.
        path: Path,
    },
    /// Somebody stopped the child before it was up.
    #[error("{path} was stopped before it was up")]
    Stopped {
        /// The child.
        path: Path,
    },
    /// The child did not start; it is down.
    #[error("{path} did not start: {exit}")]
    Failed {
        /// The child.
        path: Path,
        /// How its start ended.
        exit: Exit,
    },
    /// The tree, or this part of it, is shutting down.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
    /// The supervisor is not running: not started yet, down, or ended.
    #[error("the supervisor is not running")]
    NotRunning,
}

impl CommandError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Starting { .. } => "starting",
            Self::InProgress { .. } => "in_progress",
            Self::Running { .. } => "running",
            Self::NotQuarantined { .. } => "not_quarantined",
            Self::Hung { .. } => "hung",
            Self::Stopped { .. } => "stopped",
            Self::Failed { .. } => "failed",
            Self::ShuttingDown => "shutting_down",
            Self::NotRunning => "not_running",
        }
    }

    pub(crate) fn new(refusal: Refusal, path: Path) -> Self {
        match refusal {
            Refusal::Starting => Self::Starting { path },
            Refusal::ShuttingDown => Self::ShuttingDown,
            Refusal::InProgress => Self::InProgress { path },
            Refusal::Running => Self::Running { path },
            Refusal::NotQuarantined => Self::NotQuarantined { path },
            Refusal::Hung => Self::Hung { path },
            Refusal::Stopped => Self::Stopped { path },
            Refusal::Failed(exit) => Self::Failed { path, exit },
        }
    }
}
