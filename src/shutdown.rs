//! The vocabulary of a shutdown: why, until when, and how a child hears of it.
//!
//! A shutdown is a message with priority over everything that is queued, and it carries an absolute
//! deadline. [`plan`] divides the time among children; [`report`] says
//! afterwards who spent it.
//!
//! # Invariants
//!
//! 1. A deadline only ever moves to an earlier instant: whoever was told one is never told a later
//!    one by the same shutdown.
//! 2. Hearing of a stop needs nothing but the child's own `StopSignal`; neither the mailbox nor
//!    the supervisor has to make progress for it.

pub mod plan;
pub mod report;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::sync::{Mutex, lock};

/// How long a shutdown may take when nothing was set.
pub const DEFAULT_SHUTDOWN_BUDGET: Duration = Duration::from_secs(5);

/// Says why a tree shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShutdownReason {
    /// The process received this signal.
    Signal(i32),
    /// The program asked for it.
    Requested,
    /// The root ended by itself, with nothing left to do.
    Completed,
    /// The root restarted its children too often.
    Meltdown,
    /// Something outside the tree failed.
    Error,
    /// A limit on memory, descriptors or threads was reached.
    ResourceExhausted,
}

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Requested => f.write_str("requested"),
            Self::Completed => f.write_str("completed"),
            Self::Meltdown => f.write_str("meltdown"),
            Self::Error => f.write_str("error"),
            Self::ResourceExhausted => f.write_str("resource exhausted"),
        }
    }
}

/// What a shutdown carries down the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Why.
    pub reason: ShutdownReason,
    /// The instant by which the whole tree has ended or is named as hung.
    pub deadline: Instant,
}

/// Tells a whole tree at once that its shutdown has begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct EarlyNotice {
    shared: Arc<NoticeShared>,
}

#[derive(Debug, Default)]
struct NoticeShared {
    begun: Mutex<Option<Shutdown>>,
    notify: Notify,
}

impl EarlyNotice {
    /// Announces the shutdown; only the first announcement is remembered.
    pub(crate) fn announce(&self, shutdown: Shutdown) -> bool {
        let first = {
            let mut begun = lock(&self.shared.begun);
            let first = begun.is_none();
            begun.get_or_insert(shutdown);
            first
        };
        self.shared.notify.notify_waiters();
        first
    }

    /// Returns the shutdown if it has begun.
    pub(crate) fn get(&self) -> Option<Shutdown> {
        *lock(&self.shared.begun)
    }

    /// Waits until the shutdown begins.
    pub(crate) async fn begun(&self) -> Shutdown {
        loop {
            // Registered before the check: an announcement between the two is not missed.
            let notified = self.shared.notify.notified();
            if let Some(shutdown) = self.get() {
                return shutdown;
            }
            notified.await;
        }
    }
}

/// Asks one run of a child to stop, with the instant by which it must have.
#[derive(Debug, Default)]
pub(crate) struct StopSignal {
    deadline: Mutex<Option<Instant>>,
    notify: Notify,
}

impl StopSignal {
    /// Asks for a stop by `deadline`; an earlier deadline given before stays (invariant 1).
    pub(crate) fn request(&self, deadline: Instant) {
        {
            let mut current = lock(&self.deadline);
            *current = Some(current.map_or(deadline, |told| told.min(deadline)));
        }
        self.notify.notify_waiters();
    }

    /// Returns the deadline, once a stop was asked for.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        *lock(&self.deadline)
    }

    /// Waits until a stop is asked for and returns its deadline.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped: it reads a state, it takes no message.
    pub(crate) async fn requested(&self) -> Instant {
        loop {
            let notified = self.notify.notified();
            if let Some(deadline) = self.deadline() {
                return deadline;
            }
            notified.await;
        }
    }

    /// Waits until the deadline is earlier than `known` (or is there at all) and returns it.
    pub(crate) async fn earlier_than(&self, known: Option<Instant>) -> Instant {
        loop {
            let notified = self.notify.notified();
            match (self.deadline(), known) {
                (Some(deadline), None) => return deadline,
                (Some(deadline), Some(known)) if deadline < known => return deadline,
                _ => notified.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EarlyNotice, Shutdown, ShutdownReason, StopSignal};
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_never_moves_to_a_later_instant() {
        let signal = StopSignal::default();
        let early = Instant::now() + Duration::from_secs(1);
        signal.request(early);
        signal.request(early + Duration::from_secs(1));
        assert_eq!(signal.requested().await, early);
        signal.request(early - Duration::from_millis(1));
        assert_eq!(
            signal.earlier_than(Some(early)).await,
            early - Duration::from_millis(1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_announcement_is_the_one_remembered() {
        let notice = EarlyNotice::default();
        let at = |reason| Shutdown {
            reason,
            deadline: Instant::now(),
        };
        assert!(notice.announce(at(ShutdownReason::Signal(15))));
        assert!(!notice.announce(at(ShutdownReason::Requested)));
        assert_eq!(notice.begun().await.reason, ShutdownReason::Signal(15));
    }
}
