//! What the thread that reloads is asked for: each wish once, however often it comes.
//!
//! No queue, because one that is full loses whatever comes next, and that may be a signal or the end.
//!
//! # Invariants
//!
//! 1. A wish that was taken in is carried out after that moment, or whoever waits for an answer is told
//!    that nobody reloads any more.
//! 2. Nobody who wishes is made to wait, and what is kept is bounded: a mark for each meaning, and
//!    [`MOST_WAITING`] who want an answer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::live::ReloadError;
use super::problem::ConfigError;
use super::reload::{Cause, Reloaded};
use super::watch::Hint;
use crate::sync::{Mutex, lock};

/// How many may wait for an answer: each is answered in milliseconds, and more than a few are a mistake.
const MOST_WAITING: usize = 64;

/// Who waits for what a reload comes to.
type Waiting = oneshot::Sender<Result<Reloaded, ConfigError>>;

/// Where wishes are told. Clones speak to the same thread.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    wishes: Arc<Mutex<Wishes>>,
    /// Has room for one: a bell that has rung need not ring again.
    bell: SyncSender<()>,
}

/// Where they are heard; when this is dropped nobody hears them any more.
#[derive(Debug)]
pub(super) struct Hearing {
    wishes: Arc<Mutex<Wishes>>,
    bell: Receiver<()>,
}

/// Everything that was asked for since it was last taken.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Whether to end; also whether that has been done.
    pub(super) is_over: bool,
    /// Why to reload, each reason once, in the order in which they came.
    pub(super) reloads: Vec<Reload>,
    /// What was seen of files, each once, in the order in which they came.
    pub(super) hints: Vec<Hint>,
    waiting: usize,
}

/// A reload that is asked for.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) cause: Cause,
    pub(super) waiting: Vec<Waiting>,
}

/// Makes the two ends.
pub(super) fn requests() -> (Requests, Hearing) {
    let wishes = Arc::<Mutex<Wishes>>::default();
    let (bell, is_rung) = sync_channel(1);
    let hearing = Hearing {
        wishes: Arc::clone(&wishes),
        bell: is_rung,
    };
    (Requests { wishes, bell }, hearing)
}

impl Requests {
    /// Asks for a reload.
    ///
    /// # Errors
    ///
    /// [`ReloadError::Ended`]; [`ReloadError::Busy`] for who wants an answer and finds too many before.
    pub(super) fn reload(&self, cause: Cause, waiting: Option<Waiting>) -> Result<(), ReloadError> {
        self.wish(|wishes| wishes.reload(cause, waiting))
    }

    /// Tells what was seen of a file.
    pub(super) fn hint(&self, hint: Hint) {
        let told = self.wish(|wishes| {
            if !wishes.hints.contains(&hint) {
                wishes.hints.push(hint);
            }
            Ok(())
        });
        // Nobody looks at files any more when this fails.
        drop(told);
    }

    /// Asks for the end.
    pub(super) fn stop(&self) {
        let asked = self.wish(|wishes| {
            wishes.is_over = true;
            Ok(())
        });
        // It has ended when this fails.
        drop(asked);
    }

    fn wish(
        &self,
        add: impl FnOnce(&mut Wishes) -> Result<(), ReloadError>,
    ) -> Result<(), ReloadError> {
        {
            let mut wishes = lock(&self.wishes);
            if wishes.is_over {
                return Err(ReloadError::Ended);
            }
            add(&mut wishes)?;
        }
        // Fails when it has rung and was not heard yet: then this wish is found as well.
        let _has_rung = self.bell.try_send(());
        Ok(())
    }
}

impl Wishes {
    fn reload(&mut self, cause: Cause, waiting: Option<Waiting>) -> Result<(), ReloadError> {
        if waiting.is_some() {
            if self.waiting >= MOST_WAITING {
                return Err(ReloadError::Busy);
            }
            self.waiting += 1;
        }
        let known = self.reloads.iter_mut().find(|known| known.cause == cause);
        match known {
            Some(known) => known.waiting.extend(waiting),
            None => self.reloads.push(Reload {
                cause,
                waiting: waiting.into_iter().collect(),
            }),
        }
        Ok(())
    }
}

impl Hearing {
    /// Waits for a wish, for so long at most, and takes all that there are.
    pub(super) fn wait(&self, patience: Duration) -> Wishes {
        // What has been asked for is seen whether the bell has rung or not.
        let _is_rung = self.bell.recv_timeout(patience);
        let mut wishes = lock(&self.wishes);
        let is_over = wishes.is_over;
        let taken = std::mem::take(&mut *wishes);
        wishes.is_over = is_over;
        taken
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let left = {
            let mut wishes = lock(&self.wishes);
            let left = std::mem::take(&mut *wishes);
            wishes.is_over = true;
            left
        };
        // Outside the lock: who waits is woken by it.
        drop(left);
    }
}

#[cfg(test)]
mod tests;
