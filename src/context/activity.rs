//! What a run's own code is in the middle of, and since when: written by the run in passing, read by the
//! watchdog.
//!
//! Every message of an actor passes here, so it is two plain stores and the reading of a coarse clock. No
//! store orders anything: the reader looks again before it says something.
//!
//! # Invariants
//!
//! 1. The mark has one writer at a time: the task of the run.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::coarse;

/// What a run may be in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// What nobody watches.
    Unwatched = 0,
    /// The body of a task, worker or step: marked while it is polled.
    Body = 1,
    /// `post_start` of an actor.
    PostStart = 2,
    /// `handle` of an actor.
    Handle = 3,
    /// `handle_supervisor_evt` of an actor.
    Supervision = 4,
    /// `post_stop` of an actor.
    PostStop = 5,
}

impl Hook {
    /// Returns what the user calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unwatched | Self::Body => "body",
            Self::PostStart => "post_start",
            Self::Handle => "handle",
            Self::Supervision => "handle_supervisor_evt",
            Self::PostStop => "post_stop",
        }
    }

    fn of(bits: u64) -> Self {
        match bits {
            1 => Self::Body,
            2 => Self::PostStart,
            3 => Self::Handle,
            4 => Self::Supervision,
            5 => Self::PostStop,
            _ => Self::Unwatched,
        }
    }
}

/// Set while the code is being polled: it has a thread.
const POLLED: u64 = 1;

/// Where the hook stands in a mark, and below what.
const HOOK_SHIFT: u32 = 1;

/// Where the instant stands; 55 bits of milliseconds.
const SINCE_SHIFT: u32 = 9;

/// A hook and the instant of its first poll; nothing before that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun(u64);

impl Begun {
    pub(crate) const fn not_yet(hook: Hook) -> Self {
        Self((hook as u64) << HOOK_SHIFT)
    }
}

/// What one run is in the middle of.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    mark: AtomicU64,
    alive: AtomicU64,
}

/// A mark as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) hook: Hook,
    /// By the coarse clock.
    pub(crate) since: u64,
    pub(crate) is_polled: bool,
}

impl Activity {
    /// Says that a poll begins.
    #[inline]
    pub(crate) fn enter(&self, begun: &mut Begun) {
        if begun.0 == 0 {
            return;
        }
        if begun.0 >> SINCE_SHIFT == 0 {
            begun.0 |= coarse() << SINCE_SHIFT;
        }
        self.mark.store(begun.0 | POLLED, Ordering::Relaxed);
    }

    /// Says that a poll is over, and whether the future goes on.
    #[inline]
    pub(crate) fn leave(&self, begun: &mut Begun, goes_on: bool) {
        if begun.0 == 0 {
            return;
        }
        let is_body = begun.0 >> HOOK_SHIFT & 0xff == Hook::Body as u64;
        if is_body {
            // It may wait for ever, and that is its business.
            *begun = Begun::not_yet(Hook::Body);
        }
        let after = if goes_on && !is_body { begun.0 } else { 0 };
        self.mark.store(after, Ordering::Relaxed);
    }

    /// Says that the code makes progress.
    pub(crate) fn set_alive(&self) {
        self.alive.store(coarse(), Ordering::Relaxed);
    }

    /// Returns when it last said so; 0 for never.
    pub(crate) fn alive(&self) -> u64 {
        self.alive.load(Ordering::Relaxed)
    }

    /// Returns what it is in the middle of; `None` between two hooks.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let mark = self.mark.load(Ordering::Relaxed);
        (mark != 0).then_some(Mark {
            hook: Hook::of(mark >> HOOK_SHIFT & 0xff),
            since: mark >> SINCE_SHIFT,
            is_polled: mark & POLLED != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, Begun, Hook};

    #[test]
    fn a_hook_is_marked_from_its_first_poll_to_its_end_and_a_body_while_it_is_polled() {
        let activity = Activity::default();
        let read = || activity.mark().map(|mark| (mark.hook, mark.is_polled));
        for hook in [
            Hook::PostStart,
            Hook::Handle,
            Hook::Supervision,
            Hook::PostStop,
        ] {
            let mut begun = Begun::not_yet(hook);
            assert_eq!(read(), None);
            activity.enter(&mut begun);
            assert_eq!(read(), Some((hook, true)));
            activity.leave(&mut begun, true);
            assert_eq!(read(), Some((hook, false)), "it awaits");
            activity.enter(&mut begun);
            activity.leave(&mut begun, false);
        }
        let mut body = Begun::not_yet(Hook::Body);
        activity.enter(&mut body);
        assert_eq!(read(), Some((Hook::Body, true)));
        activity.leave(&mut body, true);
        assert_eq!(read(), None);
        let mut subtask = Begun::not_yet(Hook::Unwatched);
        activity.enter(&mut subtask);
        assert_eq!(read(), None);
    }
}
