//! When a handler counts as stuck, and what follows.

use std::time::Duration;

/// How long a handler may run when nothing was set: far beyond what a message should take, and early
/// enough that somebody still wonders.
pub const DEFAULT_STUCK_AFTER: Duration = Duration::from_secs(10);

/// Says what follows when a handler of the child runs too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnStuck {
    /// It is logged, published and counted. The default.
    #[default]
    Report,
    /// A handler that awaits is dropped, and the child restarts by its type. One that blocks its thread
    /// can't be dropped and is reported.
    Restart,
    /// The whole tree shuts down with the reason `Error`; a daemon then ends its process with exit
    /// code 70, so that whoever supervises the process starts a new one.
    EndProcess,
}
