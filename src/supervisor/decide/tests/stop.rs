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
