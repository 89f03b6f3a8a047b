//! Work outside of the tree that its shutdown has to wait for.
//!
//! A [`ShutdownHandle`] goes to whatever is no child: a thread of the program's, a callback of a library.
//! It says when the shutdown begins, asks for one, and hands out guards: the tree ends only when they are
//! given back, or its time is over; then the report names who still had one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{EarlyNotice, Shutdown};
use crate::sync::{Mutex, Notify, lock};

/// A tree's shutdown as work outside of the tree sees it. Clones speak of the same tree.
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    notice: EarlyNotice,
}

impl ShutdownHandle {
    pub(crate) fn new(notice: &EarlyNotice) -> Self {
        Self {
            notice: notice.clone(),
        }
    }

    /// Waits until the shutdown begins.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped; a later call returns at once.
    pub async fn began(&self) -> Shutdown {
        self.notice.begun().await
    }

    /// Returns the shutdown once it has begun: why, and by when the tree has ended.
    #[must_use]
    pub fn shutdown(&self) -> Option<Shutdown> {
        self.notice.get()
    }

    /// Tells whether it has begun.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.notice.get().is_some()
    }

    /// Returns how much time is left; `None` before it has begun.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.notice.get()?.deadline;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Asks for the shutdown, as SIGTERM does of a daemon. Before the tree has begun it is asked for as soon
    /// as there is one; again, it does nothing.
    pub fn request(&self) {
        self.notice.wishes().wish();
    }

    /// Makes the end of the tree wait until what is returned is dropped, or its time is over. The report
    /// names it.
    pub fn guard(&self, name: impl Into<Arc<str>>) -> ShutdownGuard {
        let guards = self.notice.guards();
        let mut held = lock(&guards.held);
        held.last += 1;
        let number = held.last;
        held.present.insert(number, (name.into(), Instant::now()));
        ShutdownGuard {
            notice: self.notice.clone(),
            number,
        }
    }

    /// Returns who has a guard now, and for how long, in the order in which they were taken.
    #[must_use]
    pub fn guards(&self) -> Vec<(Arc<str>, Duration)> {
        let held = lock(&self.notice.guards().held);
        let present = held.present.values();
        present
            .map(|(name, since)| (Arc::clone(name), since.elapsed()))
            .collect()
    }
}

/// Keeps a tree's end waiting until it is dropped.
#[must_use = "dropping it lets the tree end"]
pub struct ShutdownGuard {
    notice: EarlyNotice,
    number: u64,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        let guards = self.notice.guards();
        {
            let mut held = lock(&guards.held);
            let gone = held.present.remove(&self.number);
            if let (Some((name, since)), Some(began)) = (gone, held.began) {
                held.released.push(GuardReport {
                    name,
                    spent: since.max(began).elapsed(),
                    is_released: true,
                });
            }
        }
        guards.changed.notify_waiters();
    }
}

impl fmt::Debug for ShutdownGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownGuard").finish_non_exhaustive()
    }
}

/// What a stop report says of a guard that was held when the shutdown began, or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardReport {
    /// The name that it was taken with.
    pub name: Arc<str>,
    /// For how long it was held from the beginning of the shutdown on.
    pub spent: Duration,
    /// Whether it was given back in time.
    pub is_released: bool,
}

/// The guards of one tree.
#[derive(Debug, Default)]
pub(super) struct Guards {
    held: Mutex<Held>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    present: BTreeMap<u64, (Arc<str>, Instant)>,
    began: Option<Instant>,
    /// Since the shutdown began.
    released: Vec<GuardReport>,
}

impl Guards {
    /// Counts from now on who holds the end.
    pub(super) fn begin(&self) {
        lock(&self.held).began.get_or_insert_with(Instant::now);
    }

    pub(super) fn are_held(&self) -> bool {
        !lock(&self.held).present.is_empty()
    }

    /// Waits until all are given back, or the time for that is over, and returns what there is to report.
    pub(super) async fn released(&self, is_over: impl Future<Output = ()>) -> Vec<GuardReport> {
        self.begin();
        let all = async {
            loop {
                let changed = self.changed.notified();
                if !self.are_held() {
                    return;
                }
                changed.await;
            }
        };
        tokio::select! {
            biased;
            () = all => {}
            // Who still has one is named.
            () = is_over => {}
        }
        let held = lock(&self.held);
        let mut report = held.released.clone();
        let began = held.began.unwrap_or_else(Instant::now);
        report.extend(held.present.values().map(|(name, since)| GuardReport {
            name: Arc::clone(name),
            spent: (*since).max(began).elapsed(),
            is_released: false,
        }));
        report
    }
}

/// Wishes that the tree shuts down, from whoever has a handle.
#[derive(Default)]
pub(super) struct Wishes(Mutex<Wish>);

#[derive(Default)]
struct Wish {
    is_wished: bool,
    grant: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Wishes {
    fn wish(&self) {
        let grant = {
            let mut wish = lock(&self.0);
            match std::mem::replace(&mut wish.is_wished, true) {
                true => None,
                false => wish.grant.clone(),
            }
        };
        if let Some(grant) = grant {
            grant();
        }
    }

    /// Sets who grants wishes; only the first is ever asked. What was wished before is granted at once.
    pub(super) fn grant_with(&self, grant: impl Fn() + Send + Sync + 'static) {
        let grant: Arc<dyn Fn() + Send + Sync> = Arc::new(grant);
        let is_due = {
            let mut wish = lock(&self.0);
            if wish.grant.is_some() {
                return;
            }
            wish.grant = Some(Arc::clone(&grant));
            wish.is_wished
        };
        if is_due {
            grant();
        }
    }
}

impl fmt::Debug for Wishes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wishes")
    }
}
