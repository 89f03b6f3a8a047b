//! Up and well for long enough: what is forgotten then, who is told, and who waited for it.

use super::*;

/// A child that waits 0, 1, 2, 4, 8 s before a restart and is stable after 10 s.
fn after_ten() -> Policy {
    Policy {
        stable_after: Some(seconds(10)),
        ..waiting()
    }
}

/// Such a child that the siblings after it wait for.
fn waited_for() -> Policy {
    Policy {
        siblings_wait: true,
        tells_stable: true,
        ..after_ten()
    }
}

impl Bench {
    fn is_well(&mut self, key: Key, is_well: bool) -> Vec<Action> {
        let incarnation = self.incarnation(key);
        self.tell(Happened::Health {
            key,
            incarnation,
            is_well,
        })
    }

    /// The child crashes and comes back as soon as it may; returns how long it had to wait.
    fn crashes(&mut self, key: Key) -> u64 {
        let actions = self.ends(key, failed());
        let waited = backs_off_until(&actions).map_or(Duration::ZERO, |until| until - self.now);
        self.pass(waited);
        self.acknowledges(key);
        waited.as_secs()
    }
}

/// Returns whose run was told to be stable, how long it had been up, and what was forgotten.
fn stable(actions: &[Action]) -> Vec<(Key, u64, u32)> {
    let told = |action: &Action| match action {
        Action::Note {
            key,
            kind: EventKind::Stable { uptime, attempts },
        } => Some((*key, uptime.as_secs(), *attempts)),
        _ => None,
    };
    actions.iter().filter_map(told).collect()
}

fn fails_start(actions: &[Action]) -> bool {
    let fails = |action: &Action| matches!(action, Action::FailStart { .. });
    actions.iter().any(fails)
}

/// Begins a supervisor of such a child and one after it; the first is up.
fn one_waits(strategy: Strategy, first: Policy) -> (Bench, Vec<Action>) {
    let children = [first, waiting()];
    let mut bench = Bench::new(rules(strategy, None), &children);
    bench.tell(Happened::Began);
    let actions = bench.acknowledges(0);
    (bench, actions)
}

#[test]
fn a_child_that_crashes_just_before_the_time_never_begins_anew() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[after_ten()]);
    let mut waits = Vec::new();
    for _ in 0..6 {
        bench.pass(millis(9_999));
        waits.push(bench.crashes(0));
    }
    assert_eq!(waits, [0, 1, 2, 4, 8, 8]);
    // A millisecond more, and all of it is forgotten.
    assert_eq!(stable(&bench.pass(seconds(10))), [(0, 10, 6)]);
    assert_eq!(bench.child(0).attempt, 0);
    assert_eq!(bench.crashes(0), 0);
}

#[test]
fn who_was_never_restarted_and_is_waited_for_by_nobody_tells_nobody() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
    assert!(stable(&bench.pass(seconds(60))).is_empty());
    let told = Policy {
        tells_stable: true,
        ..after_ten()
    };
    let mut bench = Bench::up(Strategy::OneForOne, None, &[told]);
    assert_eq!(stable(&bench.pass(seconds(60))), [(0, 10, 0)]);
    // Its time is its own, whatever the backoff says.
    assert_eq!(bench.child(0).policy.stable_after(), seconds(10));
    assert_eq!(waiting().stable_after(), seconds(8));
}

#[test]
fn the_time_counts_anew_whenever_the_run_is_not_well_meanwhile() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[after_ten()]);
    bench.crashes(0);
    bench.pass(seconds(9));
    bench.is_well(0, false);
    assert!(stable(&bench.pass(seconds(90))).is_empty());
    // A crash while it is degraded is one more in a row, however long it was up.
    assert_eq!(bench.crashes(0), 1);
    bench.pass(seconds(5));
    bench.is_well(0, false);
    bench.pass(seconds(2));
    bench.is_well(0, true);
    assert!(stable(&bench.pass(millis(9_999))).is_empty());
    assert_eq!(stable(&bench.pass(millis(1))), [(0, 17, 2)]);
    // It was; what it says now takes nothing back.
    bench.is_well(0, false);
    assert_eq!(bench.crashes(0), 0);
}

#[test]
fn a_run_that_is_well_and_not_well_again_and_again_has_one_timer() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[after_ten()]);
    bench.crashes(0);
    bench.timers.clear();
    bench
        .supervision
        .children
        .get_mut(&0)
        .expect("it is there")
        .is_stable_due = false;
    for _ in 0..100 {
        bench.is_well(0, false);
        bench.is_well(0, true);
        assert_eq!(bench.timers.len(), 1);
        bench.pass(seconds(1));
    }
    assert!(stable(&bench.pass(millis(8_999))).is_empty());
    assert_eq!(stable(&bench.pass(millis(1))).len(), 1);
}

#[test]
fn what_is_heard_of_an_earlier_run_or_of_one_that_is_not_up_counts_nothing() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[after_ten()]);
    bench.crashes(0);
    let stale = Happened::Health {
        key: 0,
        incarnation: 1,
        is_well: false,
    };
    bench.tell(stale);
    assert_eq!(stable(&bench.pass(seconds(10))), [(0, 10, 1)]);
    bench.ends(0, failed());
    bench.is_well(0, false);
    bench.acknowledges(0);
    assert_eq!(stable(&bench.pass(seconds(10))), [(0, 10, 1)]);
}

#[test]
fn a_run_whose_time_is_over_when_it_ends_was_stable_although_its_timer_was_not_served() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[after_ten()]);
    bench.crashes(0);
    bench.crashes(0);
    bench.now += seconds(10);
    let actions = bench.ends(0, failed());
    assert_eq!(stable(&actions), [(0, 10, 2)]);
    assert!(backs_off_until(&actions).is_none());
}

#[test]
fn nothing_is_told_once_the_shutdown_has_begun() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[after_ten()]);
    bench.crashes(0);
    bench.tell(Happened::ShutdownBegan);
    assert!(stable(&bench.pass(seconds(20))).is_empty());
}

#[test]
fn later_siblings_start_when_the_one_before_is_stable_if_that_was_declared() {
    let (mut bench, actions) = one_waits(Strategy::OneForOne, waited_for());
    assert!(started(&actions).is_empty());
    assert!(started(&bench.pass(millis(9_999))).is_empty());
    let actions = bench.pass(millis(1));
    assert_eq!(
        (stable(&actions), started(&actions)),
        (vec![(0, 10, 0)], vec![(1, 1)])
    );
    assert!(bench.acknowledges(1).contains(&Action::Up));
    let (_, actions) = one_waits(Strategy::OneForOne, after_ten());
    assert_eq!(started(&actions), [(1, 1)], "nobody declared that");
}

#[test]
fn the_last_one_is_waited_for_too_before_the_supervisor_is_up() {
    let children = [waiting(), waited_for()];
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &children);
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    assert!(!bench.acknowledges(1).contains(&Action::Up));
    assert!(bench.pass(seconds(10)).contains(&Action::Up));
}

#[test]
fn a_run_that_fails_while_siblings_wait_has_failed_to_start() {
    let (mut bench, _) = one_waits(Strategy::OneForOne, waited_for());
    bench.pass(seconds(9));
    let actions = bench.ends(0, failed());
    let expected = Action::StartFailed {
        key: 0,
        exit: failed(),
    };
    assert!(actions.contains(&expected) && started(&actions).is_empty());
    assert_eq!(finished(&actions), Some(failed()));
}

#[test]
fn a_run_that_ends_for_good_while_siblings_wait_lets_them_start() {
    for (restart, exit) in [
        (Restart::Transient, Exit::Normal),
        (Restart::Temporary, failed()),
    ] {
        let first = Policy {
            restart,
            ..waited_for()
        };
        let (mut bench, _) = one_waits(Strategy::OneForOne, first);
        assert_eq!(started(&bench.ends(0, exit)), [(1, 1)], "{restart:?}");
    }
}

#[test]
fn siblings_do_not_wait_for_ever_for_what_is_never_well() {
    let (mut bench, _) = one_waits(Strategy::OneForOne, waited_for());
    bench.is_well(0, false);
    assert!(!fails_start(&bench.pass(millis(39_999))));
    assert!(fails_start(&bench.pass(millis(1))), "10 s and 30 s");
    let (mut bench, _) = one_waits(Strategy::OneForOne, waited_for());
    assert!(!fails_start(&bench.pass(seconds(60))), "it is well");
}

#[test]
fn a_run_that_hangs_while_siblings_wait_has_failed_to_start() {
    let (mut bench, _) = one_waits(Strategy::OneForOne, waited_for());
    bench.is_over(0);
    let actions = bench.pass(KILL_PATIENCE);
    let expected = Action::StartFailed {
        key: 0,
        exit: Exit::Hung,
    };
    assert!(actions.contains(&expected));
}

#[test]
fn in_a_shutdown_a_failed_start_does_not_take_its_supervisor_out_of_its_turn() {
    let ends: [fn(&mut Bench) -> Vec<Action>; 2] = [
        |bench| bench.ends(0, failed()),
        |bench| {
            bench.is_over(0);
            bench.pass(KILL_PATIENCE)
        },
    ];
    for end in ends {
        let (mut bench, _) = one_waits(Strategy::OneForOne, waited_for());
        bench.tell(Happened::ShutdownBegan);
        let actions = end(&mut bench);
        let gives_up = |action: &Action| matches!(action, Action::StartFailed { .. });
        assert_eq!(finished(&actions), None);
        assert!(!actions.iter().any(gives_up), "{actions:?}");
        // Its turn.
        assert_eq!(
            finished(&bench.stop_within(seconds(5))),
            Some(Exit::Shutdown)
        );
    }
}

#[test]
fn a_group_restart_waits_too_and_begins_anew_when_that_run_fails() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let (mut bench, _) = one_waits(strategy, waited_for());
        bench.pass(seconds(10));
        bench.acknowledges(1);
        assert!(bench.is_running());
        // The first fails: the second is stopped, then both start, with 10 s between them.
        bench.ends(0, failed());
        assert_eq!(started(&bench.ends(1, Exit::Shutdown)), [(0, 2)]);
        assert!(started(&bench.acknowledges(0)).is_empty());
        assert!(started(&bench.pass(seconds(9))).is_empty());
        // Not stable: one more in a row, and nobody else was started.
        let actions = bench.ends(0, failed());
        assert!(started(&actions).is_empty() && stopped(&actions).is_empty());
        assert_eq!(started(&bench.pass(seconds(1))), [(0, 3)]);
        bench.acknowledges(0);
        let actions = bench.pass(seconds(10));
        assert_eq!(stable(&actions), [(0, 10, 2)]);
        assert_eq!(started(&actions), [(1, 2)], "{strategy:?}");
        bench.acknowledges(1);
        assert!(bench.is_running());
    }
}

#[test]
fn who_is_restarted_with_its_group_keeps_what_it_has_earned() {
    let mut bench = Bench::up(Strategy::OneForAll, None, &[after_ten(), after_ten()]);
    bench.ends(0, failed());
    bench.ends(1, Exit::Shutdown);
    bench.acknowledges(0);
    bench.acknowledges(1);
    assert_eq!([0, 1].map(|key| bench.child(key).attempt), [1, 0]);
    bench.pass(seconds(9));
    bench.ends(1, failed());
    bench.ends(0, Exit::Shutdown);
    assert_eq!([0, 1].map(|key| bench.child(key).attempt), [1, 1]);
    bench.acknowledges(0);
    bench.acknowledges(1);
    assert_eq!(stable(&bench.pass(seconds(10))), [(0, 10, 1), (1, 10, 1)]);
}
