//! Starts, exits and single restarts: each row of restart type × exit.

use super::*;

#[test]
fn the_restart_type_and_the_exit_decide_whether_a_child_comes_back() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for (exit, is_abnormal) in every_exit() {
            let row = format!("{restart:?} × {exit:?}");
            let comes_back = match restart {
                Restart::Permanent => true,
                Restart::Transient => is_abnormal,
                Restart::Temporary => false,
            };
            let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(restart)]);
            let actions = bench.ends(0, exit);
            assert_eq!(started(&actions) == [(0, 2)], comes_back, "{row}");
            let removed = actions.contains(&Action::Remove { key: 0 });
            assert_eq!(removed, restart == Restart::Temporary, "{row}");
            assert_eq!(bench.has(0), !removed, "{row}");
            assert!(bench.is_running(), "{row}");
        }
    }
}

#[test]
fn a_start_that_fails_is_tried_again_whatever_the_restart_type_and_the_exit() {
    for (exit, _) in every_exit() {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Transient)]);
        bench.ends(0, failed());
        assert_eq!(started(&bench.ends(0, exit.clone())), [(0, 3)], "{exit:?}");
    }
}

#[test]
fn a_permanent_child_that_ends_well_backs_off_too() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
    assert_eq!(started(&bench.ends(0, Exit::Normal)), [(0, 2)]);
    bench.acknowledges(0);
    let actions = bench.ends(0, Exit::Normal);
    assert_eq!(backs_off_until(&actions), Some(bench.now + seconds(1)));
}

#[test]
fn a_fixed_backoff_delays_the_first_restart_too() {
    let fixed = Policy {
        backoff: Backoff::fixed(seconds(3)),
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(Strategy::OneForOne, None, &[fixed]);
    assert_eq!(started(&bench.ends(0, failed())), NONE);
    assert_eq!(started(&bench.pass(millis(2_999))), NONE);
    assert_eq!(started(&bench.pass(millis(1))), [(0, 2)]);
}

#[test]
fn a_start_that_fails_makes_the_next_delay_longer() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
    bench.ends(0, failed());
    let mut delays = Vec::new();
    for _ in 0..5 {
        let actions = bench.ends(0, failed());
        let until = backs_off_until(&actions).expect("it backs off");
        delays.push((until - bench.now).as_secs());
        bench.pass(until - bench.now);
    }
    assert_eq!(delays, [1, 2, 4, 8, 8]);
}

#[test]
fn a_restart_notes_how_long_the_child_was_down_its_failed_starts_included() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
    bench.ends(0, failed());
    bench.pass(millis(500));
    bench.ends(0, failed());
    bench.pass(seconds(1));
    let kind = EventKind::Restarted {
        latency: millis(1_500),
    };
    assert!(
        bench
            .acknowledges(0)
            .contains(&Action::Note { key: 0, kind })
    );
}

#[test]
fn an_end_during_the_initial_start_is_decided_on_by_its_type_once_all_are_up() {
    let children = [
        policy(Restart::Temporary),
        policy(Restart::Transient),
        policy(Restart::Permanent),
    ];
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &children);
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    bench.acknowledges(1);
    assert_eq!(started(&bench.ends(0, failed())), NONE);
    assert_eq!(started(&bench.ends(1, failed())), NONE);
    let actions = bench.acknowledges(2);
    assert!(actions.contains(&Action::Up));
    assert!(actions.contains(&Action::Remove { key: 0 }));
    assert_eq!(started(&actions), [(1, 2)]);
}

#[test]
fn a_thread_whose_start_takes_too_long_is_told_to_stop_because_it_cant_be_killed() {
    let thread = Policy {
        kind: Kind::Blocking,
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(Strategy::OneForOne, None, &[thread]);
    bench.ends(0, failed());
    let actions = bench.pass(seconds(30));
    assert_eq!(stopped(&actions), [0]);
    assert_eq!(bench.phase(0), Phase::StartTimedOut);
    // It listens: that was a failed start, whatever it says itself.
    let actions = bench.ends(0, Exit::Shutdown);
    let kind = EventKind::StartFailed {
        exit: Exit::StartTimedOut,
    };
    assert!(actions.contains(&Action::Note { key: 0, kind }));
    assert_eq!(started(&actions), [(0, 3)]);
}

#[test]
fn a_start_that_neither_ends_nor_dies_hangs_and_is_tried_again_when_it_has_ended() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.ends(0, failed());
    let actions = bench.pass(seconds(30));
    assert_eq!(killed(&actions), [0]);
    bench.pass(KILL_PATIENCE);
    assert!(matches!(bench.phase(0), Phase::Hung { .. }));
    assert_eq!(started(&bench.pass(seconds(600))), NONE, "its task lives");
    assert_eq!(started(&bench.ends(0, Exit::Killed)), [(0, 3)]);
}

#[test]
fn an_initial_start_that_hangs_fails_the_supervisor_and_is_named() {
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &permanent::<2>());
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    let mut actions = bench.pass(seconds(30) + KILL_PATIENCE);
    actions.extend(bench.ends(0, Exit::Shutdown));
    let exit = Exit::StartTimedOut;
    assert!(actions.contains(&Action::StartFailed { key: 1, exit }));
    let lines = [(1, Outcome::Hung), (0, Outcome::Stopped)];
    assert_eq!(reports(&actions), lines);
    assert_eq!(finished(&actions), Some(Exit::StartTimedOut));
}

#[test]
fn a_body_that_is_over_while_its_task_lives_hangs_after_a_second() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    assert_eq!(
        bench.is_over(0),
        [Action::Arm {
            timer: Timer::GiveUp {
                key: 0,
                incarnation: 1
            },
            at: bench.now + KILL_PATIENCE
        }]
    );
    bench.pass(KILL_PATIENCE - millis(1));
    assert!(matches!(bench.phase(0), Phase::Ending { .. }));
    bench.pass(millis(1));
    assert!(matches!(bench.phase(0), Phase::Hung { .. }));
}

#[test]
fn a_hung_child_whose_task_ends_after_all_restarts_by_its_type() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for (exit, is_abnormal) in every_exit() {
            let row = format!("{restart:?} × {exit:?}");
            let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(restart)]);
            bench.is_over(0);
            bench.pass(KILL_PATIENCE);
            let actions = bench.ends(0, exit);
            let comes_back = match restart {
                Restart::Permanent => true,
                Restart::Transient => is_abnormal,
                Restart::Temporary => false,
            };
            assert_eq!(started(&actions) == [(0, 2)], comes_back, "{row}");
            assert_eq!(bench.has(0), restart != Restart::Temporary, "{row}");
        }
    }
}

#[test]
fn a_supervisor_that_is_over_but_for_what_hangs_below_it_hangs_until_that_ends() {
    let below = Policy {
        kind: Kind::Supervisor,
        start_timeout: None,
        stop_timeout: None,
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(Strategy::OneForOne, None, &[below]);
    let left = Happened::LeftHung {
        key: 0,
        incarnation: 1,
        exit: Exit::Meltdown,
    };
    assert_eq!(started(&bench.tell(left)), NONE);
    assert!(matches!(bench.phase(0), Phase::Hung { .. }));
    assert_eq!(started(&bench.ends(0, Exit::Meltdown)), [(0, 2)]);
}

#[test]
fn a_child_that_hangs_ends_the_process_when_that_was_declared() {
    for (on_hung, ends) in [(OnHung::Report, false), (OnHung::EndProcess, true)] {
        let policy = Policy {
            on_hung,
            ..policy(Restart::Permanent)
        };
        let mut bench = Bench::up(Strategy::OneForOne, None, &[policy]);
        bench.is_over(0);
        let actions = bench.pass(KILL_PATIENCE);
        assert_eq!(actions.contains(&Action::EndProcess { key: 0 }), ends);
    }
}

#[test]
fn children_start_in_order_each_after_the_one_before_is_acknowledged() {
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &permanent::<3>());
    assert_eq!(started(&bench.tell(Happened::Began)), [(0, 1)]);
    assert_eq!(started(&bench.acknowledges(0)), [(1, 1)]);
    assert_eq!(started(&bench.acknowledges(1)), [(2, 1)]);
    assert!(bench.acknowledges(2).contains(&Action::Up));
}

#[test]
fn a_failed_initial_start_stops_what_is_up_in_reverse_and_is_never_retried() {
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &permanent::<3>());
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    bench.acknowledges(1);
    let actions = bench.ends(2, failed());
    assert!(actions.contains(&Action::StartFailed {
        key: 2,
        exit: failed()
    }));
    assert_eq!((started(&actions), stopped(&actions)), (vec![], vec![1]));
    assert_eq!(stopped(&bench.ends(1, Exit::Shutdown)), [0]);
    let last = bench.ends(0, Exit::Shutdown);
    assert!(
        last.contains(&Action::Finish { exit: failed() }),
        "{last:?}"
    );
}

#[test]
fn an_end_during_the_initial_start_waits_until_it_is_over() {
    let mut bench = Bench::new(rules(Strategy::OneForOne, None), &permanent::<2>());
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    assert_eq!(started(&bench.ends(0, failed())), NONE);
    let actions = bench.acknowledges(1);
    assert_eq!(started(&actions), [(0, 2)]);
}

#[test]
fn a_restart_waits_for_its_backoff_and_a_good_run_resets_it() {
    let mut slow = policy(Restart::Permanent);
    slow.backoff = Backoff::try_new(seconds(1), seconds(8))
        .and_then(|b| b.jitter(0.0))
        .expect("valid");
    let mut bench = Bench::up(Strategy::OneForOne, None, &[slow]);
    assert_eq!(
        started(&bench.ends(0, failed())),
        [(0, 2)],
        "the first restart is immediate"
    );
    bench.acknowledges(0);
    let actions = bench.ends(0, failed());
    let until = bench.now + seconds(1);
    assert!(actions.contains(&Action::Note {
        key: 0,
        kind: EventKind::BackingOff { until, attempt: 2 }
    }));
    let due = Happened::Due(Timer::BackoffOver {
        key: 0,
        incarnation: 2,
    });
    assert_eq!(started(&bench.tell(due.clone())), NONE, "too early");
    bench.now = until;
    assert_eq!(started(&bench.tell(due)), [(0, 3)]);
    bench.acknowledges(0);
    bench.now += seconds(8);
    assert_eq!(
        started(&bench.ends(0, failed())),
        [(0, 4)],
        "up for the longest delay: as new"
    );
}

#[test]
fn a_start_that_takes_too_long_is_killed_and_counts_as_failed() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Permanent)]);
    bench.ends(0, failed());
    bench.now += seconds(30);
    let actions = bench.tell(Happened::Due(Timer::StartTimeout {
        key: 0,
        incarnation: 2,
    }));
    assert!(actions.contains(&Action::Kill { key: 0 }));
    let actions = bench.ends(0, Exit::Killed);
    let kind = EventKind::StartFailed {
        exit: Exit::StartTimedOut,
    };
    assert!(actions.contains(&Action::Note { key: 0, kind }));
    assert_eq!(started(&actions), [(0, 3)], "tried again");
}

#[test]
fn what_speaks_of_an_earlier_incarnation_is_ignored() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Permanent)]);
    bench.ends(0, failed());
    assert_eq!(
        bench.tell(Happened::Ended {
            key: 0,
            incarnation: 1,
            exit: failed()
        }),
        []
    );
    assert_eq!(
        bench.tell(Happened::Started {
            key: 0,
            incarnation: 1
        }),
        []
    );
    bench.now += seconds(60);
    assert_eq!(
        bench.tell(Happened::Due(Timer::StartTimeout {
            key: 0,
            incarnation: 1
        })),
        []
    );
}

#[test]
fn a_supervisor_whose_start_leaves_tasks_that_hang_has_not_started_until_they_end() {
    let left = |incarnation, exit| Happened::LeftHung {
        key: 0,
        incarnation,
        exit,
    };
    // Declared: the supervisor above fails to start, for the reason for which this one did.
    let children = [of_kind(Kind::Supervisor)];
    for (exit, cause) in [(failed(), failed()), (Exit::Shutdown, Exit::Hung)] {
        let mut bench = Bench::new(rules(Strategy::OneForOne, None), &children);
        bench.tell(Happened::Began);
        let actions = bench.tell(left(1, exit));
        let expected = Action::StartFailed {
            key: 0,
            exit: cause,
        };
        assert!(actions.contains(&expected));
    }
    // Restarted: it comes back once they have ended.
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    bench.ends(0, failed());
    assert_eq!(started(&bench.tell(left(2, Exit::Meltdown))), NONE);
    assert!(matches!(bench.phase(0), Phase::Hung { .. }));
    assert_eq!(started(&bench.ends(0, Exit::Meltdown)), [(0, 3)]);
}
