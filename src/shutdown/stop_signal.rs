//! How one run of a child is asked to stop, and puts its deadline off.
//!
//! # Invariants
//!
//! 1. A deadline only ever moves to an earlier instant, unless the child itself puts it off within
//!    what its supervisor allows: nobody else's time is spent by that.
//! 2. Hearing of a stop needs nothing but the child's own [`StopSignal`]; neither the mailbox nor
//!    the supervisor has to make progress for it.
//! 3. No run is told a later instant than the supervisors above it have, also one that was asked to
//!    stop before them and whose supervisor has not got round to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Notify, lock};

/// Asks one run of a child to stop, with the instant by which it must have.
///
/// A stop may be preceded by a drain, in which the child finishes what it has accepted: it knows
/// its deadline from then on, and is asked to stop only when a request follows.
#[derive(Debug, Default)]
pub(crate) struct StopSignal {
    asked: Mutex<Option<Asked>>,
    /// Whether anything was: those below ask at each decision.
    is_asked: AtomicBool,
    notify: Notify,
    /// The run of the supervisor above; the root has none.
    above: Option<Arc<dyn Signalled>>,
}

/// What has a stop signal.
pub(crate) trait Signalled: fmt::Debug + Send + Sync {
    /// Returns it.
    fn signal(&self) -> &StopSignal;
}

/// What a run has been told.
#[derive(Debug, Clone, Copy)]
struct Asked {
    deadline: Instant,
    /// To when the child may put the deadline off.
    latest: Instant,
    /// False while it drains.
    is_requested: bool,
}

impl StopSignal {
    /// Makes the signal of a run below another.
    pub(crate) fn below(above: Option<Arc<dyn Signalled>>) -> Self {
        Self {
            above,
            ..Self::default()
        }
    }

    fn above(&self) -> Option<&Self> {
        self.above.as_ref().map(|above| above.signal())
    }

    /// Returns the earliest deadline of those above (invariant 3).
    pub(crate) fn bound(&self) -> Option<Instant> {
        let lines = std::iter::successors(self.above(), |signal| signal.above());
        lines.filter_map(Self::own_deadline).min()
    }

    fn own_deadline(&self) -> Option<Instant> {
        match self.is_asked.load(Ordering::Acquire) {
            true => lock(&self.asked).map(|asked| asked.deadline),
            false => None,
        }
    }

    /// Asks for a stop by `deadline`, which the child may put off to `latest`; an earlier deadline
    /// given before stays (invariant 1).
    pub(crate) fn request(&self, deadline: Instant, latest: Instant) {
        self.tell(deadline, latest, true);
    }

    /// Says that the run is to end by `deadline` once it has finished what it has accepted.
    ///
    /// [`deadline`](Self::deadline) answers from now on, [`requested`](Self::requested) goes on
    /// waiting until a [`request`](Self::request) follows.
    pub(crate) fn drain(&self, deadline: Instant, latest: Instant) {
        self.tell(deadline, latest, false);
    }

    fn tell(&self, deadline: Instant, latest: Instant, is_requested: bool) {
        {
            let mut asked = lock(&self.asked);
            let known = asked.unwrap_or(Asked {
                deadline,
                latest,
                is_requested,
            });
            *asked = Some(Asked {
                deadline: known.deadline.min(deadline),
                latest: known.latest.min(latest),
                is_requested: known.is_requested || is_requested,
            });
            self.is_asked.store(true, Ordering::Release);
        }
        self.notify.notify_waiters();
    }

    /// Puts the deadline off by `by`, as far as that is allowed. Returns the instant granted and
    /// whether it is a new one; `None` before a stop was asked for.
    pub(crate) fn extend(&self, by: Duration) -> Option<(Instant, bool)> {
        let bound = self.bound();
        let mut asked = lock(&self.asked);
        let asked = asked.as_mut()?;
        if let Some(bound) = bound {
            asked.deadline = asked.deadline.min(bound);
            asked.latest = asked.latest.min(bound);
        }
        let wanted = asked.deadline.checked_add(by).unwrap_or(asked.latest);
        let granted = wanted.min(asked.latest).max(asked.deadline);
        let is_new = granted > asked.deadline;
        asked.deadline = granted;
        Some((granted, is_new))
    }

    /// Allows no more extensions.
    pub(crate) fn close(&self) {
        if let Some(asked) = lock(&self.asked).as_mut() {
            asked.latest = asked.deadline;
        }
    }

    /// Returns the deadline, once a drain or a stop was asked for.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = self.own_deadline()?;
        Some(self.bound().map_or(own, |bound| own.min(bound)))
    }

    /// Waits until a stop is asked for and returns its deadline.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped: it reads a state, it takes no message.
    pub(crate) async fn requested(&self) -> Instant {
        loop {
            let notified = self.notify.notified();
            let asked = *lock(&self.asked);
            if let Some(asked) = asked.filter(|asked| asked.is_requested) {
                return self.deadline().unwrap_or(asked.deadline);
            }
            notified.await;
        }
    }

    /// Returns the deadline if it is earlier than `known`, or if none was known.
    pub(crate) fn deadline_before(&self, known: Option<Instant>) -> Option<Instant> {
        let deadline = self.deadline()?;
        known
            .is_none_or(|known| deadline < known)
            .then_some(deadline)
    }

    /// Waits until the deadline is earlier than `known` (or is there at all) and returns it.
    pub(crate) async fn earlier_than(&self, known: Option<Instant>) -> Instant {
        loop {
            let notified = self.notify.notified();
            if let Some(deadline) = self.deadline_before(known) {
                return deadline;
            }
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Signalled, StopSignal};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::Instant;

    impl Signalled for StopSignal {
        fn signal(&self) -> &Self {
            self
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_never_moves_to_a_later_instant() {
        let signal = StopSignal::default();
        let early = Instant::now() + Duration::from_secs(1);
        signal.request(early, early);
        signal.request(early + Duration::from_secs(1), early);
        assert_eq!(signal.requested().await, early);
        signal.request(early - Duration::from_millis(1), early);
        assert_eq!(
            signal.earlier_than(Some(early)).await,
            early - Duration::from_millis(1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_extension_is_granted_as_far_as_the_siblings_reserves_allow() {
        let signal = StopSignal::default();
        let deadline = Instant::now() + Duration::from_secs(1);
        let second = Duration::from_secs(1);
        assert_eq!(signal.extend(second), None);
        signal.request(deadline, deadline + second);
        assert_eq!(
            signal.extend(second / 2),
            Some((deadline + second / 2, true))
        );
        assert_eq!(signal.extend(second), Some((deadline + second, true)));
        assert_eq!(signal.extend(second), Some((deadline + second, false)));
        signal.request(deadline, deadline);
        assert_eq!(signal.extend(Duration::MAX), Some((deadline, false)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_tells_the_deadline_and_only_a_request_asks_for_the_stop() {
        let signal = StopSignal::default();
        let late = Instant::now() + Duration::from_secs(2);
        signal.drain(late, late);
        assert_eq!(signal.deadline(), Some(late));
        let waited = tokio::time::timeout(Duration::from_secs(1), signal.requested()).await;
        assert!(waited.is_err(), "a drain is no request");
        signal.request(late + Duration::from_secs(1), late);
        assert_eq!(signal.requested().await, late);
        signal.drain(late - Duration::from_millis(1), late);
        assert_eq!(signal.requested().await, late - Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_told_a_later_instant_than_those_above() {
        let root = Arc::<StopSignal>::default();
        let between = Arc::new(StopSignal::below(Some(Arc::clone(&root) as _)));
        let leaf = StopSignal::below(Some(Arc::clone(&between) as _));
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        leaf.request(now + 5 * second, now + 9 * second);
        assert_eq!(leaf.deadline(), Some(now + 5 * second));
        root.request(now + 2 * second, now + 2 * second);
        assert_eq!(leaf.deadline(), Some(now + 2 * second));
        assert_eq!(leaf.extend(second), Some((now + 2 * second, false)));
        assert_eq!(between.deadline(), None, "its turn has not come");
    }
}
