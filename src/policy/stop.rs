//! How a child is asked to stop, and how long it may take.

use std::time::Duration;

/// How long a leaf may take to stop when nothing was set. OTP's default for workers.
pub const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a leaf may take to start when nothing was set.
///
/// Long enough to open a large database, short enough that an operator still watches.
pub const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a shutdown is kept back for each leaf whose turn has not come.
///
/// Enough for a task to see the request and return; a child that needs more says so by hand.
pub const DEFAULT_STOP_RESERVE: Duration = Duration::from_millis(100);

/// Says how a child is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Stop {
    /// It hears of the stop ahead of its mailbox; what is queued is lost. The default.
    #[default]
    Ask,
    /// It accepts no more messages and handles what is queued. When nothing but its stop reserve is
    /// left of its time, that becomes `Ask`. For actors and workers.
    Drain,
    /// It is dropped at its next await, at once. Its `post_stop` does not run, and the stop report
    /// calls it stopped, because that is what was declared. Not for threads, which can't be killed.
    ///
    /// Source: OTP's `brutal_kill`.
    Brutal,
}

/// Says what follows when a child neither stops nor dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnHung {
    /// It is marked, logged and published; the rest of the tree goes on. The default.
    #[default]
    Report,
    /// The whole tree shuts down with the reason `Error`; a daemon then ends its process with exit
    /// code 70, so that whoever supervises the process starts a new one.
    EndProcess,
}
