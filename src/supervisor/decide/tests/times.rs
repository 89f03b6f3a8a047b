//! The time of a stop: drains, brutal stops, extensions, reserves.

use super::*;

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
    assert_eq!(bench.pass(Duration::ZERO), [], "told once");
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
fn a_child_that_is_killed_gets_the_time_that_a_task_needs_to_die_however_little_it_was_given() {
    let no_time = |stop| Policy {
        stop_timeout: Some(Duration::ZERO),
        worst_case_stop: Duration::ZERO,
        ..stops(stop)
    };
    for stop in [Stop::Ask, Stop::Brutal] {
        let mut bench = Bench::up(Strategy::OneForOne, None, &[no_time(stop)]);
        bench.ask(0, Ask::Stop, 1);
        bench.pass(millis(1));
        let phase = bench.phase(0);
        assert!(matches!(phase, Phase::Stopping(_)), "{stop:?}: {phase:?}");
        let actions = bench.ends(0, Exit::Killed);
        let answer = Action::Answer {
            ticket: 1,
            outcome: Ok(()),
        };
        assert!(actions.contains(&answer), "{stop:?}: {actions:?}");
    }
}

#[test]
fn nobody_is_told_a_later_instant_than_the_supervisors_above_have() {
    let bounded = || {
        let mut bench = Bench::up(Strategy::OneForOne, None, &permanent::<1>());
        let bound = bench.now + seconds(2);
        bench.supervision.set_bound(Some(bound));
        bench
    };
    let mut by_hand = bounded();
    by_hand.ask(0, Ask::Stop, 1);
    assert_eq!(by_hand.time_left(0), seconds(2));
    let mut in_turn = bounded();
    in_turn.stop_within(seconds(4));
    assert_eq!(in_turn.time_left(0), seconds(2));
}
