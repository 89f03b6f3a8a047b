//! Group restarts: who stops, who starts again, what counts.

use super::*;

#[test]
fn one_for_all_stops_every_sibling_in_reverse_and_starts_all_in_order() {
    let mut bench = Bench::up(Strategy::OneForAll, None, &permanent::<3>());
    assert_eq!(stopped(&bench.ends(1, failed())), [2]);
    assert_eq!(stopped(&bench.ends(2, Exit::Shutdown)), [0]);
    assert_eq!(started(&bench.ends(0, Exit::Shutdown)), [(0, 2)]);
    assert_eq!(started(&bench.acknowledges(0)), [(1, 2)]);
    assert_eq!(started(&bench.acknowledges(1)), [(2, 2)]);
    assert_eq!(started(&bench.acknowledges(2)), NONE);
    assert_eq!(bench.supervision.mode, Mode::Running);
}

#[test]
fn rest_for_one_leaves_earlier_siblings_alone() {
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<3>());
    assert_eq!(stopped(&bench.ends(1, failed())), [2]);
    assert_eq!(started(&bench.ends(2, Exit::Shutdown)), [(1, 2)]);
    assert_eq!(started(&bench.acknowledges(1)), [(2, 2)]);
    bench.acknowledges(2);
    assert!(matches!(bench.phase(0), Phase::Up { .. }));
    assert_eq!(bench.incarnation(0), 1);
}

#[test]
fn a_start_that_fails_in_a_group_is_retried_from_there_or_from_the_first() {
    for (strategy, again) in [
        (Strategy::RestForOne, vec![]),
        (Strategy::OneForAll, vec![0]),
    ] {
        let three = permanent::<3>();
        let mut bench = Bench::up(strategy, None, &three);
        bench.ends(0, failed());
        bench.ends(2, Exit::Shutdown);
        bench.ends(1, Exit::Shutdown);
        bench.acknowledges(0);
        let actions = bench.ends(1, failed());
        assert_eq!(stopped(&actions), again, "{strategy:?}");
        if strategy == Strategy::RestForOne {
            assert_eq!(started(&actions), [(1, 3)]);
        } else {
            assert_eq!(started(&bench.ends(0, Exit::Shutdown)), [(0, 3)]);
        }
    }
}

#[test]
fn a_temporary_sibling_is_removed_by_a_group_restart() {
    let mut bench = Bench::up(
        Strategy::OneForAll,
        None,
        &[policy(Restart::Permanent), policy(Restart::Temporary)],
    );
    bench.ends(0, failed());
    let actions = bench.ends(1, Exit::Shutdown);
    assert!(actions.contains(&Action::Remove { key: 1 }));
    assert_eq!(started(&actions), [(0, 2)]);
}

#[test]
fn another_exit_during_a_group_restart_counts_once_and_cancels_the_start() {
    let two = Some(Intensity {
        restarts: 2,
        period: seconds(10),
    });
    let three = permanent::<3>();
    let mut bench = Bench::up(Strategy::RestForOne, two, &three);
    bench.ends(1, failed());
    bench.ends(2, Exit::Shutdown);
    // 1 is starting again when 0 fails: the group widens to 0, and 1 is killed.
    let actions = bench.ends(0, failed());
    assert_eq!(stopped(&actions), [1]);
    assert!(actions.contains(&Action::Kill { key: 1 }));
    assert_eq!(started(&bench.ends(1, Exit::Killed)), [(0, 2)]);
    let actions = bench.ends(0, failed());
    assert!(
        actions.contains(&Action::NoteSelf {
            kind: EventKind::Meltdown
        }),
        "the third decision"
    );
}

#[test]
fn a_member_that_ends_before_its_group_stops_it_counts_as_stopped() {
    let significant = Policy {
        is_significant: true,
        ..policy(Restart::Transient)
    };
    for (member, exit) in [
        (policy(Restart::Permanent), failed()),
        (policy(Restart::Temporary), failed()),
        (significant, Exit::Normal),
    ] {
        let is_temporary = member.restart == Restart::Temporary;
        let rules = Rules {
            auto_shutdown: AutoShutdown::AnySignificant,
            ..rules(Strategy::OneForAll, in_ten_seconds(1))
        };
        let other = policy(Restart::Permanent);
        let mut bench = Bench::up_with(rules, &[member, other.clone(), other.clone(), other]);
        assert_eq!(stopped(&bench.ends(2, failed())), [3]);
        // 3 is being stopped, 1 is next.
        let actions = bench.ends(0, exit);
        assert!(!melts_down(&actions), "the only decision was made before");
        assert!(stopped(&actions).is_empty());
        assert_eq!(stopped(&bench.ends(3, Exit::Shutdown)), [1]);
        let first = if is_temporary { (1, 2) } else { (0, 2) };
        assert_eq!(started(&bench.ends(1, Exit::Shutdown)), [first]);
        assert_eq!(bench.has(0), !is_temporary);
    }
}

#[test]
fn members_that_ended_during_the_start_share_one_restart() {
    for (strategy, second) in [
        (Strategy::OneForAll, policy(Restart::Permanent)),
        (Strategy::OneForAll, policy(Restart::Temporary)),
        (Strategy::RestForOne, policy(Restart::Permanent)),
    ] {
        let is_temporary = second.restart == Restart::Temporary;
        let [first, last] = permanent();
        let rules = rules(strategy, in_ten_seconds(1));
        let mut bench = Bench::new(rules, &[first, second, last]);
        bench.tell(Happened::Began);
        bench.acknowledges(0);
        bench.acknowledges(1);
        // 2 is starting: what its siblings' ends come to waits until it is up.
        bench.ends(0, failed());
        bench.ends(1, failed());
        let actions = bench.acknowledges(2);
        assert!(!melts_down(&actions), "one group, one decision");
        assert_eq!(stopped(&actions), [2]);
        assert_eq!(started(&bench.ends(2, Exit::Shutdown)), [(0, 2)]);
        let next = if is_temporary { (2, 2) } else { (1, 2) };
        assert_eq!(started(&bench.acknowledges(0)), [next]);
    }
}

/// Ends each of these children as a stop does, whoever is asked next.
fn stop_in_turn(bench: &mut Bench, keys: &[Key]) -> Vec<Action> {
    let ends = keys.iter().map(|key| bench.ends(*key, Exit::Shutdown));
    ends.flatten().collect()
}

/// Acknowledges the start of each of these children.
fn acknowledge_all(bench: &mut Bench, keys: std::ops::Range<Key>) {
    for key in keys {
        bench.acknowledges(key);
    }
}

/// A group of three whose restarts wait for so many seconds.
fn delayed(strategy: Strategy, delays: [u64; 3]) -> Bench {
    let children = delays.map(|delay| Policy {
        backoff: Backoff::fixed(seconds(delay)),
        ..policy(Restart::Permanent)
    });
    Bench::up(strategy, None, &children)
}

#[test]
fn a_group_stops_at_once_and_starts_after_the_failed_childs_backoff() {
    let mut bench = delayed(Strategy::OneForAll, [9, 3, 9]);
    let actions = bench.ends(1, failed());
    assert_eq!(stopped(&actions), [2]);
    assert_eq!(backs_off_until(&actions), Some(bench.now + seconds(3)));
    assert_eq!(started(&stop_in_turn(&mut bench, &[2, 0])), NONE);
    assert_eq!(started(&bench.pass(millis(2_999))), NONE);
    assert_eq!(started(&bench.pass(millis(1))), [(0, 2)]);
}

#[test]
fn a_group_whose_stop_takes_longer_than_the_backoff_starts_when_all_have_ended() {
    let mut bench = delayed(Strategy::OneForAll, [1, 1, 1]);
    bench.ends(0, failed());
    assert_eq!(started(&bench.pass(seconds(2))), NONE);
    assert_eq!(started(&bench.ends(2, Exit::Shutdown)), NONE);
    assert_eq!(started(&bench.ends(1, Exit::Shutdown)), [(0, 2)]);
}

#[test]
fn another_exit_meanwhile_keeps_the_later_instant() {
    for (delays, waits) in [([2, 7, 7], 9), ([9, 1, 1], 9)] {
        let mut bench = delayed(Strategy::RestForOne, delays);
        let began = bench.now;
        // The later child first: the group begins there, then widens.
        bench.ends(1, failed());
        bench.ends(2, Exit::Shutdown);
        let first = began + seconds(delays[1]);
        bench.ends(0, failed());
        let second = began + seconds(delays[0]);
        let until = first.max(second);
        let early = until - bench.now - millis(1);
        assert_eq!(started(&bench.pass(early)), NONE, "{delays:?}");
        assert_eq!(
            started(&bench.pass(millis(1))),
            [(0, 2)],
            "{delays:?}, {waits}"
        );
    }
}

#[test]
fn another_exit_meanwhile_widens_the_group_to_the_earliest_child() {
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<4>());
    assert_eq!(stopped(&bench.ends(2, failed())), [3]);
    // 3 is still stopping; 0 fails: 1 stops too, after 3.
    assert!(stopped(&bench.ends(0, failed())).is_empty());
    assert_eq!(stopped(&bench.ends(3, Exit::Shutdown)), [1]);
    assert_eq!(started(&bench.ends(1, Exit::Shutdown)), [(0, 2)]);
    acknowledge_all(&mut bench, 0..4);
    assert!(bench.is_running() && bench.is_up(3));
}

#[test]
fn exits_that_the_group_asked_for_do_not_count() {
    let mut bench = Bench::up(Strategy::OneForAll, in_ten_seconds(1), &permanent::<3>());
    bench.ends(0, failed());
    bench.ends(2, Exit::Killed);
    bench.ends(1, failed());
    acknowledge_all(&mut bench, 0..3);
    assert!(bench.is_running());
}

#[test]
fn a_fresh_child_that_fails_leaves_those_restarted_before_it_alone() {
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<3>());
    bench.ends(0, failed());
    stop_in_turn(&mut bench, &[2, 1]);
    bench.acknowledges(0);
    bench.acknowledges(1);
    // 2 is starting when 1 fails: its start is cancelled, 0 stays up.
    let actions = bench.ends(1, failed());
    assert_eq!((stopped(&actions), killed(&actions)), (vec![2], vec![2]));
    assert_eq!(started(&bench.ends(2, Exit::Killed)), [(1, 3)]);
    assert!(bench.is_up(0));
    acknowledge_all(&mut bench, 1..3);
    assert!(bench.is_running());
}

#[test]
fn a_group_goes_on_without_a_hung_child_and_has_it_back_by_its_type() {
    let mut bench = Bench::up(Strategy::OneForAll, None, &permanent::<3>());
    bench.ends(0, failed());
    // 2 neither stops nor dies at the kill.
    let actions = bench.pass(seconds(5));
    assert!(matches!(bench.phase(2), Phase::Hung { .. }));
    assert_eq!(stopped(&actions), [1]);
    assert_eq!(started(&bench.ends(1, Exit::Shutdown)), [(0, 2)]);
    acknowledge_all(&mut bench, 0..2);
    assert!(bench.is_running());
    assert_eq!(started(&bench.pass(seconds(600))), NONE);
    // Its end is that of a child of the group like any other.
    let actions = bench.ends(2, Exit::Killed);
    assert_eq!(stopped(&actions), [1]);
}

#[test]
fn a_hung_child_whose_task_ends_during_the_group_restart_takes_part_again() {
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<3>());
    bench.ends(1, failed());
    bench.pass(seconds(5));
    assert_eq!(bench.incarnation(1), 2, "1 starts without 2");
    // Another exit meanwhile: the start of 1 is cancelled, and the group is as wide as it was.
    let actions = bench.ends(2, Exit::Killed);
    assert_eq!((stopped(&actions), started(&actions)), (vec![1], vec![]));
    assert_eq!(started(&bench.ends(1, Exit::Killed)), [(1, 3)]);
    assert_eq!(started(&bench.acknowledges(1)), [(2, 2)]);
    bench.acknowledges(2);
    assert!(bench.is_running() && bench.incarnation(0) == 1);
}

#[test]
fn a_hand_stopped_child_starts_again_with_the_group() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut bench = Bench::up(strategy, None, &permanent::<2>());
        bench.ask(1, Ask::Stop, 0);
        bench.ends(1, Exit::Shutdown);
        assert_eq!(started(&bench.ends(0, failed())), [(0, 2)]);
        assert_eq!(started(&bench.acknowledges(0)), [(1, 2)], "{strategy:?}");
    }
}

#[test]
fn a_start_that_somebody_awaits_survives_a_group_restart() {
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<1>());
    let (key, _) = bench.adds(policy(Restart::Permanent), 5);
    let actions = bench.ends(0, failed());
    assert_eq!((killed(&actions), answers(&actions)), (vec![key], vec![]));
    let actions = bench.ends(key, Exit::Killed);
    assert_eq!(
        (started(&actions), answers(&actions)),
        (vec![(0, 2)], vec![])
    );
    assert_eq!(started(&bench.acknowledges(0)), [(key, 2)]);
    assert_eq!(answers(&bench.acknowledges(key)), [(5, Ok(()))]);
    assert!(bench.is_running());
}

#[test]
fn a_restart_by_hand_that_a_group_overtakes_is_answered_when_the_group_has_it_up() {
    let mut bench = Bench::up(Strategy::OneForAll, None, &permanent::<2>());
    bench.ask(1, Ask::Restart, 5);
    assert_eq!(started(&bench.ends(0, failed())), NONE);
    assert_eq!(started(&bench.ends(1, Exit::Shutdown)), [(0, 2)]);
    assert_eq!(started(&bench.acknowledges(0)), [(1, 2)]);
    assert_eq!(answers(&bench.acknowledges(1)), [(5, Ok(()))]);
}

#[test]
fn an_awaited_start_that_fails_within_a_group_is_answered_and_the_group_ends() {
    // Added at run time: it is removed again, and the group is complete without it.
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<1>());
    let (key, _) = bench.adds(policy(Restart::Permanent), 5);
    bench.ends(0, failed());
    bench.ends(key, Exit::Killed);
    bench.acknowledges(0);
    let actions = bench.ends(key, failed());
    assert_eq!(answers(&actions), [(5, Err(Refusal::Failed(failed())))]);
    assert!(!bench.has(key) && bench.is_running());
    // Restarted by hand: the group wants it up, whoever asked for it.
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<2>());
    bench.ask(1, Ask::Restart, 6);
    bench.ends(0, failed());
    bench.ends(1, Exit::Shutdown);
    bench.acknowledges(0);
    let actions = bench.ends(1, failed());
    assert_eq!(answers(&actions), [(6, Err(Refusal::Failed(failed())))]);
    assert_eq!(started(&actions), [(1, 3)]);
    bench.acknowledges(1);
    assert!(bench.is_running());
}

#[test]
fn a_transient_member_that_ended_well_starts_again_with_its_group() {
    let children = [policy(Restart::Permanent), policy(Restart::Transient)];
    let mut bench = Bench::up(Strategy::OneForAll, None, &children);
    bench.ends(1, Exit::Normal);
    assert_eq!(started(&bench.ends(0, failed())), [(0, 2)]);
    assert_eq!(started(&bench.acknowledges(0)), [(1, 2)]);
}

#[test]
fn a_temporary_child_that_fails_restarts_no_group() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let children = [policy(Restart::Temporary), policy(Restart::Permanent)];
        let mut bench = Bench::up(strategy, None, &children);
        let actions = bench.ends(0, failed());
        assert_eq!((stopped(&actions), started(&actions)), (vec![], vec![]));
        assert!(!bench.has(0) && bench.is_up(1), "{strategy:?}");
    }
}

#[test]
fn a_shutdown_during_a_group_restart_cancels_the_starts_and_walks_once() {
    // While the group stops, while it waits, and while it starts.
    for moment in 0..3 {
        let mut bench = delayed(Strategy::OneForAll, [3, 3, 3]);
        bench.ends(1, failed());
        if moment > 0 {
            stop_in_turn(&mut bench, &[2, 0]);
        }
        if moment > 1 {
            bench.pass(seconds(3));
            assert_eq!(bench.phase(0), Phase::Starting);
        }
        let mut actions = bench.stop_within(seconds(4));
        for key in [2, 0] {
            if bench.supervision.has_task(key) {
                actions.extend(bench.ends(key, Exit::Shutdown));
            }
        }
        actions.extend(bench.pass(seconds(60)));
        assert_eq!(started(&actions), NONE, "moment {moment}");
        let reported: Vec<_> = reports(&actions).into_iter().map(|(key, _)| key).collect();
        assert_eq!(reported, [2, 1, 0], "moment {moment}");
        assert_eq!(finished(&actions), Some(Exit::Shutdown), "moment {moment}");
    }
}

/// Starts three children of this supervisor; the first two end before the third is up.
fn ended_while_starting(rules: Rules, children: &[Policy], order: [Key; 2]) -> Vec<Action> {
    let mut bench = Bench::new(rules, children);
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    bench.acknowledges(1);
    for key in order {
        assert_eq!(bench.ends(key, failed()).len(), 1, "it is noted, no more");
    }
    let mut actions = bench.acknowledges(2);
    actions.extend(bench.ends(2, Exit::Shutdown));
    actions
}

#[test]
fn ends_that_waited_against_the_start_order_share_one_restart_only_where_all_restart() {
    for (strategy, is_one) in [(Strategy::OneForAll, true), (Strategy::RestForOne, false)] {
        let once = rules(strategy, in_ten_seconds(1));
        let actions = ended_while_starting(once, &permanent::<3>(), [1, 0]);
        assert_eq!(melts_down(&actions), !is_one, "{strategy:?}");
        let expected = if is_one { vec![(0, 2)] } else { vec![] };
        assert_eq!(started(&actions), expected, "{strategy:?}");
    }
}

#[test]
fn an_end_that_waited_counts_no_more_after_one_before_it_melted_the_supervisor_down() {
    let none = rules(Strategy::OneForOne, in_ten_seconds(0));
    let actions = ended_while_starting(none, &permanent::<3>(), [0, 1]);
    let kind = EventKind::Meltdown;
    let meltdowns = actions
        .iter()
        .filter(|action| **action == Action::NoteSelf { kind: kind.clone() });
    assert_eq!(meltdowns.count(), 1);
    assert_eq!(finished(&actions), Some(Exit::Meltdown));
}

#[test]
fn a_temporary_member_whose_start_somebody_awaits_is_stopped_for_good_by_its_group() {
    // Asked to restart by hand, and added at run time: the group overtakes both.
    let children = [policy(Restart::Permanent), policy(Restart::Temporary)];
    let mut bench = Bench::up(Strategy::OneForAll, None, &children);
    bench.ask(1, Ask::Restart, 5);
    bench.ends(0, failed());
    let actions = bench.ends(1, Exit::Shutdown);
    assert_eq!(answers(&actions), [(5, Err(Refusal::Stopped))]);
    assert_eq!((started(&actions), bench.has(1)), (vec![(0, 2)], false));
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<1>());
    let (key, _) = bench.adds(policy(Restart::Temporary), 6);
    bench.ends(0, failed());
    let actions = bench.ends(key, Exit::Killed);
    assert_eq!(answers(&actions), [(6, Err(Refusal::Stopped))]);
    assert_eq!((started(&actions), bench.has(key)), (vec![(0, 2)], false));
}

#[test]
fn a_child_outside_the_group_whose_start_by_hand_fails_stays_down() {
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<3>());
    bench.ends(1, failed());
    bench.ask(0, Ask::Restart, 1);
    bench.ends(0, Exit::Shutdown);
    let actions = bench.ends(0, failed());
    assert_eq!(answers(&actions), [(1, Err(Refusal::Failed(failed())))]);
    assert_eq!((started(&actions), bench.phase(0)), (vec![], Phase::Down));
    assert_eq!(started(&bench.ends(2, Exit::Shutdown)), [(1, 2)]);
}
