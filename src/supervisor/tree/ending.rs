//! How a whole tree comes to its end: it is shut down, or leaves by itself.

use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

use tokio::time::Instant;

use super::Tree;
use crate::bus::Pushed;
use crate::context::Run;
use crate::event::EventKind;
use crate::exit::{Exit, catch_blocking};
use crate::path::Path;
use crate::shutdown::{Shutdown, ShutdownReason};
use crate::sync::lock;
use crate::time::later;

/// The end that a root has come to by itself: it restarted too often, a child did not start, or its work
/// is done. Nobody announces that as a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaving {
    /// How it will have ended.
    pub(crate) exit: Exit,
    /// By when its children have stopped.
    pub(crate) deadline: Instant,
}

/// How far the shutdown of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownProgress {
    /// When it began.
    pub began: Instant,
    /// How long it may take.
    pub budget: Duration,
    /// When it was over; `None` while it goes on.
    pub ended: Option<Instant>,
    /// Whether something was left behind that neither stopped nor died.
    pub has_hung: bool,
}

impl ShutdownProgress {
    /// Returns how long it has taken so far.
    #[must_use]
    pub fn taken(&self) -> Duration {
        let until = self.ended.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.began)
    }
}

impl Tree {
    /// Remembers the thread that beats for the tree.
    pub(crate) fn set_pulse(&self, thread: Thread) {
        self.pulse.get_or_init(|| thread);
    }

    /// Begins the shutdown of the whole tree, or brings its deadline forward.
    pub(crate) fn shut_down(&self, reason: ShutdownReason, budget: Duration) {
        self.ask_to_stop(reason, budget);
        self.tell_outside();
        self.say_what_is_unsaid();
    }

    /// As [`shut_down`](Self::shut_down), but the edges of a daemon are told by [`tell_outside`](Self::tell_outside)
    /// and the log by [`say_what_is_unsaid`](Self::say_what_is_unsaid), which are to follow: the one rouses a
    /// thread, the other may take long.
    pub(crate) fn ask_to_stop(&self, reason: ShutdownReason, budget: Duration) {
        let Some((cell, run)) = self.root.get() else {
            return;
        };
        if cell.has_ended() {
            return;
        }
        let deadline = later(Instant::now(), budget);
        let began = {
            let mut ending = lock(&self.ending);
            let is_first = ending.is_none() && self.early_notice.get().is_none();
            note_shutdown(&mut ending, budget);
            if is_first {
                *lock(&self.unsaid) = Some((reason, budget));
            }
            // Under the lock and before anybody hears of it: what it makes children do comes after it,
            // also when a second caller is faster from here on.
            let kind = EventKind::ShutdownBegan { reason, deadline };
            is_first.then(|| cell.push(&self.events, kind)).flatten()
        };
        self.early_notice.note(Shutdown { reason, deadline });
        // Before anybody else: whoever is roused first has the processor first.
        run.stop().request(deadline, deadline);
        self.early_notice.tell();
        began.into_iter().for_each(Pushed::tell);
    }

    /// Tells the edges of a daemon of a shutdown that has begun, if one has, and lets the pulse beat faster.
    pub(crate) fn tell_outside(&self) {
        if self.early_notice.get().is_none() {
            return;
        }
        self.early_notice.tell_outside();
        if let Some(pulse) = self.pulse.get() {
            pulse.unpark();
        }
    }

    /// Tells whether the log does not say yet that the shutdown has begun.
    #[cfg(feature = "daemon")]
    pub(crate) fn has_unsaid(&self) -> bool {
        lock(&self.unsaid).is_some()
    }

    /// Lets the log say that the shutdown has begun, if it does not yet.
    pub(crate) fn say_what_is_unsaid(&self) {
        let unsaid = lock(&self.unsaid).take();
        if let (Some((reason, budget)), Some((cell, _))) = (unsaid, self.root.get()) {
            let say = || tracing::info!(path = %cell.path(), %reason, ?budget, "shutdown began");
            // It may be the host's subscriber.
            drop(catch_blocking(say));
        }
    }

    /// Notes that a supervisor ends by itself, if it is the root.
    pub(in crate::supervisor) fn note_leaving(
        &self,
        of: &Arc<Run>,
        exit: &Exit,
        deadline: Instant,
    ) {
        let is_root = self.root.get().is_some_and(|(_, run)| Arc::ptr_eq(run, of));
        if is_root {
            let exit = exit.clone();
            self.leaving.send_replace(Some(Leaving { exit, deadline }));
        }
    }

    /// Waits until the root begins to end by itself.
    #[cfg(feature = "daemon")]
    pub(crate) async fn leaves(&self) -> Leaving {
        let mut leaving = self.leaving.subscribe();
        match leaving.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(leaving)) => leaving.clone(),
            // The sender is part of this.
            _ => std::future::pending().await,
        }
    }

    /// Shuts the whole tree down because a child hangs, or is stuck, that must not.
    pub(crate) fn end_process(&self, path: &Path, why: &str) {
        self.shut_down(ShutdownReason::Error, self.budget);
        let say =
            || tracing::error!(%path, "{why}, and declared to end the process: shutting down");
        drop(catch_blocking(say));
    }

    /// Keeps when the shutdown was over.
    pub(crate) fn note_shutdown_over(&self, has_hung: bool) {
        if let Some(progress) = &mut *lock(&self.ending) {
            progress.ended.get_or_insert_with(Instant::now);
            progress.has_hung |= has_hung;
        }
    }

    pub(crate) fn shutdown_progress(&self) -> Option<ShutdownProgress> {
        *lock(&self.ending)
    }
}

/// Keeps when the shutdown began and how long it may take; a later call can only shorten that.
fn note_shutdown(ending: &mut Option<ShutdownProgress>, budget: Duration) {
    let now = Instant::now();
    let progress = ending.get_or_insert(ShutdownProgress {
        began: now,
        budget,
        ended: None,
        has_hung: false,
    });
    let until_then = now.saturating_duration_since(progress.began);
    progress.budget = progress.budget.min(until_then.saturating_add(budget));
}
