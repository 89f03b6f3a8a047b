//! A running tree: started from a declaration, read at any moment, stopped inside a deadline.

mod begin;
mod end;
mod pulse;
mod readiness;
mod reading;
mod running;
mod watchdog;

use thiserror::Error;

#[cfg(feature = "daemon")]
pub(crate) use self::begin::Begun;
#[cfg(feature = "daemon")]
pub(crate) use self::pulse::Look;
pub use self::readiness::{Readiness, Requirement};
#[cfg(feature = "daemon")]
pub(crate) use self::reading::Level;
pub use self::reading::Snapshot;
pub use self::running::Running;
use crate::exit::Exit;
use crate::path::Path;
use crate::supervisor::{ImpossiblePlan, InvalidTree};

/// Says why a tree did not start. Everything that had started has been stopped again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The declaration makes no sense; nothing was started.
    #[error("the tree's declaration is not valid")]
    Invalid(#[from] InvalidTree),
    /// The stop reserves set by hand can't all be kept; nothing was started.
    #[error("the tree can't stop as declared")]
    ImpossiblePlan(#[from] ImpossiblePlan),
    /// A child did not start.
    #[error("{path} did not start: {exit}")]
    Failed {
        /// The child whose start failed.
        path: Path,
        /// How its start ended.
        exit: Exit,
    },
    /// The tree was asked to stop before it was up.
    #[error("the tree was shut down before it was up")]
    ShutDown,
}

impl StartError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_tree",
            Self::ImpossiblePlan(_) => "impossible_plan",
            Self::Failed { .. } => "start_failed",
            Self::ShutDown => "shut_down",
        }
    }
}
