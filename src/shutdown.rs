//! The vocabulary of a shutdown: why, until when, and how a child hears of it.
//!
//! A shutdown is a message with priority over everything that is queued, and it carries an absolute
//! deadline. [`plan`] divides the time among children; [`report`] says
//! afterwards who spent it.
//!
//! # Invariants
//!
//! 1. A deadline only ever moves to an earlier instant, unless the child itself puts it off within
//!    what its supervisor allows: nobody else's time is spent by that.
//! 2. Hearing of a stop needs nothing but the child's own `StopSignal`; neither the mailbox nor
//!    the supervisor has to make progress for it.
//! 3. No run is told a later instant than the supervisors above it have, also one that was asked to
//!    stop before them and whose supervisor has not got round to it.

pub mod guard;
pub mod ladder;
pub mod plan;
pub mod report;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::guard::{GuardReport, Guards, Wishes};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Notify, lock};

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

/// The signals that end programs: those that have one number wherever there are signals (POSIX), and those
/// of a program's own with the numbers of Linux.
const NAMES: &[(i32, &str)] = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (6, "SIGABRT"),
    #[cfg(target_os = "linux")]
    (10, "SIGUSR1"),
    #[cfg(target_os = "linux")]
    (12, "SIGUSR2"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
];

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => match NAMES.iter().find(|(known, _)| known == number) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "signal {number}"),
            },
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
    /// Whether there is one: every decision of every supervisor asks.
    is_begun: AtomicBool,
    is_over: AtomicBool,
    notify: Notify,
    guards: Guards,
    wishes: Wishes,
}

impl EarlyNotice {
    /// Announces the shutdown, or brings its deadline forward. Tells whether it is the first announcement.
    pub(crate) fn announce(&self, shutdown: Shutdown) -> bool {
        let first = {
            let mut begun = lock(&self.shared.begun);
            let first = begun.is_none();
            let known = begun.get_or_insert(shutdown);
            known.deadline = known.deadline.min(shutdown.deadline);
            self.shared.is_begun.store(true, Ordering::Release);
            first
        };
        self.shared.guards.begin();
        self.shared.notify.notify_waiters();
        first
    }

    /// Tells whether both speak of the same tree.
    pub(crate) fn is_of_same_tree(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Returns the shutdown if it has begun.
    pub(crate) fn get(&self) -> Option<Shutdown> {
        match self.shared.is_begun.load(Ordering::Acquire) {
            true => *lock(&self.shared.begun),
            false => None,
        }
    }

    /// Tells whether work outside of the tree holds its end.
    pub(crate) fn is_guarded(&self) -> bool {
        self.shared.guards.are_held()
    }

    /// Waits until nothing outside of the tree holds its end, but no longer than until `by`, or a deadline
    /// that is brought forward meanwhile.
    pub(crate) async fn released(&self, by: Instant) -> Vec<GuardReport> {
        let is_over = self.time_is_over(by, Instant::now());
        self.shared.guards.released(is_over).await
    }

    /// Waits until `by`, or the shutdown's deadline where that is earlier or becomes so, but until `least`
    /// in any case.
    pub(crate) async fn time_is_over(&self, by: Instant, least: Instant) {
        loop {
            // Registered before the look: an announcement between the two is not missed.
            let announced = self.shared.notify.notified();
            let deadline = self.get().map_or(by, |shutdown| shutdown.deadline.min(by));
            tokio::select! {
                () = sleep_until(deadline.max(least)) => return,
                () = announced => {}
            }
        }
    }

    /// Sets who shuts the tree down when a handle asks for that; only the first is ever asked.
    pub(crate) fn grant_with(&self, grant: impl Fn() + Send + Sync + 'static) {
        self.shared.wishes.grant_with(grant);
    }

    /// Says that the tree has ended.
    pub(crate) fn end(&self) {
        self.shared.is_over.store(true, Ordering::Release);
    }

    /// Tells whether the shutdown has begun and the tree has not ended yet.
    pub(crate) fn is_under_way(&self) -> bool {
        self.get().is_some() && !self.shared.is_over.load(Ordering::Acquire)
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
    #[cfg(shuttle)]
    mod races;

    use super::{EarlyNotice, Shutdown, ShutdownReason, Signalled, StopSignal};
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
