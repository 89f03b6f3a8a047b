//! Whether a child that ended comes back, and who goes down with it.

use crate::exit::Exit;

/// Says whether a child is restarted after it ended by itself.
///
/// Source: OTP's `supervisor`, restart types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Restart {
    /// Always, even after a normal end. The default for children that are declared.
    #[default]
    Permanent,
    /// Only after an abnormal exit. The default for steps.
    Transient,
    /// Never; once it ended its specification is removed. The default for children of a dynamic
    /// supervisor.
    Temporary,
}

impl Restart {
    /// Decides whether a child of this type comes back after `exit`.
    #[must_use]
    pub fn wants_restart(self, exit: &Exit) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => exit.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

/// Says which siblings share a child's fate.
///
/// Source: OTP's `supervisor`, restart strategies; `Dynamic` stands for `simple_one_for_one`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Strategy {
    /// Only the child that ended is restarted.
    OneForOne,
    /// All children are stopped in reverse order and started again in order.
    OneForAll,
    /// The child that ended and those started after it.
    RestForOne,
    /// Children are added while it runs and stop all at once; otherwise as `OneForOne`.
    Dynamic,
}

impl Strategy {
    /// Tells whether siblings are restarted together with the child that failed.
    pub(crate) fn is_group(self) -> bool {
        matches!(self, Self::OneForAll | Self::RestForOne)
    }
}
