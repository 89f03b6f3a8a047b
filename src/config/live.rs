//! The configuration of a running program: read without waiting, replaced as a whole.
//!
//! # Invariants
//!
//! 1. Only the thread that reloads replaces the snapshot, so versions count up by one. Two snapshots of one
//!    version differ in where their values were written, and in nothing else.
//! 2. A snapshot is marked as replaced after the next one stands in its place: whoever sees the mark finds
//!    that one or a later one.
//!
//! `arc-swap` is used with a lock instead of its default strategy, of which a use after free is reported
//! (arc-swap#210). What that costs is paid once for each change: a hot path has a [`Cached`], which looks
//! at the mark of the snapshot that it has.

mod cached;
mod section;
mod vote;

use std::fmt;
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwapAny;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

pub use self::cached::Cached;
pub use self::section::Section;
pub use self::vote::Vote;
use super::problem::{ConfigError, Invalid};
use super::reload::{Cause, Reloaded};
use super::requests::Requests;
use super::snapshot::{Config, Snapshot};
use crate::sync::{Mutex, lock};

/// The configuration of a running program. Clones speak of the same one.
pub struct Live<C> {
    shared: Arc<Shared<C>>,
}

type Voter<C> = dyn Fn(&Snapshot<C>, &Snapshot<C>) -> Result<(), Invalid> + Send + Sync;

struct Shared<C> {
    current: ArcSwapAny<Arc<Snapshot<C>>, RwLock<()>>,
    versions: watch::Sender<u64>,
    voters: Mutex<Voters<C>>,
    requests: Requests,
}

struct Voters<C> {
    next: u64,
    present: Vec<(u64, Arc<str>, Arc<Voter<C>>)>,
}

impl<C: Config> Live<C> {
    pub(super) fn new(snapshot: Snapshot<C>, requests: Requests) -> Self {
        let version = snapshot.version();
        let shared = Shared {
            current: ArcSwapAny::with_strategy(Arc::new(snapshot), RwLock::new(())),
            versions: watch::Sender::new(version),
            voters: Mutex::new(Voters {
                next: 0,
                present: Vec::new(),
            }),
            requests,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns the configuration as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot<C>> {
        self.shared.current.load_full()
    }

    /// Makes a reader that keeps the snapshot it has seen last, for code that asks often.
    #[must_use]
    pub fn cached(&self) -> Cached<C> {
        Cached {
            snapshot: self.snapshot(),
            live: self.clone(),
        }
    }

    /// Watches what is at or below a dotted key, such as `store` or `logging.level`; an empty one stands
    /// for everything.
    #[must_use]
    pub fn section(&self, key: impl Into<String>) -> Section<C> {
        Section {
            live: self.clone(),
            key: key.into(),
            versions: self.shared.versions.subscribe(),
            seen: self.snapshot(),
        }
    }

    /// Asks for a vote on every change that follows, until what is returned is dropped.
    ///
    /// `vote` is given the configuration that is and the one that would be, on the thread that reloads.
    /// One refusal, or a panic, and everything stays as it is.
    #[must_use = "the vote ends when this is dropped"]
    pub fn vote(
        &self,
        name: impl Into<Arc<str>>,
        vote: impl Fn(&Snapshot<C>, &Snapshot<C>) -> Result<(), Invalid> + Send + Sync + 'static,
    ) -> Vote<C> {
        let mut voters = lock(&self.shared.voters);
        voters.next += 1;
        let number = voters.next;
        voters.present.push((number, name.into(), Arc::new(vote)));
        Vote {
            live: self.clone(),
            number,
        }
    }

    /// Reads the configuration anew and waits until it is in force or refused.
    ///
    /// # Errors
    ///
    /// [`ReloadError`]; nothing has changed then.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the reload still happens.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.reload_for(Cause::Call).await
    }

    /// Does the same for somebody else.
    pub(crate) async fn reload_for(&self, cause: Cause) -> Result<Reloaded, ReloadError> {
        let (reply, answer) = oneshot::channel();
        self.shared.requests.reload(cause, Some(reply))?;
        match answer.await {
            Ok(answer) => answer.map_err(ReloadError::Rejected),
            Err(_ended) => Err(ReloadError::Ended),
        }
    }

    /// Asks for a reload and does not wait. Two of one cause that are asked for before either begins are
    /// one; none is lost.
    ///
    /// # Errors
    ///
    /// [`ReloadError::Ended`].
    pub fn request_reload(&self, cause: Cause) -> Result<(), ReloadError> {
        self.shared.requests.reload(cause, None)
    }

    /// Renders the configuration as it is now with the origin of every value; secrets are not shown.
    #[must_use]
    pub fn effective(&self) -> String {
        self.snapshot().effective()
    }

    /// Watches the version alone.
    #[cfg(feature = "daemon")]
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.shared.versions.subscribe()
    }

    /// Puts another snapshot in the place of the present one, which is returned: its drop is the user's
    /// code, and may panic.
    pub(super) fn replace(&self, snapshot: Snapshot<C>) -> Arc<Snapshot<C>> {
        let version = snapshot.version();
        let replaced = self.shared.current.swap(Arc::new(snapshot));
        replaced.mark_as_replaced();
        self.shared.versions.send_if_modified(|known| {
            let is_new = *known != version;
            *known = version;
            is_new
        });
        replaced
    }

    /// Returns who is to be asked, in the order in which they came.
    pub(super) fn voters(&self) -> Vec<(Arc<str>, Arc<Voter<C>>)> {
        let voters = lock(&self.shared.voters);
        voters
            .present
            .iter()
            .map(|(_, name, vote)| (Arc::clone(name), Arc::clone(vote)))
            .collect()
    }
}

impl<C> Clone for Live<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> fmt::Debug for Live<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("version", &*self.shared.versions.borrow())
            .finish_non_exhaustive()
    }
}

/// Says why a reload changed nothing.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The configuration can't be used.
    #[error("the configuration was rejected, and the one before it stays in force")]
    Rejected(#[source] ConfigError),
    /// The program is ending, or has no thread that reloads.
    #[error("nobody reloads the configuration any more")]
    Ended,
    /// As many as may wait for an answer already do.
    #[error("too many reloads wait already")]
    Busy,
}

impl ReloadError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "config_rejected",
            Self::Ended => "reload_ended",
            Self::Busy => "reload_busy",
        }
    }
}
