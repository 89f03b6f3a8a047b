//! How a child stands: without a run, up, or well for long enough. The one place that knows the last.
//!
//! A run is *stable* once it has been up and well, neither degraded nor failed nor stuck, for
//! `stable_after` without a break; what it takes back within one poll is none. It is so only once: what it says of itself later changes nothing any
//! more, and another run begins anew. Three things follow from that moment, all of them decided in [`decide`](super::decide): the
//! restarts in a row are forgotten, siblings that waited start, and readiness counts the child if it was
//! declared to be counted only then.
//!
//! Plain state, without a timer of its own: there may be 100 000. Nobody has to be told of the moment for
//! it to count: whoever looks at a run that ends finds out whether it came.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::later;

/// How a child stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has had no run that was up, or what is to come makes up for none.
    #[default]
    New,
    /// Without a run that is up since then.
    Down(Instant),
    /// Up, and well since then.
    Well(Instant),
    /// Up, and degraded or failed.
    Unwell,
    /// Up, and was well for long enough.
    Stable,
}

impl Standing {
    /// A run is up, and well until somebody says otherwise; returns since when there was none.
    pub(super) fn come_up(&mut self, now: Instant) -> Option<Instant> {
        match std::mem::replace(self, Self::Well(now)) {
            Self::Down(since) => Some(since),
            Self::New | Self::Well(_) | Self::Unwell | Self::Stable => None,
        }
    }

    /// Takes over how the run is. Well again, it begins anew.
    pub(super) fn hear(&mut self, is_well: bool, now: Instant) {
        match (*self, is_well) {
            (Self::Well(_), false) => *self = Self::Unwell,
            (Self::Unwell, true) => *self = Self::Well(now),
            _ => {}
        }
    }

    /// Returns from when on the run is stable if it stays well; `None` where it is already, or is not well.
    pub(super) fn stable_at(self, after: Duration) -> Option<Instant> {
        match self {
            Self::Well(since) => Some(later(since, after)),
            Self::New | Self::Down(_) | Self::Unwell | Self::Stable => None,
        }
    }

    /// Lets the run be stable if its time has come; tells whether that is news.
    pub(super) fn settle(&mut self, now: Instant, after: Duration) -> bool {
        let is_due = self.stable_at(after).is_some_and(|at| at <= now);
        if is_due {
            *self = Self::Stable;
        }
        is_due
    }

    /// The run is over; tells whether it was stable.
    pub(super) fn end(&mut self, now: Instant, after: Duration) -> bool {
        self.settle(now, after);
        std::mem::replace(self, Self::Down(now)) == Self::Stable
    }

    /// A run ended before it was up: what is missed is missed since the one before.
    pub(super) fn stay_down(&mut self, now: Instant) {
        if !matches!(self, Self::Down(_)) {
            *self = Self::Down(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing;
    use std::time::Duration;
    use tokio::time::Instant;

    const AFTER: Duration = Duration::from_secs(10);

    /// Plays what happens at which second to a run that comes up at 0 (`-` not well, `+` well, `?` a look);
    /// returns when a look found it stable, and whether it was when it ended.
    fn played(script: &[(u64, char)], end: u64) -> (Vec<u64>, bool) {
        let zero = Instant::now();
        let at = |second| zero + Duration::from_secs(second);
        let (mut standing, mut found) = (Standing::New, Vec::new());
        standing.come_up(zero);
        for (second, what) in script {
            if standing.settle(at(*second), AFTER) {
                found.push(*second);
            }
            if *what != '?' {
                standing.hear(*what == '+', at(*second));
            }
        }
        (found, standing.end(at(end), AFTER))
    }

    #[test]
    fn a_run_is_stable_once_it_has_been_up_and_well_for_so_long_without_a_break() {
        for (script, end, found, was_stable) in [
            (&[][..], 9, vec![], false),
            (&[], 10, vec![], true),
            (&[(9, '?'), (10, '?'), (11, '?')], 12, vec![10], true),
            // Not well meanwhile: the time counts anew.
            (&[(9, '-')], 30, vec![], false),
            (&[(9, '-'), (9, '+'), (18, '?')], 18, vec![], false),
            (&[(9, '-'), (12, '+'), (21, '?')], 22, vec![], true),
            // What is said twice is said once.
            (&[(3, '+'), (10, '?')], 11, vec![10], true),
            (
                &[(1, '-'), (2, '-'), (3, '+'), (13, '?')],
                13,
                vec![13],
                true,
            ),
            // Stable is stable.
            (&[(10, '?'), (11, '-'), (12, '+')], 13, vec![10], true),
            (&[(10, '-')], 10, vec![10], true),
        ] {
            assert_eq!(played(script, end), (found, was_stable), "{script:?}");
        }
    }

    #[test]
    fn without_a_run_nothing_is_stable_and_it_is_known_since_when_there_is_none() {
        let zero = Instant::now();
        let mut standing = Standing::New;
        assert!(!standing.settle(zero + AFTER, AFTER));
        standing.hear(false, zero);
        standing.stay_down(zero);
        standing.stay_down(zero + AFTER);
        standing.hear(true, zero);
        assert_eq!(standing, Standing::Down(zero));
        assert!(!standing.end(zero + AFTER, AFTER));
        assert_eq!(standing.come_up(zero + 2 * AFTER), Some(zero + AFTER));
        assert!(standing.end(zero + 3 * AFTER, AFTER));
        let mut new = Standing::New;
        assert_eq!(new.come_up(zero), None);
        assert_eq!(new.stable_at(Duration::ZERO), Some(zero));
        assert!(new.settle(zero, Duration::ZERO), "no time is over at once");
    }
}
