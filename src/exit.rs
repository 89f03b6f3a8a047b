//! Why a run of a child ended.
//!
//! Everything that can end a run (a return value, an error, a panic, a kill, a limit) becomes one
//! [`Exit`] in the child's own task, and every decision, event, metric and report speaks of that.
//! Errors are kept as text: the error value itself is dropped where it arose, so that no user code
//! runs on a supervisor's task.

mod catch;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "daemon")]
pub(crate) use self::catch::chain_panics;
pub(crate) use self::catch::{catch, catch_blocking, install_panic_hook};

/// The error type of task, worker, step and blocking bodies.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Says why a run of a child ended.
///
/// Closed on purpose: a policy must be able to match every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It finished by itself, without an error.
    Normal,
    /// It stopped because its supervisor asked it to.
    Shutdown,
    /// It returned an error.
    Failed(ErrorChain),
    /// It panicked.
    Panicked(Panic),
    /// It was dropped at an await: killed, by its supervisor or by somebody else.
    Killed,
    /// It was not up within its `start_timeout`.
    StartTimedOut,
    /// A supervisor restarted its children more often than its intensity allows.
    Meltdown,
    /// It neither stopped nor died at a kill; its task still lives.
    Hung,
}

impl Exit {
    /// Makes the exit of a run that returned an error, and drops that error: both run code of the
    /// user's, which may panic.
    pub(crate) fn of_error(error: BoxError) -> Self {
        let rendered = catch_blocking(move || {
            let chain = ErrorChain::new(&*error);
            drop(error);
            chain
        });
        match rendered {
            Ok(chain) => Self::Failed(chain),
            Err(panic) => Self::Panicked(panic),
        }
    }

    /// Tells whether a `Transient` child is restarted after this exit.
    ///
    /// As in OTP, `normal` and `shutdown` are the only good ends. A meltdown is abnormal here,
    /// where OTP's supervisors exit with `shutdown`: a subtree that could not be kept alive has
    /// failed.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown)
    }

    /// Returns the kind as a stable lower-case word, for labels and machine-readable output.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Shutdown => "shutdown",
            Self::Failed(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::Killed => "killed",
            Self::StartTimedOut => "start_timed_out",
            Self::Meltdown => "meltdown",
            Self::Hung => "hung",
        }
    }

    /// Every code that [`Exit::code`] can return, in a fixed order.
    pub const CODES: [&'static str; 8] = [
        "normal",
        "shutdown",
        "failed",
        "panicked",
        "killed",
        "start_timed_out",
        "meltdown",
        "hung",
    ];
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("finished"),
            Self::Shutdown => f.write_str("shut down"),
            Self::Failed(chain) => write!(f, "failed: {chain}"),
            Self::Panicked(panic) => write!(f, "panicked: {panic}"),
            Self::Killed => f.write_str("killed"),
            Self::StartTimedOut => f.write_str("did not start in time"),
            Self::Meltdown => f.write_str("restarted its children too often"),
            Self::Hung => f.write_str("hung: it neither stops nor dies"),
        }
    }
}

/// An error and its sources, as text, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorChain(Arc<[Box<str>]>);

impl ErrorChain {
    /// How many sources are kept; a chain that loops must not hang the child that reports it.
    const MAX_SOURCES: usize = 32;

    /// Renders an error and its sources.
    #[must_use]
    pub fn new(error: &(dyn std::error::Error + 'static)) -> Self {
        let sources = std::iter::successors(Some(error), |error| error.source());
        Self(
            sources
                .take(Self::MAX_SOURCES)
                .map(|error| error.to_string().into_boxed_str())
                .collect(),
        )
    }

    /// Makes a chain of one message.
    #[must_use]
    pub fn message(text: impl Into<String>) -> Self {
        Self(Arc::from([text.into().into_boxed_str()]))
    }

    /// Iterates over the messages, outermost first.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|message| &**message)
    }
}

impl fmt::Display for ErrorChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, message) in self.0.iter().enumerate() {
            if depth > 0 {
                f.write_str(": ")?;
            }
            f.write_str(message)?;
        }
        Ok(())
    }
}

/// What a panic said, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panic {
    /// The panic's message, or a stand-in when its payload was not text.
    pub message: Arc<str>,
    /// Where it was raised; `None` when a panic hook installed later by somebody else hides it.
    pub location: Option<Location>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} at {location}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A place in the source code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file as the compiler saw it.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 1.
    pub column: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorChain, Exit};

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn a_chain_names_every_source_once() {
        let Err(inner) = "x".parse::<u8>() else {
            panic!("x is not a number")
        };
        let chain = ErrorChain::new(&Outer(inner));
        assert_eq!(chain.to_string(), "outer: invalid digit found in string");
    }

    #[test]
    fn only_normal_and_shutdown_are_good_ends() {
        let good: Vec<_> = [
            Exit::Normal,
            Exit::Shutdown,
            Exit::Killed,
            Exit::Meltdown,
            Exit::StartTimedOut,
        ]
        .into_iter()
        .filter(|exit| !exit.is_abnormal())
        .collect();
        assert_eq!(good, [Exit::Normal, Exit::Shutdown]);
    }
}
