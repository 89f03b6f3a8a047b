//! A say in every change.

use std::fmt;

use super::Live;
use crate::sync::lock;

/// A vote on every change, until it is dropped.
#[must_use = "the vote ends when this is dropped"]
pub struct Vote<C> {
    pub(super) live: Live<C>,
    pub(super) number: u64,
}

impl<C> Drop for Vote<C> {
    fn drop(&mut self) {
        let removed = {
            let mut voters = lock(&self.live.shared.voters);
            let place = voters
                .present
                .iter()
                .position(|(number, ..)| *number == self.number);
            place.map(|place| voters.present.remove(place))
        };
        // Dropped outside the lock: it holds what the user's closure holds.
        drop(removed);
    }
}

impl<C> fmt::Debug for Vote<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vote").finish_non_exhaustive()
    }
}
