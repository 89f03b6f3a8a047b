//! Timers: what each of them is for, and whom it judges.

use crate::supervisor::children::Key;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::supervisor) enum Timer {
    StartTimeout {
        key: Key,
        incarnation: u64,
    },
    BackoffOver {
        key: Key,
        incarnation: u64,
    },
    DrainOver {
        key: Key,
        incarnation: u64,
    },
    KillAt {
        key: Key,
        incarnation: u64,
    },
    GiveUp {
        key: Key,
        incarnation: u64,
    },
    /// If it stays well, the run is stable.
    StableDue {
        key: Key,
        incarnation: u64,
    },
    /// Nobody waits any longer for the run to be stable.
    StableTimeout {
        key: Key,
        incarnation: u64,
    },
    GroupDue,
}

impl Timer {
    /// Returns the run that is judged by what it has done until then.
    pub(in crate::supervisor) fn verdict_on(self) -> Option<(Key, u64)> {
        match self {
            Self::StartTimeout { key, incarnation }
            | Self::DrainOver { key, incarnation }
            | Self::KillAt { key, incarnation }
            | Self::GiveUp { key, incarnation }
            | Self::StableDue { key, incarnation }
            | Self::StableTimeout { key, incarnation } => Some((key, incarnation)),
            Self::BackoffOver { .. } | Self::GroupDue => None,
        }
    }
}
