//! Timers: which of those that were armed may still mean something.

use super::*;

/// Tells for each timer of this incarnation of child 0 whether it is kept: that of its start, and
/// then all others, which are kept together.
fn kept(bench: &Bench, incarnation: u64) -> (bool, bool) {
    let key = 0;
    let is_kept = |timer| bench.supervision.is_of_present_run(timer);
    let others = [
        Timer::BackoffOver { key, incarnation },
        Timer::DrainOver { key, incarnation },
        Timer::KillAt { key, incarnation },
        Timer::GiveUp { key, incarnation },
    ]
    .map(is_kept);
    assert!(others.iter().all(|is_kept| *is_kept == others[0]));
    (is_kept(Timer::StartTimeout { key, incarnation }), others[0])
}

#[test]
fn a_timer_is_kept_for_the_present_incarnation_and_that_of_a_start_until_it_is_up() {
    let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(Restart::Temporary)]);
    assert_eq!(kept(&bench, 1), (false, true), "up");
    bench.ask(0, Ask::Restart, 1);
    bench.ends(0, Exit::Shutdown);
    assert_eq!(kept(&bench, 1), (false, false), "of the run before");
    assert_eq!(kept(&bench, 2), (true, true), "starting");
    bench.ends(0, failed());
    assert_eq!(kept(&bench, 2), (false, false), "removed");
}

#[test]
fn the_timer_of_a_group_is_kept_while_a_group_restarts() {
    let mut bench = Bench::up(Strategy::OneForAll, None, &permanent::<2>());
    assert!(!bench.supervision.is_of_present_run(Timer::GroupDue));
    bench.ends(0, failed());
    assert!(bench.supervision.is_of_present_run(Timer::GroupDue));
}

#[test]
fn who_is_judged_when_a_timer_is_due_is_heard_first() {
    let (key, incarnation) = (3, 7);
    for timer in [
        Timer::StartTimeout { key, incarnation },
        Timer::DrainOver { key, incarnation },
        Timer::KillAt { key, incarnation },
        Timer::GiveUp { key, incarnation },
        Timer::StableDue { key, incarnation },
        Timer::StableTimeout { key, incarnation },
    ] {
        assert_eq!(timer.verdict_on(), Some((3, 7)), "{timer:?}");
    }
    // Nobody's run is meant.
    for timer in [Timer::BackoffOver { key, incarnation }, Timer::GroupDue] {
        assert_eq!(timer.verdict_on(), None, "{timer:?}");
    }
}
