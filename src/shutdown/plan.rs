//! How a supervisor divides its time among the children it stops.
//!
//! Pure arithmetic on instants. Children stop one after the other; each may use all the time that is
//! left but for what is reserved for those whose turn has not come, so that one slow child can't
//! cost its siblings their chance to stop cleanly, and time that a child does not use flows on to
//! the next by itself.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::later;

/// How much earlier than its own deadline a supervisor's children must be done.
///
/// Time to see the last end, write the report and end itself; ten times what that takes on a busy
/// machine.
pub const SUPERVISOR_TICK: Duration = Duration::from_millis(10);

/// The longest time before its deadline at which a leaf is killed.
pub const MAX_KILL_GRACE: Duration = Duration::from_millis(50);

/// The shortest such time: tokio's timers tell milliseconds apart and no less, so that below two a
/// kill and the verdict that it did not help would come together.
pub const MIN_KILL_GRACE: Duration = Duration::from_millis(2);

/// One child whose turn to stop has come, as the plan sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn {
    /// The longest time it may take; `None` for a supervisor that takes what its parent has.
    pub(crate) stop_timeout: Option<Duration>,
    /// What is kept for this child while others stop.
    pub(crate) reserve: Duration,
    /// The sum of what is kept for the children after it.
    pub(crate) reserved_after: Duration,
}

/// Computes the instant by which the child whose turn it is must have ended.
///
/// `deadline` is what the children as a whole have. When more is reserved than is left, all
/// reserves shrink by one factor.
pub(crate) fn allot(now: Instant, deadline: Instant, turn: Turn) -> Instant {
    let latest = latest(now, deadline, turn);
    turn.stop_timeout
        .map_or(latest, |timeout| latest.min(later(now, timeout)))
}

/// Computes to when the child whose turn it is may put its end off: what is left but for the
/// reserves of the others.
pub(crate) fn latest(now: Instant, deadline: Instant, turn: Turn) -> Instant {
    let left = deadline.saturating_duration_since(now);
    let reserved = turn.reserved_after.saturating_add(turn.reserve);
    let kept_back = if reserved > left {
        turn.reserved_after
            .mul_f64(left.as_secs_f64() / reserved.as_secs_f64())
    } else {
        turn.reserved_after
    };
    // Rounding in `mul_f64` must not reserve more than there is.
    now + left.saturating_sub(kept_back)
}

/// Returns how much of `left` a supervisor keeps for itself while its children stop.
pub(crate) fn tick(left: Duration) -> Duration {
    SUPERVISOR_TICK.min(left / 10)
}

/// Computes what a supervisor needs so that `children` is left for its children after its tick.
pub(crate) fn with_tick(children: Duration) -> Duration {
    children.saturating_add(SUPERVISOR_TICK.min(children / 9))
}

/// Computes what is kept for a leaf: its reserve set by hand, or the smallest of its stop timeout,
/// 100 ms and an equal share of the budget.
pub(crate) fn leaf_reserve(
    by_hand: Option<Duration>,
    stop_timeout: Duration,
    budget: Duration,
    siblings: usize,
) -> Duration {
    let share = budget / u32::try_from(siblings.max(1)).unwrap_or(u32::MAX);
    by_hand.unwrap_or_else(|| {
        stop_timeout
            .min(crate::policy::stop::DEFAULT_STOP_RESERVE)
            .min(share)
    })
}

/// What is kept for the nodes of a subtree together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Floors {
    /// What was set by hand: all of it, whatever there is.
    pub(crate) by_hand: Duration,
    /// The defaults. Each of them is at most an equal share of the budget, so that all together are
    /// at most the budget, however many they are.
    pub(crate) by_default: Duration,
}

impl Floors {
    /// Adds those of one more node.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            by_hand: self.by_hand.saturating_add(other.by_hand),
            by_default: self.by_default.saturating_add(other.by_default),
        }
    }

    /// Adds what a supervisor keeps for itself while the nodes below it stop.
    pub(crate) fn with_tick(self) -> Self {
        let below = self.in_full();
        let tick = with_tick(below).saturating_sub(below);
        let tick = match self.by_hand.is_zero() {
            true => Self {
                by_default: tick,
                ..Self::default()
            },
            false => Self {
                by_hand: tick,
                ..Self::default()
            },
        };
        self.and(tick)
    }

    /// Returns what is kept within `budget`.
    pub(crate) fn within(self, budget: Duration) -> Duration {
        self.by_hand.saturating_add(self.by_default.min(budget))
    }

    /// Returns what is kept where there is time enough for all.
    pub(crate) fn in_full(self) -> Duration {
        self.within(Duration::MAX)
    }
}

/// What the stop of a supervisor takes, as the one above counts with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StopNeed {
    /// The longest time that it can take: its budget outside a shutdown.
    pub(crate) worst_case: Duration,
    /// What is kept for all below it while its siblings stop.
    pub(crate) floors: Floors,
}

/// Computes when a leaf that has not stopped is killed: a grace before its deadline.
pub(crate) fn kill_at(now: Instant, deadline: Instant) -> Instant {
    let allotted = deadline.saturating_duration_since(now);
    let grace = (allotted / 10).clamp(MIN_KILL_GRACE, MAX_KILL_GRACE);
    deadline - grace.min(allotted)
}

#[cfg(test)]
mod tests {
    use super::{Floors, Turn, allot, kill_at, leaf_reserve, tick, with_tick};
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
    use std::time::Duration;
    use tokio::time::Instant;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn allotted(left: u64, stop_timeout: Option<u64>, reserve: u64, after: u64) -> u128 {
        let now = Instant::now();
        let turn = Turn {
            stop_timeout: stop_timeout.map(millis),
            reserve: millis(reserve),
            reserved_after: millis(after),
        };
        (allot(now, now + millis(left), turn) - now).as_millis()
    }

    #[test]
    fn a_child_gets_what_is_left_but_for_the_reserves() {
        assert_eq!(allotted(5_000, Some(10_000), 100, 300), 4_700);
        assert_eq!(allotted(5_000, Some(1_000), 100, 300), 1_000);
        assert_eq!(allotted(5_000, None, 100, 300), 4_700);
        assert_eq!(allotted(5_000, None, 100, 0), 5_000);
    }

    #[test]
    fn reserves_that_exceed_the_time_left_shrink_together() {
        // 4 × 100 ms reserved, 200 ms left: each keeps 50 ms.
        assert_eq!(allotted(200, Some(5_000), 100, 300), 50);
        assert_eq!(allotted(0, Some(5_000), 100, 300), 0);
        assert_eq!(allotted(0, None, 0, 0), 0, "and there is nothing to share");
    }

    #[test]
    fn a_reserve_is_never_more_than_an_equal_share() {
        assert_eq!(
            leaf_reserve(None, millis(5_000), millis(5_000), 10),
            millis(100)
        );
        assert_eq!(
            leaf_reserve(None, millis(30), millis(5_000), 10),
            millis(30)
        );
        assert_eq!(
            leaf_reserve(None, millis(5_000), millis(1_000), 100),
            millis(10)
        );
        assert_eq!(
            leaf_reserve(Some(millis(700)), millis(5_000), millis(1_000), 100),
            millis(700)
        );
    }

    #[test]
    fn the_kill_comes_a_tenth_or_fifty_milliseconds_before_the_deadline() {
        let now = Instant::now();
        assert_eq!(kill_at(now, now + millis(5_000)) - now, millis(4_950));
        assert_eq!(kill_at(now, now + millis(100)) - now, millis(90));
        assert_eq!(kill_at(now, now + millis(6)) - now, millis(4));
        assert_eq!(kill_at(now, now + millis(1)), now);
    }

    #[test]
    fn a_supervisor_keeps_a_tenth_of_its_time_and_at_most_ten_milliseconds() {
        for (left, kept) in [(5_000, 10), (100, 10), (50, 5), (0, 0)] {
            assert_eq!(tick(millis(left)), millis(kept), "{left} ms");
        }
        for (children, needed) in [(5_000, 5_010), (90, 100), (45, 50), (0, 0)] {
            assert_eq!(with_tick(millis(children)), millis(needed), "{children} ms");
        }
    }

    fn floors(by_hand: u64, by_default: u64) -> Floors {
        Floors {
            by_hand: millis(by_hand),
            by_default: millis(by_default),
        }
    }

    #[test]
    fn what_is_kept_by_default_gives_way_to_the_budget_and_by_hand_never() {
        let both = floors(300, 0).and(floors(100, 700));
        assert_eq!(both, floors(400, 700));
        for (budget, kept) in [(0, 400), (500, 900), (5_000, 1_100)] {
            assert_eq!(both.within(millis(budget)), millis(kept), "{budget} ms");
        }
        assert_eq!(both.in_full(), millis(1_100));
    }

    #[test]
    fn a_tick_gives_way_to_the_budget_where_all_below_it_does() {
        assert_eq!(floors(0, 90).with_tick(), floors(0, 100));
        assert_eq!(floors(90, 0).with_tick(), floors(100, 0));
        assert_eq!(floors(45, 45).with_tick(), floors(55, 45));
    }

    #[test]
    fn what_is_kept_for_a_supervisor_covers_its_tick() {
        for micros in (0..200_000).step_by(37) {
            let children = Duration::from_micros(micros);
            let kept = with_tick(children);
            assert!(kept - tick(kept) >= children, "{children:?}: {kept:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_child_that_spends_all_its_time_leaves_the_others_their_reserve(
            budget in 1u64..10_000, reserves in proptest::collection::vec(0u64..500, 1..40), greedy in any::<u64>(),
        ) {
            let start = Instant::now();
            let deadline = start + millis(budget);
            let total: u64 = reserves.iter().sum();
            let shrink = if total > budget { budget as f64 / total as f64 } else { 1.0 };
            let (mut now, mut after) = (start, millis(total));
            for (index, reserve) in reserves.iter().enumerate() {
                after -= millis(*reserve);
                let turn = Turn { stop_timeout: None, reserve: millis(*reserve), reserved_after: after };
                let until = allot(now, deadline, turn);
                prop_assert!(until <= deadline);
                let floor = millis(*reserve).mul_f64(shrink);
                prop_assert!(until - now + Duration::from_micros(40) >= floor, "child {index}: {:?} < {floor:?}", until - now);
                if greedy & (1 << (index % 64)) != 0 { now = until; }
            }
        }
    }
}
