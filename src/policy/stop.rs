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
