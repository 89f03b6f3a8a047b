//! What follows when a child was restarted once too often.

/// Says what a limit on restarts does when it is reached.
///
/// A limit is a supervisor's intensity, a child's own `limit`, or the attempts of its backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnLimit {
    /// The supervisor stops its children in reverse order and ends with
    /// [`Exit::Meltdown`](crate::exit::Exit); its own supervisor decides. At the root the tree ends.
    /// The default of an intensity, as in OTP, and of a child's own limit in a group.
    Escalate,
    /// The child stays down until somebody releases it; everything else goes on.
    ///
    /// The default of a child's own limit and attempts. Not in `one_for_all` and `rest_for_one`,
    /// where children can't do without each other.
    Quarantine,
    /// The restart waits until the limit admits it: nothing is ever given up.
    Throttle,
}
