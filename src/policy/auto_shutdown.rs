//! Whether a supervisor ends by itself when its significant children have.

/// Says whether a supervisor stops once significant children have ended for good.
///
/// A significant child ends for good when it exits and is not restarted: a `Temporary` one always, a
/// `Transient` one after a normal exit. A stop by hand is not an end of that sort, and one that is
/// quarantined is waited for: a release brings it back. The supervisor then stops its other children
/// in reverse order and exits with [`Exit::Shutdown`](crate::exit::Exit); at the root the tree is
/// completed.
///
/// Source: OTP 24's `supervisor`, auto-shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AutoShutdown {
    /// Never. Significant children are refused.
    #[default]
    Never,
    /// When the first significant child has ended.
    AnySignificant,
    /// When the last significant child has ended.
    AllSignificant,
}
