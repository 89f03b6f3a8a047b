//! Significant children: when their end ends the supervisor.

use super::*;

fn significant(restart: Restart) -> Policy {
    Policy {
        is_significant: true,
        ..policy(restart)
    }
}

fn supervisor(auto_shutdown: AutoShutdown, strategy: Strategy, children: &[Policy]) -> Bench {
    let rules = Rules {
        auto_shutdown,
        ..rules(strategy, None)
    };
    Bench::up_with(rules, children)
}

/// Tells whether it is on its way out, or there already.
fn is_leaving(bench: &Bench) -> bool {
    matches!(
        bench.supervision.mode,
        Mode::Ended
            | Mode::Leaving {
                exit: Exit::Shutdown,
                ..
            }
    )
}

#[test]
fn the_end_for_good_of_a_significant_child_ends_the_supervisor_as_declared() {
    use AutoShutdown::{AllSignificant, AnySignificant, Never};
    for auto_shutdown in [Never, AnySignificant, AllSignificant] {
        for restart in [Restart::Transient, Restart::Temporary] {
            for (exit, is_abnormal) in every_exit() {
                let row = format!("{auto_shutdown:?} × {restart:?} × {exit:?}");
                let children = [
                    significant(restart),
                    significant(restart),
                    policy(Restart::Permanent),
                ];
                let mut bench = supervisor(auto_shutdown, Strategy::OneForOne, &children);
                let ends_for_good = restart == Restart::Temporary || !is_abnormal;
                bench.ends(0, exit.clone());
                let ends_first = ends_for_good && auto_shutdown == AnySignificant;
                assert_eq!(is_leaving(&bench), ends_first, "{row}");
                if ends_for_good && !ends_first {
                    bench.ends(1, exit.clone());
                    let ends_second = auto_shutdown == AllSignificant;
                    assert_eq!(is_leaving(&bench), ends_second, "{row}");
                }
            }
        }
    }
}

#[test]
fn an_end_of_a_child_that_is_not_significant_ends_nothing() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let children = [policy(restart), significant(restart)];
        let mut bench = supervisor(AutoShutdown::AnySignificant, Strategy::OneForOne, &children);
        bench.ends(0, Exit::Normal);
        assert!(bench.is_running(), "{restart:?}");
    }
}

#[test]
fn a_supervisor_that_has_nothing_left_to_do_stops_the_rest_in_reverse() {
    let children = [
        policy(Restart::Permanent),
        significant(Restart::Transient),
        policy(Restart::Permanent),
    ];
    let mut bench = supervisor(AutoShutdown::AnySignificant, Strategy::OneForOne, &children);
    assert_eq!(stopped(&bench.ends(1, Exit::Normal)), [2]);
    assert_eq!(stopped(&bench.ends(2, Exit::Shutdown)), [0]);
    let actions = bench.ends(0, Exit::Shutdown);
    assert_eq!(finished(&actions), Some(Exit::Shutdown));
}

#[test]
fn a_stop_by_hand_never_ends_the_supervisor() {
    for restart in [Restart::Transient, Restart::Temporary] {
        for auto_shutdown in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
            let mut bench = supervisor(auto_shutdown, Strategy::OneForOne, &[significant(restart)]);
            bench.ask(0, Ask::Stop, 1);
            bench.ends(0, Exit::Normal);
            assert!(bench.is_running(), "{restart:?} × {auto_shutdown:?}");
        }
    }
}

#[test]
fn a_stop_by_hand_of_a_hung_child_that_ends_after_all_never_ends_the_supervisor() {
    let children = [significant(Restart::Temporary)];
    let mut bench = supervisor(AutoShutdown::AnySignificant, Strategy::OneForOne, &children);
    bench.ask(0, Ask::Stop, 1);
    bench.pass(seconds(5));
    bench.ends(0, Exit::Killed);
    assert!(bench.is_running() && !bench.has(0));
}

#[test]
fn a_group_restart_never_ends_the_supervisor() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let children = [policy(Restart::Permanent), significant(restart)];
        let mut bench = supervisor(AutoShutdown::AnySignificant, Strategy::OneForAll, &children);
        bench.ends(0, failed());
        bench.ends(1, Exit::Normal);
        assert!(!is_leaving(&bench), "{restart:?}");
        bench.acknowledges(0);
        if bench.has(1) {
            bench.acknowledges(1);
        }
        assert!(bench.is_running(), "{restart:?}");
    }
}

#[test]
fn a_member_that_a_group_could_not_stop_never_ends_the_supervisor() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let children = [policy(Restart::Permanent), significant(restart)];
        let mut bench = supervisor(AutoShutdown::AnySignificant, Strategy::OneForAll, &children);
        bench.ends(0, failed());
        bench.pass(seconds(5));
        bench.acknowledges(0);
        assert!(matches!(bench.phase(1), Phase::Hung { .. }));
        bench.ends(1, Exit::Shutdown);
        assert!(!is_leaving(&bench), "{restart:?}");
    }
}

#[test]
fn all_significant_waits_for_one_that_is_quarantined_backs_off_or_hangs() {
    let quarantined = Policy {
        limit: in_ten_seconds(0),
        ..significant(Restart::Transient)
    };
    let backing_off = Policy {
        backoff: Backoff::fixed(seconds(5)),
        ..significant(Restart::Transient)
    };
    let children = [
        quarantined,
        backing_off,
        significant(Restart::Transient),
        significant(Restart::Temporary),
    ];
    let mut bench = supervisor(AutoShutdown::AllSignificant, Strategy::OneForOne, &children);
    assert!(is_quarantined(&bench.ends(0, failed()), 0));
    bench.ends(1, failed());
    bench.is_over(2);
    bench.pass(KILL_PATIENCE);
    assert!(matches!(bench.phase(2), Phase::Hung { .. }));
    bench.ends(3, Exit::Normal);
    assert!(bench.is_running(), "three are not over yet");
    bench.ends(2, Exit::Normal);
    assert!(bench.is_running(), "two are not");
    bench.pass(seconds(5));
    bench.acknowledges(1);
    bench.ends(1, Exit::Normal);
    assert!(bench.is_running(), "one is not");
    bench.ask(0, Ask::Release, 1);
    bench.acknowledges(0);
    bench.ends(0, Exit::Normal);
    assert!(is_leaving(&bench));
}

#[test]
fn one_that_was_stopped_by_hand_is_over_for_those_that_end_after_it() {
    let children = [
        significant(Restart::Transient),
        significant(Restart::Transient),
    ];
    let mut bench = supervisor(AutoShutdown::AllSignificant, Strategy::OneForOne, &children);
    bench.ask(0, Ask::Stop, 1);
    bench.ends(0, Exit::Shutdown);
    assert!(bench.is_running());
    bench.ends(1, Exit::Normal);
    assert!(is_leaving(&bench));
}

#[test]
fn a_significant_child_of_a_dynamic_supervisor_may_end_it() {
    let mut bench = supervisor(AutoShutdown::AllSignificant, Strategy::Dynamic, &[]);
    let (first, _) = bench.adds(significant(Restart::Temporary), 1);
    let (second, _) = bench.adds(significant(Restart::Temporary), 2);
    bench.acknowledges(first);
    bench.acknowledges(second);
    bench.ends(first, failed());
    assert!(bench.is_running());
    bench.ends(second, failed());
    assert!(is_leaving(&bench));
}

#[test]
fn an_end_during_the_initial_start_ends_the_supervisor_once_all_are_up() {
    let rules = Rules {
        auto_shutdown: AutoShutdown::AnySignificant,
        ..rules(Strategy::OneForOne, None)
    };
    let children = [significant(Restart::Transient), policy(Restart::Permanent)];
    let mut bench = Bench::new(rules, &children);
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    bench.ends(0, Exit::Normal);
    assert!(!is_leaving(&bench));
    assert!(bench.acknowledges(1).contains(&Action::Up));
    assert!(is_leaving(&bench));
}

#[test]
fn a_significant_end_after_the_shutdown_began_leaves_the_order_of_the_stop_alone() {
    let children = [significant(Restart::Transient), policy(Restart::Permanent)];
    let mut bench = supervisor(AutoShutdown::AnySignificant, Strategy::OneForOne, &children);
    bench.tell(Happened::ShutdownBegan);
    bench.ends(0, Exit::Normal);
    assert!(!is_leaving(&bench));
    assert!(bench.is_up(1));
}
