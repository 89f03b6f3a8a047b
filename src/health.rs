//! How a child that runs is doing, beyond that it runs: what it says of itself, and what checks find.
//!
//! A child pushes what it knows (`cx.health().degraded("..")`), a check of its declaration is asked again
//! and again; the worse of the two is how it is. What follows from a failure is the declaration's
//! choice ([`OnFailed`]), and what readiness makes of the child is, too ([`Need`]). All of it is kept by
//! the run: another run begins well.

mod check;
mod tally;

use std::fmt;
use std::sync::Arc;

pub use self::check::{
    DEFAULT_CHECK_FAILURES, DEFAULT_CHECK_SUCCESSES, DEFAULT_CHECK_TIMEOUT, HealthCheck,
};
pub(crate) use self::tally::Tally;

/// How a child that runs is doing. Ordered: what is worse is greater.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Well.
    #[default]
    Ok,
    /// It does its work, but not as it should; for this reason.
    Degraded(Arc<str>),
    /// It does not do its work, for this reason.
    Failed(Arc<str>),
}

impl Health {
    /// Every code that [`code`](Self::code) can return, from good to bad.
    pub const CODES: [&'static str; 3] = ["ok", "degraded", "failed"];

    /// Returns the case as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded(_) => "degraded",
            Self::Failed(_) => "failed",
        }
    }

    /// Returns why it is not well; `None` where it is.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Degraded(reason) | Self::Failed(reason) => Some(reason),
        }
    }

    /// Tells whether the child does not do its work.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}: {reason}", self.code()),
            None => f.write_str(self.code()),
        }
    }
}

/// What follows when a child is [`Failed`](Health::Failed). Being degraded is only ever reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnFailed {
    /// An event, a metric, the log; nothing else.
    Report,
    /// The program is not ready for as long as it lasts, if it needs the child.
    #[default]
    Unready,
    /// The run ends as failed, and what follows is decided as for any other failure: backoff, limits.
    Restart,
}

/// What readiness makes of a child.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Need {
    /// The program is not ready without it.
    #[default]
    Required,
    /// The program does without it, and without all below it.
    Optional,
    /// One of all children of this group has to be up and well.
    OneOf(Arc<str>),
}

/// What is declared of a child beside how it is run: shared, because most declare nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Duty {
    pub(crate) need: Need,
    pub(crate) on_failed: OnFailed,
    pub(crate) unready_until_stable: bool,
    pub(crate) siblings_wait_until_stable: bool,
}

/// How one run is: what it says and what checks find.
#[derive(Debug, Default)]
pub(crate) struct RunHealth {
    pushed: Health,
    pulled: Health,
}

/// Who says how a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The run itself.
    Pushed,
    /// A check.
    Pulled,
}

impl RunHealth {
    /// Takes over what one of the two says; tells whether that changes how the run is.
    pub(crate) fn set(&mut self, source: Source, health: Health) -> bool {
        let before = self.worse().clone();
        match source {
            Source::Pushed => self.pushed = health,
            Source::Pulled => self.pulled = health,
        }
        before != *self.worse()
    }

    /// Returns the worse of the two.
    pub(crate) fn worse(&self) -> &Health {
        (&self.pushed).max(&self.pulled)
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, RunHealth, Source};

    #[test]
    fn the_worse_of_what_is_said_and_what_is_found_counts() {
        let degraded = || Health::Degraded("slow".into());
        let failed = || Health::Failed("no disk".into());
        let mut run = RunHealth::default();
        assert!(run.set(Source::Pushed, degraded()));
        assert!(run.set(Source::Pulled, failed()));
        assert_eq!(*run.worse(), failed());
        assert!(
            !run.set(Source::Pushed, Health::Ok),
            "the check still fails"
        );
        assert!(!run.set(Source::Pushed, Health::Ok));
        assert!(run.set(Source::Pulled, Health::Ok));
        assert_eq!((run.worse().code(), run.worse().reason()), ("ok", None));
        assert_eq!(failed().to_string(), "failed: no disk");
    }
}
