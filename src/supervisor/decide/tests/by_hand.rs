//! Commands by hand: what they do beyond the table, and to whom else.

use super::*;

#[test]
fn a_stop_cancels_a_start_and_whoever_waited_for_it_is_told() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    let (key, _) = bench.adds(policy(Restart::Permanent), 1);
    let actions = bench.ask(key, Ask::Stop, 2);
    assert_eq!(killed(&actions), [key]);
    assert_eq!(answers(&actions), [(1, Err(Refusal::Stopped))]);
    assert_eq!(answers(&bench.ends(key, Exit::Killed)), [(2, Ok(()))]);
    assert!(!bench.has(key), "it was never up: it is removed again");
}

#[test]
fn a_child_that_is_added_when_a_stop_has_come_is_refused_and_never_started() {
    // The stop comes between the look for room and the decision; one way has nothing left to stop.
    for children in [&permanent::<1>()[..], &[]] {
        let mut bench = Bench::up(Strategy::OneForOne, None, children);
        bench.stop_within(seconds(5));
        let (key, actions) = bench.adds(policy(Restart::Permanent), 1);
        assert_eq!(started(&actions), NONE);
        assert_eq!(answers(&actions), [(1, Err(Refusal::ShuttingDown))]);
        assert!(!bench.has(key));
    }
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.tell(Happened::ShutdownBegan);
    let (key, actions) = bench.adds(policy(Restart::Permanent), 1);
    assert_eq!(answers(&actions), [(1, Err(Refusal::ShuttingDown))]);
    assert!(!bench.has(key));
}

#[test]
fn a_start_of_a_supervisor_is_cancelled_by_a_stop_and_never_by_a_kill() {
    let below = Policy {
        kind: Kind::Supervisor,
        start_timeout: None,
        stop_timeout: None,
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(Strategy::OneForOne, None, &[below]);
    bench.ends(0, failed());
    let mut actions = bench.ask(0, Ask::Stop, 1);
    actions.extend(bench.pass(seconds(60)));
    assert_eq!((stopped(&actions), killed(&actions)), (vec![0], vec![]));
}

#[test]
fn a_stop_cancels_a_backoff_for_good() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
    bench.ends(0, failed());
    bench.ends(0, failed());
    assert_eq!(answers(&bench.ask(0, Ask::Stop, 1)), [(1, Ok(()))]);
    assert_eq!(started(&bench.pass(seconds(60))), NONE);
    assert_eq!(bench.phase(0), Phase::Down);
}

#[test]
fn a_restart_by_hand_does_not_wait_for_the_backoff() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
    bench.ends(0, failed());
    bench.ends(0, failed());
    assert_eq!(started(&bench.ask(0, Ask::Restart, 1)), [(0, 3)]);
    assert_eq!(answers(&bench.acknowledges(0)), [(1, Ok(()))]);
    assert_eq!(
        started(&bench.pass(seconds(60))),
        NONE,
        "the timer is stale"
    );
}

#[test]
fn a_stopped_temporary_child_is_removed_and_a_restarted_one_is_not() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Temporary)]);
    bench.ask(0, Ask::Restart, 1);
    assert_eq!(started(&bench.ends(0, Exit::Shutdown)), [(0, 2)]);
    assert_eq!(answers(&bench.acknowledges(0)), [(1, Ok(()))]);
    bench.ask(0, Ask::Stop, 2);
    let actions = bench.ends(0, Exit::Shutdown);
    assert_eq!(answers(&actions), [(2, Ok(()))]);
    assert!(actions.contains(&Action::Remove { key: 0 }) && !bench.has(0));
}

#[test]
fn a_restart_by_hand_whose_start_fails_leaves_the_child_down() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(restart)]);
        bench.ask(0, Ask::Restart, 1);
        bench.ends(0, Exit::Shutdown);
        let actions = bench.ends(0, failed());
        assert_eq!(answers(&actions), [(1, Err(Refusal::Failed(failed())))]);
        assert_eq!(started(&actions), NONE);
        // A temporary child that is not up has no specification any more, as in OTP.
        assert_eq!(bench.has(0), restart != Restart::Temporary, "{restart:?}");
    }
}

#[test]
fn a_start_by_hand_that_times_out_is_answered_when_its_task_has_ended() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[]);
    let (key, _) = bench.adds(policy(Restart::Permanent), 1);
    assert_eq!(answers(&bench.pass(seconds(30))), []);
    let refusal = Refusal::Failed(Exit::StartTimedOut);
    assert_eq!(answers(&bench.ends(key, Exit::Killed)), [(1, Err(refusal))]);
    assert!(!bench.has(key));
}

#[test]
fn a_start_by_hand_that_hangs_is_answered_and_removed_once_its_task_has_ended() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[]);
    let (key, _) = bench.adds(policy(Restart::Permanent), 1);
    let actions = bench.pass(seconds(30) + KILL_PATIENCE);
    let refusal = Refusal::Failed(Exit::StartTimedOut);
    assert_eq!(answers(&actions), [(1, Err(refusal))]);
    assert!(bench.has(key), "its task lives");
    let actions = bench.ends(key, Exit::Killed);
    assert_eq!((started(&actions), bench.has(key)), (vec![], false));
}

#[test]
fn a_stop_that_hangs_is_answered_so_and_the_child_stays_down_when_it_has_ended() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(restart)]);
        bench.ask(0, Ask::Stop, 1);
        let actions = bench.pass(seconds(5));
        assert_eq!(killed(&actions), [0]);
        assert_eq!(answers(&actions), [(1, Err(Refusal::Hung))]);
        assert_eq!(started(&bench.ends(0, Exit::Killed)), NONE, "{restart:?}");
        assert_eq!(bench.has(0), restart != Restart::Temporary, "{restart:?}");
        assert_eq!(started(&bench.pass(seconds(60))), NONE, "{restart:?}");
    }
}

#[test]
fn a_child_that_hung_before_it_was_to_be_stopped_stays_down_too() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.is_over(0);
    bench.pass(KILL_PATIENCE);
    assert_eq!(
        answers(&bench.ask(0, Ask::Stop, 1)),
        [(1, Err(Refusal::Hung))]
    );
    assert_eq!(started(&bench.ends(0, failed())), NONE);
    assert_eq!(bench.phase(0), Phase::Down);
}

#[test]
fn a_restart_that_hangs_is_answered_so_and_the_child_restarts_by_its_type() {
    for (restart, comes_back) in [(Restart::Permanent, true), (Restart::Temporary, false)] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(restart)]);
        bench.ask(0, Ask::Restart, 1);
        let actions = bench.pass(seconds(5));
        assert_eq!(answers(&actions), [(1, Err(Refusal::Hung))]);
        let actions = bench.ends(0, Exit::Killed);
        assert_eq!(!started(&actions).is_empty(), comes_back, "{restart:?}");
    }
}

#[test]
fn a_clean_up_that_fails_after_a_stop_by_hand_is_a_stop_nevertheless() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.ask(0, Ask::Stop, 1);
    let actions = bench.ends(0, failed());
    assert_eq!(answers(&actions), [(1, Ok(()))]);
    assert_eq!(started(&actions), NONE);
    assert!(actions.iter().any(|action| matches!(
        action,
        Action::Note {
            kind: EventKind::Stopped {
                outcome: Outcome::CleanupFailed(_),
                ..
            },
            ..
        }
    )));
}

#[test]
fn a_stop_by_hand_has_the_worst_case_of_the_plan_as_its_budget() {
    let below = Policy {
        kind: Kind::Supervisor,
        stop_timeout: None,
        worst_case_stop: seconds(23),
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(
        Strategy::OneForOne,
        None,
        &[below, policy(Restart::Permanent)],
    );
    bench.ask(0, Ask::Stop, 1);
    bench.ask(1, Ask::Stop, 2);
    assert_eq!(bench.time_left(0), seconds(23));
    assert_eq!(bench.time_left(1), seconds(5));
}

#[test]
fn a_restart_under_way_when_the_shutdown_begins_starts_nothing() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.ask(0, Ask::Restart, 1);
    let mut actions = bench.stop_within(seconds(5));
    actions.extend(bench.ends(0, Exit::Shutdown));
    assert_eq!(answers(&actions), [(1, Err(Refusal::ShuttingDown))]);
    assert_eq!(started(&actions), NONE);
}

#[test]
fn a_restart_by_hand_is_answered_when_the_tree_shuts_down_before_the_supervisors_turn() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
    bench.ask(0, Ask::Restart, 1);
    bench.tell(Happened::ShutdownBegan);
    let actions = bench.ends(0, Exit::Shutdown);
    assert_eq!(answers(&actions), [(1, Err(Refusal::ShuttingDown))]);
}

#[test]
fn a_restart_left_to_a_group_is_answered_when_the_supervisor_leaves() {
    let mut bench = Bench::up(Strategy::OneForAll, None, &permanent::<3>());
    bench.ask(2, Ask::Restart, 1);
    bench.ends(0, failed());
    bench.ends(2, Exit::Shutdown);
    // Child 1 is still stopping; nobody will start child 2 again.
    let actions = bench.stop_within(seconds(5));
    assert_eq!(answers(&actions), [(1, Err(Refusal::ShuttingDown))]);
}

#[test]
fn a_start_under_way_when_the_shutdown_comes_is_killed_and_answered() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[]);
    let (key, _) = bench.adds(policy(Restart::Permanent), 1);
    let actions = bench.stop_within(seconds(5));
    assert_eq!(answers(&actions), [(1, Err(Refusal::ShuttingDown))]);
    assert_eq!(killed(&actions), [key]);
}

#[test]
fn a_temporary_child_whose_start_by_hand_fails_in_a_stop_is_reported_as_down() {
    let children = [policy(Restart::Temporary), policy(Restart::Permanent)];
    let mut bench = Bench::up(Strategy::OneForOne, None, &children);
    bench.ask(0, Ask::Restart, 1);
    bench.ends(0, Exit::Shutdown);
    // Its sibling's turn comes first.
    bench.stop_within(seconds(5));
    let actions = bench.ends(0, failed());
    assert_eq!(answers(&actions), [(1, Err(Refusal::Failed(failed())))]);
    let reports = reports(&bench.ends(1, Exit::Shutdown));
    assert_eq!(reports, [(1, Outcome::Stopped), (0, Outcome::AlreadyDown)]);
}

#[test]
fn a_child_outside_the_group_is_commanded_while_the_group_restarts() {
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<3>());
    bench.ends(1, failed());
    assert_eq!(stopped(&bench.ask(0, Ask::Restart, 1)), [0]);
    bench.ends(0, Exit::Shutdown);
    assert_eq!(answers(&bench.acknowledges(0)), [(1, Ok(()))]);
    assert_eq!(started(&bench.ends(2, Exit::Shutdown)), [(1, 2)]);
}

#[test]
fn nothing_is_kept_of_a_child_of_a_dynamic_supervisor_that_is_down() {
    type Ends = fn(&mut Bench);
    let ways: [(&str, Ends); 6] = [
        ("a good end", |bench| drop(bench.ends(0, Exit::Normal))),
        ("a stop", |bench| {
            bench.ask(0, Ask::Stop, 1);
            bench.ends(0, Exit::Shutdown);
        }),
        ("a stop of one that waits", |bench| {
            bench.ends(0, failed());
            bench.ends(0, failed());
            bench.ask(0, Ask::Stop, 1);
        }),
        ("a stop of one that starts", |bench| {
            bench.ends(0, failed());
            bench.ask(0, Ask::Stop, 1);
            bench.ends(0, Exit::Killed);
        }),
        ("a restart whose start fails", |bench| {
            bench.ask(0, Ask::Restart, 1);
            bench.ends(0, Exit::Shutdown);
            bench.ends(0, failed());
        }),
        ("the end of one that hung at its stop", |bench| {
            bench.ask(0, Ask::Stop, 1);
            bench.pass(seconds(5));
            bench.ends(0, Exit::Shutdown);
        }),
    ];
    for strategy in [Strategy::Dynamic, Strategy::OneForOne] {
        for (way, end) in ways {
            let child = Policy {
                restart: Restart::Transient,
                ..waiting()
            };
            let mut bench = Bench::up(strategy, None, &[child]);
            end(&mut bench);
            let is_kept = bench.supervision.children.contains_key(&0);
            assert_eq!(is_kept, strategy == Strategy::OneForOne, "{way}");
        }
    }
}

#[test]
fn whoever_is_answered_finds_everything_done() {
    let is_answer = |action: &Action| matches!(action, Action::Answer { .. });
    let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Temporary)]);
    bench.ask(0, Ask::Stop, 1);
    let stopped = bench.ends(0, Exit::Shutdown);
    let (added, _) = bench.adds(policy(Restart::Permanent), 2);
    let not_started = bench.ends(added, failed());
    for actions in [stopped, not_started] {
        let removed = |action: &Action| matches!(action, Action::Remove { .. });
        assert!(actions.iter().any(removed), "{actions:?}");
        assert!(actions.last().is_some_and(is_answer), "{actions:?}");
    }
}

#[test]
fn a_run_that_was_good_until_it_was_stopped_begins_the_count_of_restarts_anew() {
    for (uptime, delay) in [(seconds(7), Some(seconds(2))), (seconds(8), None)] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[waiting()]);
        bench.ends(0, failed());
        bench.ends(0, failed());
        bench.pass(seconds(1));
        bench.acknowledges(0);
        bench.pass(uptime);
        bench.ask(0, Ask::Restart, 1);
        bench.ends(0, Exit::Shutdown);
        bench.acknowledges(0);
        let until = backs_off_until(&bench.ends(0, failed()));
        assert_eq!(until, delay.map(|delay| bench.now + delay), "{uptime:?}");
    }
}
