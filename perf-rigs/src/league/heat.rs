//! Who runs against whom, in which order, and what comes out.
//!
//! A *heat* is one piece of work that several *contenders* do. Each run of a contender is a process of
//! its own, so that no allocator, runtime or leftover task of one is there for the next. A round runs
//! every contender once; the figures of a round are compared with each other and with no others, and
//! the table holds the median over the rounds.

use std::time::Duration;

/// What one run of a contender measured: one figure for each measure of its heat, in their order.
pub(crate) type Figures = Vec<f64>;

/// How much work a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Enough to see whether something broke.
    Quick,
    /// Enough to publish.
    Full,
}

impl Effort {
    /// Returns how many rounds there are.
    pub(crate) fn rounds(self) -> usize {
        match self {
            Self::Quick => 5,
            Self::Full => 11,
        }
    }

    /// Returns a tenth of `most`, or a third: more rounds tell more than longer ones.
    pub(crate) fn of(self, most: usize) -> usize {
        match self {
            Self::Quick => most / 10,
            Self::Full => most / 3,
        }
    }
}

/// What a figure means, and in what unit it is: `ns`, `/s` and `bytes` are known to the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

/// What the ratio of ours to a peer's has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Must {
    AtMost(f64),
    AtLeast(f64),
    /// Shown only.
    Any,
}

/// One library at one piece of work.
#[derive(Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// `None` where what it needs is not installed.
    pub(crate) run: fn(Effort) -> Option<Figures>,
}

/// One piece of work, and who does it.
pub(crate) struct Heat {
    pub(crate) topic: &'static str,
    pub(crate) name: &'static str,
    pub(crate) measures: Vec<Measure>,
    pub(crate) ours: Contender,
    pub(crate) peers: Vec<(Contender, Vec<Must>)>,
}

impl Heat {
    pub(crate) fn contender(&self, name: &str) -> Option<Contender> {
        let peers = self.peers.iter().map(|(peer, _)| *peer);
        std::iter::once(self.ours)
            .chain(peers)
            .find(|contender| contender.name == name)
    }
}

/// All topics, in the order of the table.
pub(crate) fn heats() -> Vec<Heat> {
    [
        crate::restart::heats(),
        crate::tree::heats(),
        crate::shutdown::heats(),
        crate::messages::heats(),
        crate::bus::heats(),
        crate::process::heats(),
        crate::claims::heats(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Converts to a figure in nanoseconds.
pub(crate) fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// Returns the value that a share of all values doesn't exceed; sorts them.
pub(crate) fn percentile(values: &mut [Duration], share: f64) -> f64 {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    // Of a few thousand values: exact in an f64.
    let index = (last as f64 * share).round() as usize;
    values.get(index).copied().map_or(f64::NAN, nanoseconds)
}
