//! The vocabulary of a shutdown: why, until when, and how a child hears of it.
//!
//! A shutdown is a message with priority over everything that is queued, and it carries an absolute
//! deadline. [`plan`] divides the time among children; [`report`] says
//! afterwards who spent it.

pub mod guard;
pub mod ladder;
mod notice;
pub mod plan;
pub mod report;
mod stop_signal;

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::notice::EarlyNotice;
pub(crate) use self::stop_signal::{Signalled, StopSignal};

/// How long a shutdown may take when nothing was set.
pub const DEFAULT_SHUTDOWN_BUDGET: Duration = Duration::from_secs(5);

/// Says why a tree shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShutdownReason {
    /// The process received this signal.
    Signal(i32),
    /// The program asked for it.
    Requested,
    /// The root ended by itself, with nothing left to do.
    Completed,
    /// The root restarted its children too often.
    Meltdown,
    /// Something outside the tree failed.
    Error,
    /// A limit on memory, descriptors or threads was reached.
    ResourceExhausted,
}

/// The signals that end programs: those that have one number wherever there are signals (POSIX), and those
/// of a program's own with the numbers of Linux.
const NAMES: &[(i32, &str)] = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (6, "SIGABRT"),
    #[cfg(target_os = "linux")]
    (10, "SIGUSR1"),
    #[cfg(target_os = "linux")]
    (12, "SIGUSR2"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
];

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => match NAMES.iter().find(|(known, _)| known == number) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "signal {number}"),
            },
            Self::Requested => f.write_str("requested"),
            Self::Completed => f.write_str("completed"),
            Self::Meltdown => f.write_str("meltdown"),
            Self::Error => f.write_str("error"),
            Self::ResourceExhausted => f.write_str("resource exhausted"),
        }
    }
}

/// What a shutdown carries down the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Why.
    pub reason: ShutdownReason,
    /// The instant by which the whole tree has ended or is named as hung.
    pub deadline: Instant,
}

#[cfg(all(test, shuttle))]
mod races;
