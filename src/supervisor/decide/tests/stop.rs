//! Stops and shutdowns: order, deadlines, kills, and what is given up.

use super::*;

#[test]
fn shutdown_stops_in_reverse_and_nothing_restarts_after_it_began() {
    let three = permanent::<3>();
    let mut bench = Bench::up(Strategy::OneForOne, None, &three);
    let deadline = bench.now + seconds(5);
    assert_eq!(
        stopped(&bench.tell(Happened::StopOrdered { deadline })),
        [2]
    );
    assert_eq!(
        started(&bench.ends(0, failed())),
        NONE,
        "a crash before its turn"
    );
    assert_eq!(stopped(&bench.ends(2, Exit::Shutdown)), [1]);
    let actions = bench.ends(1, failed());
    let cleanup = Outcome::CleanupFailed(failed());
    assert!(actions.iter().any(
        |action| matches!(action, Action::Report { key: 1, outcome, .. } if *outcome == cleanup)
    ));
    assert!(actions.iter().any(|action| matches!(
        action,
        Action::Report {
            key: 0,
            outcome: Outcome::AlreadyDown,
            ..
        }
    )));
    assert!(actions.contains(&Action::Finish {
        exit: Exit::Shutdown
    }));
}

#[test]
fn nothing_starts_or_counts_between_the_beginning_of_a_shutdown_and_its_own_turn() {
    let none = Some(Intensity {
        restarts: 0,
        period: seconds(10),
    });
    let mut bench = Bench::up(Strategy::OneForOne, none, &[policy(Restart::Permanent)]);
    bench.tell(Happened::ShutdownBegan);
    let actions = bench.ends(0, failed());
    assert!(
        matches!(
            actions[..],
            [Action::Note {
                kind: EventKind::Exited { .. },
                ..
            }]
        ),
        "{actions:?}"
    );
    let deadline = bench.now + seconds(5);
    let actions = bench.tell(Happened::StopOrdered { deadline });
    assert!(actions.contains(&Action::Finish {
        exit: Exit::Shutdown
    }));
}

#[test]
fn a_child_that_a_group_restart_was_stopping_is_waited_for_in_its_own_turn() {
    let three = permanent::<3>();
    let mut bench = Bench::up(Strategy::OneForAll, None, &three);
    assert_eq!(stopped(&bench.ends(1, failed())), [2]);
    bench.now += seconds(1);
    let deadline = bench.now + seconds(2);
    bench.tell(Happened::StopOrdered { deadline });
    assert!(matches!(bench.phase(2), Phase::Stopping(stopping) if stopping.asked == bench.now));
    let actions = bench.ends(2, Exit::Shutdown);
    assert_eq!(stopped(&actions), [0], "after 2, and 1 is down already");
    let actions = bench.ends(0, Exit::Shutdown);
    assert!(actions.contains(&Action::Finish {
        exit: Exit::Shutdown
    }));
}

#[test]
fn dynamic_children_stop_all_at_once() {
    let mut bench = Bench::up(Strategy::Dynamic, None, &[]);
    for key in 0..3 {
        bench.supervision.add(key, policy(Restart::Temporary), 0);
        assert_eq!(
            started(&bench.tell(Happened::Added { key, ticket: key })),
            [(key, 1)]
        );
        bench.acknowledges(key);
    }
    let deadline = bench.now + seconds(5);
    assert_eq!(
        stopped(&bench.tell(Happened::StopOrdered { deadline })),
        [2, 1, 0]
    );
}

#[test]
fn a_child_that_ignores_the_stop_is_killed_and_then_named_as_hung() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Permanent)]);
    let deadline = bench.now + seconds(5);
    let kill = Timer::KillAt {
        key: 0,
        incarnation: 1,
    };
    let at = deadline - Duration::from_millis(50);
    let actions = bench.tell(Happened::StopOrdered { deadline });
    assert!(
        actions.contains(&Action::Arm { timer: kill, at }),
        "{actions:?}"
    );
    bench.now = at;
    let actions = bench.tell(Happened::Due(kill));
    assert!(actions.contains(&Action::Kill { key: 0 }));
    bench.now = deadline;
    let actions = bench.tell(Happened::Due(Timer::GiveUp {
        key: 0,
        incarnation: 1,
    }));
    assert!(actions.iter().any(|action| matches!(
        action,
        Action::Report {
            outcome: Outcome::Hung,
            ..
        }
    )));
    assert!(actions.contains(&Action::Finish {
        exit: Exit::Shutdown
    }));
}

#[test]
fn a_second_order_brings_the_deadline_forward_and_never_back() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Permanent)]);
    let deadline = bench.now + seconds(5);
    bench.tell(Happened::StopOrdered { deadline });
    let later = bench.tell(Happened::StopOrdered {
        deadline: deadline + seconds(1),
    });
    assert!(stopped(&later).is_empty());
    let earlier = deadline - seconds(4);
    let actions = bench.tell(Happened::StopOrdered { deadline: earlier });
    let times = StopTimes::fixed(earlier);
    assert!(actions.contains(&Action::Stop { key: 0, times }));
}

/// Makes a permanent child that is stopped in this way.
fn stops(stop: Stop) -> Policy {
    Policy {
        stop,
        ..policy(Restart::Permanent)
    }
}

/// Makes a permanent child of this kind.
fn of_kind(kind: Kind) -> Policy {
    let is_supervisor = kind == Kind::Supervisor;
    Policy {
        kind,
        start_timeout: (!is_supervisor).then(|| seconds(30)),
        stop_timeout: (!is_supervisor).then(|| seconds(5)),
        ..policy(Restart::Permanent)
    }
}

/// Makes a permanent child with this stop timeout and this reserve.
fn reserving(stop_timeout: Duration, reserve: Duration) -> Policy {
    Policy {
        stop_timeout: Some(stop_timeout),
        stop_reserve: Reserve::Exactly(reserve),
        ..policy(Restart::Permanent)
    }
}

/// Returns the children that were told to drain.
fn drained(actions: &[Action]) -> Vec<Key> {
    let drain = |action: &Action| match action {
        Action::Drain { key, .. } => Some(*key),
        _ => None,
    };
    actions.iter().filter_map(drain).collect()
}

#[test]
fn a_drain_becomes_a_stop_when_the_reserve_is_all_that_is_left() {
    for (reserve, drains_for) in [
        (Reserve::Default, millis(4_900)),
        (Reserve::Exactly(seconds(2)), seconds(3)),
    ] {
        let child = Policy {
            stop_reserve: reserve,
            ..stops(Stop::Drain)
        };
        let mut bench = Bench::up(Strategy::OneForOne, None, &[child]);
        let actions = bench.stop_within(seconds(60));
        assert_eq!((drained(&actions), stopped(&actions)), (vec![0], vec![]));
        assert!(stopped(&bench.pass(drains_for - millis(1))).is_empty());
        assert_eq!(stopped(&bench.pass(millis(1))), [0], "{reserve:?}");
        let actions = bench.pass(seconds(5) - drains_for);
        assert_eq!(killed(&actions), [0], "{reserve:?}");
    }
}

#[test]
fn a_drain_that_empties_in_time_is_a_good_stop() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[stops(Stop::Drain)]);
    bench.stop_within(seconds(60));
    bench.pass(seconds(3));
    let actions = bench.ends(0, Exit::Shutdown);
    assert_eq!(reports(&actions), [(0, Outcome::Stopped)]);
    assert_eq!(finished(&actions), Some(Exit::Shutdown));
}

#[test]
fn a_drain_whose_deadline_comes_forward_becomes_a_stop_earlier() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[stops(Stop::Drain)]);
    bench.stop_within(seconds(60));
    bench.pass(seconds(1));
    bench.stop_within(seconds(1));
    assert!(stopped(&bench.pass(millis(899))).is_empty());
    assert_eq!(stopped(&bench.pass(millis(1))), [0]);
    // And at once where no more than the reserve is left.
    let mut bench = Bench::up(Strategy::OneForOne, None, &[stops(Stop::Drain)]);
    bench.stop_within(seconds(60));
    assert_eq!(stopped(&bench.stop_within(millis(50))), [0]);
}

#[test]
fn a_brutal_stop_kills_at_once_and_counts_as_stopped() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[stops(Stop::Brutal)]);
    let actions = bench.stop_within(seconds(60));
    assert_eq!(killed(&actions), [0]);
    let actions = bench.ends(0, Exit::Killed);
    assert_eq!(reports(&actions), [(0, Outcome::Stopped)]);
    // Where it does not die it hangs at its deadline like any other.
    let mut bench = Bench::up(Strategy::OneForOne, None, &[stops(Stop::Brutal)]);
    bench.stop_within(seconds(60));
    let actions = bench.pass(seconds(5));
    assert_eq!(reports(&actions), [(0, Outcome::Hung)]);
}

#[test]
fn what_cant_be_killed_is_never_killed_and_named_at_its_deadline() {
    for (kind, after) in [
        (Kind::Blocking, seconds(5)),
        (Kind::Supervisor, seconds(60)),
    ] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[of_kind(kind)]);
        let mut actions = bench.stop_within(seconds(60));
        actions.extend(bench.pass(after - millis(1)));
        assert_eq!((killed(&actions), reports(&actions)), (vec![], vec![]));
        let actions = bench.pass(millis(1));
        assert_eq!(reports(&actions), [(0, Outcome::Hung)], "{kind:?}");
    }
}

#[test]
fn an_extension_puts_the_kill_off_for_every_kind_of_leaf() {
    for (kind, grace) in [
        (Kind::Actor, 50),
        (Kind::Worker, 50),
        (Kind::Task, 50),
        (Kind::Blocking, 0),
    ] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[of_kind(kind)]);
        bench.stop_within(seconds(60));
        bench.pass(seconds(4));
        bench.extends(0, bench.now + seconds(10));
        let before = seconds(10) - millis(grace + 1);
        let actions = bench.pass(before);
        assert_eq!(
            (killed(&actions), reports(&actions)),
            (vec![], vec![]),
            "{kind:?}"
        );
        let actions = bench.pass(millis(grace + 1));
        assert_eq!(killed(&actions).is_empty(), kind == Kind::Blocking);
        assert_eq!(reports(&actions), [(0, Outcome::Hung)], "{kind:?}");
    }
}

#[test]
fn an_extension_after_the_kill_comes_too_late() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.stop_within(seconds(60));
    assert_eq!(killed(&bench.pass(millis(4_950))), [0]);
    bench.extends(0, bench.now + seconds(10));
    assert_eq!(reports(&bench.pass(millis(50))), [(0, Outcome::Hung)]);
}

#[test]
fn an_extension_never_goes_beyond_what_is_reserved_for_the_siblings() {
    let children = [
        reserving(seconds(5), seconds(7)),
        policy(Restart::Permanent),
    ];
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    let actions = bench.stop_within(seconds(20));
    let latest = bench.now + seconds(13);
    let deadline = bench.now + seconds(5);
    let times = StopTimes { deadline, latest };
    assert!(actions.contains(&Action::Stop { key: 1, times }));
    bench.extends(1, latest + millis(1));
    assert_eq!(bench.stopping(1).deadline, deadline, "nobody granted that");
    bench.extends(1, latest);
    assert_eq!(bench.stopping(1).deadline, latest);
}

#[test]
fn tightening_brings_an_extended_deadline_back_as_far_as_it_must() {
    for (budget, left) in [(seconds(15), seconds(15)), (seconds(30), seconds(20))] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
        bench.stop_within(seconds(60));
        bench.extends(0, bench.now + seconds(21));
        bench.pass(seconds(1));
        bench.stop_within(budget);
        assert_eq!(bench.time_left(0), left, "{budget:?}");
        assert_eq!(bench.stopping(0).latest, bench.now + budget);
        let actions = bench.pass(left - millis(50));
        assert_eq!(killed(&actions), [0], "{budget:?}");
    }
}

#[test]
fn an_extension_outside_a_shutdown_is_not_granted() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.ask(0, Ask::Stop, 1);
    bench.extends(0, bench.now + seconds(10));
    assert_eq!(bench.time_left(0), seconds(5));
}

#[test]
fn each_child_gets_what_is_left_but_for_the_reserves_of_those_before_it() {
    let below = Policy {
        stop_reserve: Reserve::Exactly(seconds(3)),
        ..of_kind(Kind::Supervisor)
    };
    let children = [
        reserving(seconds(9), seconds(1)),
        below,
        of_kind(Kind::Supervisor),
    ];
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    bench.stop_within(seconds(10));
    assert_eq!(bench.time_left(2), seconds(6));
    bench.pass(seconds(2));
    bench.ends(2, Exit::Shutdown);
    assert_eq!(
        bench.time_left(1),
        seconds(7),
        "what 2 did not use flows on"
    );
    bench.pass(seconds(7));
    // 1 is a supervisor and hangs: the last one has its reserve.
    assert_eq!(bench.time_left(0), seconds(1));
}

#[test]
fn a_child_that_dies_before_its_turn_gives_its_reserve_back() {
    for exit in [failed(), Exit::Normal] {
        let children = [
            reserving(seconds(9), seconds(4)),
            of_kind(Kind::Supervisor),
            of_kind(Kind::Supervisor),
        ];
        let mut bench = Bench::up(Strategy::OneForOne, None, &children);
        bench.stop_within(seconds(10));
        assert_eq!(bench.time_left(2), millis(5_900));
        bench.ends(0, exit);
        bench.ends(2, Exit::Shutdown);
        assert_eq!(bench.time_left(1), seconds(10));
    }
}

#[test]
fn what_is_down_already_has_no_reserve() {
    let children = [reserving(seconds(9), seconds(4)), of_kind(Kind::Supervisor)];
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    bench.ask(0, Ask::Stop, 1);
    bench.ends(0, Exit::Shutdown);
    bench.stop_within(seconds(10));
    assert_eq!(bench.time_left(1), seconds(10));
}

#[test]
fn a_shortened_deadline_shrinks_the_reserves_by_one_factor() {
    let children = [
        reserving(seconds(9), seconds(2)),
        reserving(seconds(9), seconds(2)),
        reserving(seconds(9), seconds(4)),
    ];
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    bench.stop_within(seconds(20));
    assert_eq!(bench.time_left(2), seconds(9));
    bench.stop_within(seconds(4));
    assert_eq!(bench.time_left(2), seconds(2), "half of its 4");
    bench.pass(seconds(2));
    assert_eq!(bench.time_left(1), seconds(1), "half of its 2");
    bench.pass(seconds(1));
    assert_eq!(bench.time_left(0), seconds(1));
}

#[test]
fn once_the_deadline_is_over_all_are_asked_at_once() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<3>());
    let actions = bench.stop_within(Duration::ZERO);
    assert_eq!(stopped(&actions), [2, 1, 0]);
    let mut actions = bench.pass(Duration::ZERO);
    assert_eq!(killed(&actions), [0, 1, 2]);
    actions = bench.pass(millis(2));
    assert_eq!(
        reports(&actions).len(),
        3,
        "killed, and given two milliseconds"
    );
}

#[test]
fn a_shutdown_tightens_a_stop_by_hand_and_starts_no_second_walk() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<2>());
    bench.ask(0, Ask::Stop, 7);
    assert_eq!(bench.time_left(0), seconds(5));
    bench.pass(seconds(1));
    let actions = bench.stop_within(seconds(2));
    // 0 keeps its place: it is told to be earlier, and 1 has its turn first.
    assert_eq!(stopped(&actions), [0, 1]);
    assert_eq!(bench.time_left(0), millis(1_900), "less the reserve of 1");
    let actions = bench.ends(0, Exit::Shutdown);
    assert_eq!(
        (answers(&actions), reports(&actions)),
        (vec![(7, Ok(()))], vec![])
    );
    let actions = bench.ends(1, Exit::Shutdown);
    let lines = [(1, Outcome::Stopped), (0, Outcome::AlreadyDown)];
    assert_eq!(reports(&actions), lines);
    assert_eq!(finished(&actions), Some(Exit::Shutdown));
}

#[test]
fn a_later_shutdown_gives_a_stop_by_hand_no_more_time_than_it_had() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.ask(0, Ask::Stop, 7);
    bench.pass(seconds(3));
    bench.stop_within(seconds(60));
    assert_eq!(bench.time_left(0), seconds(2));
}

#[test]
fn a_meltdown_already_begun_keeps_its_exit_and_hurries() {
    let mut bench = Bench::up(Strategy::OneForOne, in_ten_seconds(0), &permanent::<2>());
    let mut actions = bench.ends(1, failed());
    assert!(melts_down(&actions));
    assert_eq!(bench.time_left(0), seconds(5));
    actions = bench.stop_within(seconds(1));
    assert_eq!(
        (stopped(&actions), bench.time_left(0)),
        (vec![0], seconds(1))
    );
    actions = bench.ends(0, Exit::Shutdown);
    assert_eq!(finished(&actions), Some(Exit::Meltdown));
}

#[test]
fn an_auto_shutdown_already_begun_hurries_too() {
    let rules = Rules {
        auto_shutdown: AutoShutdown::AnySignificant,
        ..rules(Strategy::OneForOne, None)
    };
    let significant = Policy {
        is_significant: true,
        ..policy(Restart::Transient)
    };
    let mut bench = Bench::up_with(rules, &[policy(Restart::Permanent), significant]);
    assert_eq!(stopped(&bench.ends(1, Exit::Normal)), [0]);
    bench.stop_within(seconds(1));
    assert_eq!(bench.time_left(0), seconds(1));
}

#[test]
fn nothing_counts_after_a_shutdown_began_not_even_a_backoff_that_was_due() {
    let mut bench = Bench::up(Strategy::OneForOne, in_ten_seconds(1), &[waiting()]);
    bench.ends(0, failed());
    bench.acknowledges(0);
    bench.tell(Happened::ShutdownBegan);
    let mut actions = bench.ends(0, failed());
    actions.extend(bench.pass(seconds(60)));
    assert!(!melts_down(&actions));
    assert_eq!(
        (started(&actions), backs_off_until(&actions)),
        (vec![], None)
    );
}

#[test]
fn a_backoff_and_an_initial_start_are_cancelled_by_a_shutdown() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
    bench.ends(0, failed());
    bench.ends(0, failed());
    let mut actions = bench.stop_within(seconds(5));
    actions.extend(bench.pass(seconds(60)));
    assert_eq!(reports(&actions), [(0, Outcome::AlreadyDown)]);
    assert_eq!(
        (started(&actions), finished(&actions)),
        (vec![], Some(Exit::Shutdown))
    );
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &permanent::<3>());
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    let actions = bench.stop_within(seconds(5));
    assert_eq!(killed(&actions), [1]);
    assert_eq!(stopped(&bench.ends(1, Exit::Killed)), [0]);
    let actions = bench.ends(0, Exit::Shutdown);
    assert_eq!(finished(&actions), Some(Exit::Shutdown));
}

#[test]
fn a_hung_child_is_told_to_stop_and_named_in_its_turn() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<2>());
    bench.is_over(1);
    bench.pass(KILL_PATIENCE);
    let actions = bench.stop_within(seconds(5));
    assert_eq!(stopped(&actions), [1, 0]);
    assert_eq!(reports(&actions), [(1, Outcome::Hung)]);
}

#[test]
fn a_hung_child_whose_task_ends_before_its_turn_is_down() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<2>());
    bench.is_over(0);
    bench.pass(KILL_PATIENCE);
    bench.stop_within(seconds(5));
    assert_eq!(started(&bench.ends(0, failed())), NONE);
    let actions = bench.ends(1, Exit::Shutdown);
    let lines = [(1, Outcome::Stopped), (0, Outcome::AlreadyDown)];
    assert_eq!(reports(&actions), lines);
}

#[test]
fn a_body_that_is_over_before_its_turn_is_waited_for_in_its_turn() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<2>());
    bench.is_over(0);
    bench.stop_within(seconds(5));
    assert_eq!(killed(&bench.ends(1, Exit::Shutdown)), [0]);
    let actions = bench.ends(0, failed());
    let outcome = Outcome::CleanupFailed(failed());
    assert_eq!(reports(&actions), [(0, outcome)]);
}

#[test]
fn dynamic_children_have_one_deadline_and_no_reserves() {
    let mut bench = Bench::up(Strategy::Dynamic, None, &[]);
    for ticket in 0..3 {
        let (key, _) = bench.adds(reserving(seconds(9), seconds(9)), ticket);
        bench.acknowledges(key);
    }
    bench.stop_within(seconds(4));
    for key in 0..3 {
        assert_eq!(bench.time_left(key), seconds(4));
    }
    bench.stop_within(seconds(2));
    for key in 0..3 {
        assert_eq!(bench.time_left(key), seconds(2));
    }
    let actions = bench.pass(seconds(2));
    assert_eq!(reports(&actions).len(), 3);
}
