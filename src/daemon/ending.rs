//! How a daemon ends: as a value, and as the number that its parent process reads.
//!
//! The numbers are those of `sysexits.h` (64, 70, 75, 78), of GNU `timeout` (124) and of the shell
//! (128 + n), so that a supervisor of processes can tell what not to restart.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

#[cfg(unix)]
use crate::admin::socket::SocketError;
use crate::config::{ConfigError, UsageError};
use crate::exit::{BoxError, Exit};
use crate::http::BindError;
use crate::lock::LockError;
use crate::logging::LoggingError;
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::StopReport;
use crate::signals::Signal;
use crate::tree::StartError;

/// `EX_USAGE` of `sysexits.h`.
const USAGE: u8 = 64;

/// `EX_SOFTWARE` of `sysexits.h`.
const SOFTWARE: u8 = 70;

/// `EX_TEMPFAIL` of `sysexits.h`.
const TEMPORARY: u8 = 75;

/// `EX_CONFIG` of `sysexits.h`.
const CONFIGURATION: u8 = 78;

/// What GNU `timeout` returns.
const LATE: u8 = 124;

/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: u8 = 128;

/// How a daemon whose tree was begun came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DaemonExit {
    /// The tree ended in time.
    Clean,
    /// The root ended by itself, with an error.
    Failed,
    /// The root restarted its children too often.
    Meltdown,
    /// The process used more than a hard limit allows.
    Exhausted,
    /// The tree took longer than it was given, or something in it still runs.
    Late,
    /// A second signal came, the one of this number, and nobody waited any longer.
    Forced(i32),
}

impl DaemonExit {
    /// Reads a report: 70 for a meltdown, an error or a hard limit, whatever hangs then (a child may have been
    /// declared to end the process by that), 124 for what was late or hangs, 70 for a root that failed,
    /// 0 for the rest. A signal that comes while a failed tree stops makes no success of it.
    pub(super) fn of(report: &StopReport, graceful: Duration) -> Self {
        if report.exit == Exit::Meltdown {
            return Self::Meltdown;
        }
        if report.reason == ShutdownReason::Error {
            return Self::Failed;
        }
        if report.reason == ShutdownReason::ResourceExhausted {
            return Self::Exhausted;
        }
        let is_held = !report.hung().is_empty() || !report.unreleased().is_empty();
        if report.root.spent > graceful || is_held {
            return Self::Late;
        }
        if report.exit.is_abnormal() {
            return Self::Failed;
        }
        Self::Clean
    }

    /// Returns the code of the process: 0 clean, 70 failed, meltdown or exhausted, 124 late, 128 + n forced.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed | Self::Meltdown | Self::Exhausted => SOFTWARE,
            Self::Late => LATE,
            Self::Forced(signal) => SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or(0)),
        }
    }

    /// Returns the case as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Failed => "failed",
            Self::Meltdown => "meltdown",
            Self::Exhausted => "exhausted",
            Self::Late => "late",
            Self::Forced(_) => "forced",
        }
    }
}

impl fmt::Display for DaemonExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("ended in time"),
            Self::Failed => f.write_str("the tree failed"),
            Self::Meltdown => f.write_str("the tree restarted its children too often"),
            Self::Exhausted => f.write_str("the process used more than it may"),
            Self::Late => f.write_str("the tree did not end in time"),
            Self::Forced(signal) => {
                write!(
                    f,
                    "forced to end by a second signal, {}",
                    Signal::new(*signal)
                )
            }
        }
    }
}

/// Says why a daemon's tree was never up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The command line asked for something else than to run.
    #[error("{text}")]
    Answered {
        /// The answer.
        text: String,
    },
    /// The command line is not understood.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The pid file can't be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The log can't be written.
    #[error(transparent)]
    Logging(LoggingError),
    /// The working directory can't be changed into.
    #[error("cannot change into {}", path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The priority can't be set.
    #[error("cannot set the priority to {nice}")]
    Nice {
        /// What was asked for.
        nice: i32,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The tree could not be made from the configuration.
    #[error("the tree could not be made")]
    Tree(#[source] BoxError),
    /// No tree was given.
    #[error("the daemon has no tree; give it one with `Daemon::tree`")]
    NoTree,
    /// `run` was called where a runtime runs already.
    #[error(
        "`Daemon::run` was called inside a tokio runtime; use `Daemon::run_async`, or `Supervisor::start` for the tree alone"
    )]
    InsideRuntime,
    /// `run_async` was polled where no runtime runs.
    #[error("`Daemon::run_async` was called outside a tokio runtime; use `Daemon::run`")]
    OutsideRuntime,
    /// A runtime or its thread could not be made.
    #[error("cannot start a runtime")]
    Runtime(#[source] io::Error),
    /// The signal handlers could not be installed.
    #[error("cannot install the signal handlers")]
    Signals(#[source] io::Error),
    /// The token for HTTP can't be used.
    #[error("cannot use the token in {}: {why}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP server could not be started.
    #[error("cannot serve probes and metrics")]
    Http(#[from] BindError),
    /// Commands can't be taken.
    #[cfg(unix)]
    #[error("cannot take commands")]
    Admin(#[from] SocketError),
    /// The tree did not start.
    #[error("the tree did not start")]
    Start(#[from] StartError),
    /// The thread that conducts the daemon died.
    #[error("the thread that conducts the daemon has died")]
    Lost,
}

impl DaemonError {
    /// Returns the code of the process: 0 for an answer, 64 for a missing tree or a bad command line, 75
    /// where another instance runs, 78 for whatever the configuration is to blame for, 70 for the rest.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Answered { .. } => 0,
            Self::NoTree | Self::Usage(_) => USAGE,
            Self::Lock(LockError::Held { .. }) => TEMPORARY,
            #[cfg(unix)]
            Self::Admin(SocketError::InUse { .. }) => TEMPORARY,
            #[cfg(unix)]
            Self::Admin(SocketError::Path { .. }) => CONFIGURATION,
            Self::Config(_)
            | Self::Lock(_)
            | Self::Logging(_)
            | Self::WorkDir { .. }
            | Self::Nice { .. }
            | Self::Tree(_)
            | Self::Token { .. }
            | Self::Http(BindError::NotLoopback { .. }) => CONFIGURATION,
            _ => SOFTWARE,
        }
    }

    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Usage(_) => "usage",
            Self::Config(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Logging(error) => error.code(),
            Self::WorkDir { .. } => "work_dir_failed",
            Self::Nice { .. } => "nice_failed",
            Self::Tree(_) => "tree_refused",
            Self::NoTree => "no_tree",
            Self::InsideRuntime => "inside_runtime",
            Self::OutsideRuntime => "outside_runtime",
            Self::Runtime(_) => "runtime_failed",
            Self::Signals(_) => "signals_failed",
            Self::Token { .. } => "token_unusable",
            Self::Http(error) => error.code(),
            #[cfg(unix)]
            Self::Admin(error) => error.code(),
            Self::Start(error) => error.code(),
            Self::Lost => "daemon_lost",
        }
    }
}

#[cfg(test)]
mod tests;
