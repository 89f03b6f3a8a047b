//! What is due when, whoever asked for the end and in whatever order.

use std::time::Duration;

use tokio::time::Instant;

use super::{Course, Due, ERROR_PATIENCE, FORCE_PATIENCE};
use crate::daemon::DaemonExit;
use crate::daemon::orders::{Told, Wish};
use crate::exit::Exit;
use crate::path::Path;
use crate::shutdown::ladder::Ladder;
use crate::shutdown::report::{Outcome, StopReport, Stopped};
use crate::shutdown::{Shutdown, ShutdownReason};
use crate::signals::Signal;
use crate::supervisor::Leaving;

const SECOND: Duration = Duration::from_secs(1);
const TERM: ShutdownReason = ShutdownReason::Signal(15);

fn wish(at: Instant, drain: u32) -> Told {
    let wish = Wish {
        reason: TERM,
        at,
        drain: drain * SECOND,
        ladder: Ladder::default(),
    };
    Told {
        wish: Some(wish),
        ..Told::default()
    }
}

fn forced(told: Told) -> Told {
    Told {
        forced_by: Some(Signal::INTERRUPT),
        ..told
    }
}

fn stop(by: Instant) -> Due {
    Due::Stop { reason: TERM, by }
}

#[test]
fn after_the_drain_the_tree_stops_and_at_force_nobody_waits() {
    let now = Instant::now();
    let mut course = Course::default();
    assert_eq!(course.next(), None);
    course.told(&wish(now, 7), now);
    // Longer than `graceful`: the ladder counts from its end.
    let begin = stop(now + 12 * SECOND);
    assert_eq!(course.next(), Some((now + 7 * SECOND, begin)));
    course.done(begin);
    let late = Due::GiveUp(DaemonExit::Late);
    assert_eq!(course.next(), Some((now + 17 * SECOND, late)));
    let shutdown = Shutdown {
        reason: TERM,
        deadline: now + 12 * SECOND,
    };
    let steps = course.tree_began(shutdown, Ladder::default());
    assert_eq!(steps.kill, now + 22 * SECOND);
    assert_eq!(course.next(), Some((now + 17 * SECOND, late)));
}

#[test]
fn a_second_signal_ends_the_drain_and_the_patience_at_once_and_only_once() {
    let now = Instant::now();
    let mut course = Course::default();
    let told = wish(now, 7);
    course.told(&told, now);
    let second = now + SECOND;
    course.told(&forced(told), second);
    assert_eq!(course.next(), Some((second, stop(second))));
    course.done(stop(second));
    let by = (second + FORCE_PATIENCE, Due::GiveUp(DaemonExit::Forced(2)));
    assert_eq!(course.next(), Some(by));
    // What begins with it does not change how it ends.
    let shutdown = Shutdown {
        reason: TERM,
        deadline: second,
    };
    course.tree_began(shutdown, Ladder::default());
    assert_eq!(course.given_up(), DaemonExit::Forced(2));
    course.told(&forced(told), second + SECOND);
    assert_eq!(course.next(), Some(by));
    assert_eq!(course.forced(), Some(DaemonExit::Forced(2)));
}

#[test]
fn a_shutdown_that_the_tree_began_itself_has_the_same_steps() {
    let now = Instant::now();
    let mut course = Course::default();
    let shutdown = |reason, seconds| Shutdown {
        reason,
        deadline: now + seconds * SECOND,
    };
    let exhausted = shutdown(ShutdownReason::ResourceExhausted, 2);
    let steps = course.tree_began(exhausted, Ladder::default());
    assert_eq!(steps.kill, now + 12 * SECOND);
    let late = Due::GiveUp(DaemonExit::Late);
    assert_eq!(course.next(), Some((now + 7 * SECOND, late)));
    // A signal that comes later neither begins it again nor gives it more time.
    course.told(&wish(now + SECOND, 3), now + SECOND);
    assert_eq!(course.next(), Some((now + 7 * SECOND, late)));
    let mut failed = Course::default();
    failed.tree_began(shutdown(ShutdownReason::Error, 2), Ladder::default());
    let at = now + 2 * SECOND + ERROR_PATIENCE;
    assert_eq!(failed.next(), Some((at, Due::GiveUp(DaemonExit::Failed))));
    failed.told(&wish(now + SECOND, 3), now + SECOND);
    assert_eq!(failed.next(), Some((at, Due::GiveUp(DaemonExit::Failed))));
}

#[test]
fn a_tree_that_ends_by_itself_has_the_same_steps_and_can_still_be_told_to_stop() {
    let now = Instant::now();
    let leaving = |exit| Leaving {
        exit,
        deadline: now + 2 * SECOND,
    };
    let soon = now + 2 * SECOND + ERROR_PATIENCE;
    for (exit, at, ends) in [
        (Exit::Shutdown, now + 7 * SECOND, DaemonExit::Late),
        (Exit::Meltdown, soon, DaemonExit::Meltdown),
        (Exit::Killed, soon, DaemonExit::Failed),
    ] {
        let mut course = Course::default();
        let steps = course.tree_leaves(&leaving(exit), Ladder::default());
        assert_eq!((steps.kill, course.given_up()), (now + 12 * SECOND, ends));
        let give_up = (at, Due::GiveUp(ends));
        assert_eq!(course.next(), Some(give_up));
        course.told(&wish(now, 1), now);
        assert_eq!(course.next(), Some((now + SECOND, stop(now + 6 * SECOND))));
        course.done(stop(now + 6 * SECOND));
        assert_eq!(course.next(), Some(give_up), "no later for the signal");
    }
}

#[test]
fn how_it_ended_is_read_from_the_report_the_instants_and_the_second_signal() {
    use DaemonExit::{Clean, Forced, Late};
    let now = Instant::now();
    let (early, late) = (now + SECOND, now + 6 * SECOND);
    let begun = |told: Option<Told>, shutdown: Shutdown| {
        let mut course = Course::default();
        if let Some(told) = told {
            course.told(&told, now);
        }
        course.tree_began(shutdown, Ladder::default());
        course
    };
    let by = |seconds| Shutdown {
        reason: TERM,
        deadline: now + seconds * SECOND,
    };
    let asked = || begun(Some(wish(now, 0)), by(5));
    let forced = || begun(Some(forced(wish(now, 0))), by(0));
    let (clean, hung) = (Outcome::Stopped, Outcome::Hung);
    for (what, course, (allotted, spent, outcome), at, exit) in [
        ("in time", asked(), (5, 1, &clean), early, Clean),
        ("begun late", asked(), (0, 1, &clean), late, Late),
        // The program gave it no time, and it took none of what the ladder gives.
        ("at once", begun(None, by(5)), (0, 1, &clean), early, Clean),
        ("too long", asked(), (5, 6, &clean), late, Late),
        ("hangs", asked(), (5, 1, &hung), early, Late),
        ("forced", forced(), (0, 1, &clean), early, Forced(2)),
        ("both", forced(), (5, 1, &hung), late, Forced(2)),
    ] {
        let report = report(TERM, (allotted, spent), outcome);
        assert_eq!(course.exit(&report, Ladder::default(), at), exit, "{what}");
    }
    // No signal makes a success, or an end of another kind, of a tree that failed.
    let failed = report(ShutdownReason::Error, (5, 1), &hung);
    let exit = forced().exit(&failed, Ladder::default(), late);
    assert_eq!(exit, DaemonExit::Failed);
}

fn report(reason: ShutdownReason, (allotted, spent): (u32, u32), outcome: &Outcome) -> StopReport {
    StopReport {
        reason,
        exit: Exit::Shutdown,
        root: Stopped {
            path: Path::root("app"),
            allotted: allotted * SECOND,
            spent: spent * SECOND,
            outcome: outcome.clone(),
            children: Vec::new(),
        },
        guards: Vec::new(),
    }
}

#[test]
fn what_a_tree_left_behind_is_waited_for_also_when_the_drain_is_not_over() {
    let now = Instant::now();
    let mut course = Course::default();
    course.told(&wish(now, 7), now);
    assert!(matches!(course.next(), Some((_, Due::Stop { .. }))));
    assert_eq!(course.gives_up_at(), Some(now + 17 * SECOND), "`force`");
}

#[test]
fn a_tree_that_leaves_while_its_end_was_wished_has_the_ladder_of_the_wish() {
    let now = Instant::now();
    let mut course = Course::default();
    course.told(&wish(now, 7), now);
    let reloaded = Ladder::try_new(SECOND, 100 * SECOND, 200 * SECOND).expect("a ladder");
    let leaving = Leaving {
        exit: Exit::Shutdown,
        deadline: now + 12 * SECOND,
    };
    assert_eq!(
        course.tree_leaves(&leaving, reloaded).kill,
        now + 22 * SECOND
    );
}
