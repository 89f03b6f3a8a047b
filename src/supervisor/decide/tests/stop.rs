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

#[test]
fn a_supervisor_that_is_stopped_before_it_began_starts_nothing() {
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &permanent::<2>());
    let actions = bench.stop_within(seconds(5));
    assert_eq!(finished(&actions), Some(Exit::Shutdown));
    assert_eq!(bench.tell(Happened::Began), []);
    assert_eq!(bench.supervision.mode, Mode::Ended);
}

#[test]
fn an_order_to_stop_after_the_end_changes_nothing() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.stop_within(seconds(5));
    assert!(finished(&bench.ends(0, Exit::Shutdown)).is_some());
    assert_eq!(bench.stop_within(seconds(1)), []);
}

#[test]
fn the_exit_and_the_declaration_decide_how_a_stop_is_reported() {
    let cleanup = || Outcome::CleanupFailed(failed());
    for (stop, exit, outcome) in [
        (Stop::Ask, Exit::Normal, Outcome::Stopped),
        (Stop::Ask, Exit::Shutdown, Outcome::Stopped),
        (Stop::Ask, Exit::Killed, Outcome::Killed),
        (Stop::Ask, failed(), cleanup()),
        (Stop::Drain, Exit::Killed, Outcome::Killed),
        (Stop::Brutal, Exit::Killed, Outcome::Stopped),
        (Stop::Brutal, failed(), cleanup()),
    ] {
        let row = format!("{stop:?} × {exit:?}");
        let mut bench = Bench::up(Strategy::OneForOne, None, &[stops(stop)]);
        bench.stop_within(seconds(5));
        assert_eq!(reports(&bench.ends(0, exit)), [(0, outcome)], "{row}");
    }
}

#[test]
fn a_supervisor_below_that_is_over_but_for_what_hangs_is_named_in_its_turn_and_the_walk_goes_on() {
    let children = [policy(Restart::Permanent), of_kind(Kind::Supervisor)];
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    bench.stop_within(seconds(60));
    let actions = bench.tell(Happened::LeftHung {
        key: 1,
        incarnation: 1,
        exit: Exit::Shutdown,
    });
    assert_eq!(reports(&actions), [(1, Outcome::Hung)]);
    assert_eq!(stopped(&actions), [0]);
}

#[test]
fn the_time_for_all_children_is_the_sum_and_for_those_that_stop_at_once_the_longest() {
    for (strategy, expected) in [(Strategy::OneForOne, 12), (Strategy::Dynamic, 9)] {
        let times = [seconds(9), seconds(3)];
        let children = times.map(|worst_case_stop| Policy {
            worst_case_stop,
            ..policy(Restart::Permanent)
        });
        let bench = Bench::up(strategy, None, &children);
        let supervision = &bench.supervision;
        assert_eq!(supervision.worst_case_stop(), seconds(expected));
        let of_each = [0, 1, 2].map(|key| supervision.worst_case_of(key));
        assert_eq!(of_each, [seconds(9), seconds(3), Duration::ZERO]);
    }
}

#[test]
fn what_hangs_before_its_turn_keeps_no_time_from_the_others() {
    let reserving = Policy {
        stop_reserve: Reserve::Exactly(seconds(5)),
        ..policy(Restart::Permanent)
    };
    let children = [
        reserving,
        policy(Restart::Permanent),
        policy(Restart::Permanent),
    ];
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    bench.stop_within(seconds(8));
    assert!(bench.time_left(2) <= seconds(3), "less the reserve");
    // Its body is over, and something of it blocks.
    bench.is_over(0);
    bench.pass(KILL_PATIENCE);
    bench.ends(2, Exit::Shutdown);
    assert_eq!(bench.time_left(1), seconds(5), "its time-out");
}
