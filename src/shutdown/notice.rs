//! How a whole tree, and work outside of it, hears at once that its shutdown has begun.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::Shutdown;
use super::guard::{GuardReport, Guards, Wishes};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Notify, lock};

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
    /// For the edges of a daemon: on a thread of their own, and so roused after the tree.
    outside: Notify,
    guards: Guards,
    wishes: Wishes,
}

impl EarlyNotice {
    /// Announces the shutdown, or brings its deadline forward. Tells whether it is the first announcement.
    pub(crate) fn announce(&self, shutdown: Shutdown) -> bool {
        let first = self.note(shutdown);
        self.tell();
        self.tell_outside();
        first
    }

    /// The same for those who ask; those who wait hear of it by [`tell`](Self::tell) and
    /// [`tell_outside`](Self::tell_outside), which are to follow.
    pub(crate) fn note(&self, shutdown: Shutdown) -> bool {
        let first = {
            let mut begun = lock(&self.shared.begun);
            let first = begun.is_none();
            let known = begun.get_or_insert(shutdown);
            known.deadline = known.deadline.min(shutdown.deadline);
            self.shared.is_begun.store(true, Ordering::Release);
            first
        };
        self.shared.guards.begin();
        first
    }

    /// Tells everybody who waits for it, but for the edges of a daemon.
    pub(crate) fn tell(&self) {
        self.shared.notify.notify_waiters();
    }

    /// Tells the edges.
    pub(crate) fn tell_outside(&self) {
        self.shared.outside.notify_waiters();
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

    /// Returns the work outside of the tree that holds its end.
    pub(super) fn guards(&self) -> &Guards {
        &self.shared.guards
    }

    /// Returns what such work wishes.
    pub(super) fn wishes(&self) -> &Wishes {
        &self.shared.wishes
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
        self.begun_as_told_by(&self.shared.notify).await
    }

    /// The same, for the edges of a daemon.
    #[cfg(any(feature = "daemon", test))]
    pub(crate) async fn begun_outside(&self) -> Shutdown {
        self.begun_as_told_by(&self.shared.outside).await
    }

    async fn begun_as_told_by(&self, notify: &Notify) -> Shutdown {
        loop {
            // Registered before the check: an announcement between the two is not missed.
            let notified = notify.notified();
            if let Some(shutdown) = self.get() {
                return shutdown;
            }
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::EarlyNotice;
    use crate::shutdown::{Shutdown, ShutdownReason};

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
