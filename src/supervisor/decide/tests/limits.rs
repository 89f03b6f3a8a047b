//! Limits on restarts: each kind of limit × what it does.

use super::*;

#[test]
fn one_restart_more_than_the_intensity_is_a_meltdown() {
    // (restarts allowed, seconds between crashes, crashes that are survived)
    let period = seconds(10);
    for (restarts, gap, survived) in [
        (0, 1, 0),
        (1, 1, 1),
        (3, 1, 3),
        (3, 3, 3),
        (3, 4, 50),
        (1, 10, 1),
        (1, 11, 50),
    ] {
        let intensity = Some(Intensity { restarts, period });
        let mut bench = Bench::up(
            Strategy::OneForOne,
            intensity,
            &[policy(Restart::Permanent)],
        );
        let mut count = 0;
        while count < 50 {
            bench.now += seconds(gap);
            let actions = bench.ends(0, failed());
            if actions.contains(&Action::NoteSelf {
                kind: EventKind::Meltdown,
            }) {
                assert!(actions.contains(&Action::Finish {
                    exit: Exit::Meltdown
                }));
                break;
            }
            bench.acknowledges(0);
            count += 1;
        }
        assert_eq!(count, survived, "{restarts} in 10 s, a crash every {gap} s");
    }
}

#[test]
fn unset_the_intensity_guards_only_children_without_backoff() {
    let backing_off = Policy {
        backoff: Backoff::fixed(seconds(0)),
        ..policy(Restart::Permanent)
    };
    assert!(backing_off.backoff.is_none(), "a zero delay is no backoff");
    let mut slow = policy(Restart::Permanent);
    slow.backoff = Backoff::try_new(seconds(1), seconds(1))
        .and_then(|b| b.jitter(0.0))
        .expect("valid");
    let mut bench = Bench::up(
        Strategy::OneForOne,
        None,
        &[slow, policy(Restart::Permanent)],
    );
    for _ in 0..20 {
        bench.ends(0, failed());
        bench.now += seconds(1);
        let incarnation = bench.incarnation(0);
        bench.tell(Happened::Due(Timer::BackoffOver {
            key: 0,
            incarnation,
        }));
        bench.acknowledges(0);
    }
    assert_eq!(bench.supervision.mode, Mode::Running);
    for _ in 0..5 {
        bench.ends(1, failed());
        bench.acknowledges(1);
    }
    let actions = bench.ends(1, failed());
    assert!(actions.contains(&Action::NoteSelf {
        kind: EventKind::Meltdown
    }));
}

/// Makes a supervisor of one child that may be restarted `n` times in 10 s, by its own limit.
fn limited(n: u32, on_limit: OnLimit) -> Bench {
    let child = Policy {
        limit: in_ten_seconds(n),
        on_limit,
        ..policy(Restart::Permanent)
    };
    // Unset, the intensity would count children without backoff.
    Bench::up(Strategy::OneForOne, in_ten_seconds(1_000), &[child])
}

/// Crashes the child and brings it up again; false says that it did not come back at once.
fn survives(bench: &mut Bench, key: Key) -> bool {
    let is_back = !started(&bench.ends(key, failed())).is_empty();
    if is_back {
        bench.acknowledges(key);
    }
    is_back
}

#[test]
fn a_childs_own_limit_admits_exactly_so_many_restarts_within_its_period() {
    for (gap, survived) in [(1, 2), (5, 2), (6, 30)] {
        let mut bench = limited(2, OnLimit::Quarantine);
        let mut count = 0;
        while count < 30 && survives(&mut bench, 0) {
            bench.pass(seconds(gap));
            count += 1;
        }
        assert_eq!(count, survived, "2 in 10 s, a crash every {gap} s");
    }
    // A restart exactly a period ago still counts, as in OTP; one a nanosecond more does not.
    for (past, survives_it) in [(0, false), (1, true)] {
        let mut bench = limited(1, OnLimit::Quarantine);
        assert!(survives(&mut bench, 0));
        bench.pass(seconds(10) + Duration::from_nanos(past));
        assert_eq!(survives(&mut bench, 0), survives_it, "{past} ns");
    }
}

#[test]
fn what_a_childs_own_limit_does_is_what_was_declared() {
    for on_limit in [OnLimit::Escalate, OnLimit::Quarantine, OnLimit::Throttle] {
        let mut bench = limited(1, on_limit);
        assert!(survives(&mut bench, 0));
        bench.pass(seconds(4));
        let actions = bench.ends(0, failed());
        match on_limit {
            OnLimit::Escalate => {
                assert!(melts_down(&actions));
                assert_eq!(finished(&actions), Some(Exit::Meltdown));
            }
            OnLimit::Quarantine => {
                assert!(is_quarantined(&actions, 0) && bench.is_running());
                assert_eq!(started(&bench.pass(seconds(3_600))), NONE);
            }
            OnLimit::Throttle => {
                let until = bench.now + seconds(6) + Duration::from_nanos(1);
                assert_eq!(backs_off_until(&actions), Some(until));
                assert_eq!(started(&bench.pass(seconds(6))), NONE);
                assert_eq!(started(&bench.pass(Duration::from_nanos(1))), [(0, 3)]);
            }
        }
    }
}

#[test]
fn attempts_give_up_after_so_many_restarts_in_a_row() {
    for on_limit in [OnLimit::Escalate, OnLimit::Quarantine] {
        let child = Policy {
            backoff: Backoff::fixed(seconds(1)).attempts(3),
            on_limit,
            ..policy(Restart::Permanent)
        };
        let mut bench = Bench::up(Strategy::OneForOne, None, &[child]);
        for _ in 0..3 {
            bench.ends(0, failed());
            bench.pass(seconds(1));
            bench.acknowledges(0);
        }
        let actions = bench.ends(0, failed());
        match on_limit {
            OnLimit::Escalate => assert!(melts_down(&actions)),
            _ => assert!(is_quarantined(&actions, 0) && bench.is_running()),
        }
    }
}

#[test]
fn a_start_that_fails_is_one_attempt_more_and_a_good_run_begins_the_count_anew() {
    let child = Policy {
        backoff: Backoff::fixed(seconds(1))
            .attempts(2)
            .reset_after(seconds(5)),
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(Strategy::OneForOne, None, &[child]);
    bench.ends(0, failed());
    bench.pass(seconds(1));
    bench.ends(0, failed());
    bench.pass(seconds(1));
    bench.acknowledges(0);
    bench.pass(seconds(5));
    bench.ends(0, failed());
    bench.pass(seconds(1));
    bench.ends(0, failed());
    bench.pass(seconds(1));
    assert!(
        is_quarantined(&bench.ends(0, failed()), 0),
        "the third in a row"
    );
}

#[test]
fn an_intensity_that_quarantines_keeps_the_other_children_up() {
    let rules = Rules {
        on_limit: OnLimit::Quarantine,
        ..rules(Strategy::OneForOne, in_ten_seconds(1))
    };
    let mut bench = Bench::up_with(rules, &permanent::<2>());
    assert!(survives(&mut bench, 0));
    assert!(
        is_quarantined(&bench.ends(1, failed()), 1),
        "both count together"
    );
    assert!(bench.is_running() && bench.is_up(0));
}

#[test]
fn an_intensity_that_throttles_never_gives_up_and_never_restarts_more_often() {
    let rules = Rules {
        on_limit: OnLimit::Throttle,
        ..rules(Strategy::OneForOne, in_ten_seconds(2))
    };
    let mut bench = Bench::up_with(rules, &permanent::<2>());
    let (began, mut starts) = (bench.now, Vec::new());
    for crash in 0..12 {
        let key = crash % 2;
        let actions = bench.ends(key, failed());
        assert!(!melts_down(&actions) && !is_quarantined(&actions, key));
        if let Some(until) = backs_off_until(&actions) {
            bench.pass(until - bench.now);
        }
        bench.acknowledges(key);
        starts.push((bench.now - began).as_secs());
    }
    assert_eq!(starts, [0, 0, 10, 10, 20, 20, 30, 30, 40, 40, 50, 50]);
}

#[test]
fn the_later_of_backoff_and_throttle_counts() {
    for (delay, waits) in [(4, 10), (15, 15)] {
        let child = Policy {
            backoff: Backoff::fixed(seconds(delay)),
            limit: in_ten_seconds(1),
            on_limit: OnLimit::Throttle,
            ..policy(Restart::Permanent)
        };
        let mut bench = Bench::up(Strategy::OneForOne, None, &[child]);
        bench.ends(0, failed());
        bench.pass(seconds(delay));
        // The window holds the instant of the decision, not that of the start.
        let actions = bench.ends(0, failed());
        let until = backs_off_until(&actions).expect("it waits");
        let expected = match waits {
            10 => seconds(6) + Duration::from_nanos(1),
            _ => seconds(15),
        };
        assert_eq!(until - bench.now, expected, "backoff {delay} s");
    }
}

#[test]
fn each_decision_counts_when_it_is_made_not_when_its_backoff_is_over() {
    let child = Policy {
        backoff: Backoff::fixed(seconds(8)),
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(Strategy::OneForOne, in_ten_seconds(1), &[child]);
    bench.ends(0, failed());
    bench.pass(seconds(8));
    bench.acknowledges(0);
    bench.pass(seconds(2) + Duration::from_nanos(1));
    // 2 s after the start, but a period after the decision.
    assert!(!melts_down(&bench.ends(0, failed())));
}

#[test]
fn a_restart_whose_start_fails_counts_again() {
    let mut bench = Bench::up(Strategy::OneForOne, in_ten_seconds(2), &permanent::<1>());
    assert_eq!(started(&bench.ends(0, failed())), [(0, 2)]);
    assert_eq!(started(&bench.ends(0, failed())), [(0, 3)]);
    assert!(melts_down(&bench.ends(0, failed())));
    let mut bench = limited(2, OnLimit::Quarantine);
    bench.ends(0, failed());
    bench.ends(0, failed());
    assert!(is_quarantined(&bench.ends(0, failed()), 0));
}

#[test]
fn set_explicitly_the_intensity_counts_children_with_backoff_too() {
    let mut bench = Bench::up(Strategy::OneForOne, in_ten_seconds(1), &[waiting()]);
    assert!(survives(&mut bench, 0));
    assert!(melts_down(&bench.ends(0, failed())));
}

#[test]
fn a_group_restart_counts_once_however_many_children_take_part() {
    let mut bench = Bench::up(Strategy::OneForAll, in_ten_seconds(1), &permanent::<3>());
    let mut actions = bench.ends(0, failed());
    for key in [2, 1] {
        actions.extend(bench.ends(key, failed()));
    }
    for key in 0..3 {
        actions.extend(bench.acknowledges(key));
    }
    assert!(bench.is_running() && !melts_down(&actions));
    assert!(melts_down(&bench.ends(1, failed())), "the second decision");
}

#[test]
fn a_limit_that_is_reached_in_a_group_stops_it_in_reverse() {
    let mut bench = Bench::up(Strategy::RestForOne, in_ten_seconds(0), &permanent::<3>());
    let actions = bench.ends(1, failed());
    assert!(melts_down(&actions));
    assert_eq!(stopped(&actions), [2]);
    assert_eq!(stopped(&bench.ends(2, Exit::Shutdown)), [0]);
    assert_eq!(
        finished(&bench.ends(0, Exit::Shutdown)),
        Some(Exit::Meltdown)
    );
}

#[test]
fn a_release_clears_the_childs_window_and_its_backoff() {
    let child = Policy {
        backoff: waiting().backoff,
        limit: in_ten_seconds(2),
        ..policy(Restart::Permanent)
    };
    let mut bench = Bench::up(Strategy::OneForOne, None, &[child]);
    for _ in 0..2 {
        bench.ends(0, failed());
        bench.pass(seconds(1));
        bench.acknowledges(0);
    }
    assert!(is_quarantined(&bench.ends(0, failed()), 0));
    let actions = bench.ask(0, Ask::Release, 7);
    assert_eq!(
        (started(&actions), answers(&actions)),
        (vec![(0, 4)], vec![])
    );
    assert_eq!(answers(&bench.acknowledges(0)), [(7, Ok(()))]);
    // As new: at once, then after a second, and only the third is too many again.
    assert_eq!(started(&bench.ends(0, failed())), [(0, 5)]);
    bench.acknowledges(0);
    let actions = bench.ends(0, failed());
    assert_eq!(backs_off_until(&actions), Some(bench.now + seconds(1)));
    bench.pass(seconds(1));
    bench.acknowledges(0);
    assert!(is_quarantined(&bench.ends(0, failed()), 0));
}

#[test]
fn commands_by_hand_count_against_no_limit() {
    let mut bench = limited(0, OnLimit::Escalate);
    for ticket in 0..20 {
        bench.ask(0, Ask::Restart, ticket);
        bench.ends(0, Exit::Shutdown);
        assert_eq!(answers(&bench.acknowledges(0)), [(ticket, Ok(()))]);
    }
    assert!(melts_down(&bench.ends(0, failed())), "a crash does");
}
