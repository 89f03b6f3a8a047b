//! Tables of decisions: each row of restart type × exit, strategy, and limit.

use std::time::Duration;

use tokio::time::Instant;

use super::{Action, Happened, Mode, Rules, StopTimes, Supervision, Timer};
use crate::child::Kind;
use crate::event::EventKind;
use crate::exit::{ErrorChain, Exit, Panic};
use crate::policy::auto_shutdown::AutoShutdown;
use crate::policy::backoff::{Backoff, Jitter};
use crate::policy::intensity::Intensity;
use crate::policy::limit::OnLimit;
use crate::policy::restart::{Restart, Strategy};
use crate::policy::stop::{OnHung, Stop};
use crate::shutdown::report::Outcome;
use crate::supervisor::children::{Key, Phase, Policy, Reserve};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn policy(restart: Restart) -> Policy {
    Policy {
        restart,
        backoff: Backoff::none(),
        start_timeout: Some(seconds(30)),
        stop_timeout: Some(seconds(5)),
        worst_case_stop: seconds(5),
        stop_reserve: Reserve::Default,
        kind: Kind::Task,
        limit: None,
        on_limit: OnLimit::Quarantine,
        is_significant: false,
        stop: Stop::Ask,
        on_hung: OnHung::Report,
    }
}

fn rules(strategy: Strategy, intensity: Option<Intensity>) -> Rules {
    Rules {
        strategy,
        intensity,
        on_limit: OnLimit::Escalate,
        auto_shutdown: AutoShutdown::Never,
    }
}

/// A supervisor under test with its own clock.
struct Bench {
    supervision: Supervision,
    now: Instant,
}

impl Bench {
    /// Starts three children of the given types and acknowledges each start.
    fn up(strategy: Strategy, intensity: Option<Intensity>, children: &[Policy]) -> Self {
        let rules = rules(strategy, intensity);
        let supervision = Supervision::new(rules, Jitter::seeded(1), Instant::now());
        let mut bench = Self {
            supervision,
            now: Instant::now(),
        };
        for (key, policy) in children.iter().enumerate() {
            bench.supervision.add(key as Key, policy.clone(), 0);
        }
        let mut actions = bench.tell(Happened::Began);
        while let Some((key, incarnation)) = started(&actions).first().copied() {
            actions = bench.tell(Happened::Started { key, incarnation });
        }
        assert!(actions.contains(&Action::Up));
        bench
    }

    fn tell(&mut self, happened: Happened) -> Vec<Action> {
        self.supervision.decide(happened, self.now)
    }

    fn ends(&mut self, key: Key, exit: Exit) -> Vec<Action> {
        let incarnation = self.supervision.children[&key].incarnation;
        self.tell(Happened::Ended {
            key,
            incarnation,
            exit,
        })
    }

    fn acknowledges(&mut self, key: Key) -> Vec<Action> {
        let incarnation = self.supervision.children[&key].incarnation;
        self.tell(Happened::Started { key, incarnation })
    }

    fn phase(&self, key: Key) -> Phase {
        self.supervision.children[&key].phase
    }
}

fn started(actions: &[Action]) -> Vec<(Key, u64)> {
    let start = |action: &Action| match action {
        Action::Start { key, incarnation } => Some((*key, *incarnation)),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

fn stopped(actions: &[Action]) -> Vec<Key> {
    let stop = |action: &Action| match action {
        Action::Stop { key, .. } => Some(*key),
        _ => None,
    };
    actions.iter().filter_map(stop).collect()
}

fn failed() -> Exit {
    Exit::Failed(ErrorChain::message("no"))
}

fn every_exit() -> Vec<Exit> {
    let panic = Panic {
        message: "boom".into(),
        location: None,
    };
    vec![
        Exit::Normal,
        Exit::Shutdown,
        failed(),
        Exit::Panicked(panic),
        Exit::Killed,
        Exit::Meltdown,
    ]
}

#[test]
fn the_restart_type_and_the_exit_decide_whether_a_child_comes_back() {
    let abnormal_only = [false, false, true, true, true, true];
    let table = [
        (Restart::Permanent, [true; 6]),
        (Restart::Transient, abnormal_only),
        (Restart::Temporary, [false; 6]),
    ];
    for (restart, expected) in table {
        for (exit, comes_back) in every_exit().into_iter().zip(expected) {
            let mut bench = Bench::up(Strategy::OneForOne, None, &[policy(restart)]);
            let actions = bench.ends(0, exit.clone());
            let row = format!("{restart:?} × {exit:?}");
            assert_eq!(started(&actions) == [(0, 2)], comes_back, "{row}");
            let removed = actions.contains(&Action::Remove { key: 0 });
            assert_eq!(removed, restart == Restart::Temporary, "{row}");
        }
    }
}

#[test]
fn children_start_in_order_each_after_the_one_before_is_acknowledged() {
    let supervision = Supervision::new(
        rules(Strategy::OneForOne, None),
        Jitter::seeded(1),
        Instant::now(),
    );
    let mut bench = Bench {
        supervision,
        now: Instant::now(),
    };
    for key in 0..3 {
        bench.supervision.add(key, policy(Restart::Permanent), 0);
    }
    assert_eq!(started(&bench.tell(Happened::Began)), [(0, 1)]);
    assert_eq!(started(&bench.acknowledges(0)), [(1, 1)]);
    assert_eq!(started(&bench.acknowledges(1)), [(2, 1)]);
    assert!(bench.acknowledges(2).contains(&Action::Up));
}

#[test]
fn a_failed_initial_start_stops_what_is_up_in_reverse_and_is_never_retried() {
    let supervision = Supervision::new(
        rules(Strategy::OneForOne, None),
        Jitter::seeded(1),
        Instant::now(),
    );
    let mut bench = Bench {
        supervision,
        now: Instant::now(),
    };
    for key in 0..3 {
        bench.supervision.add(key, policy(Restart::Permanent), 0);
    }
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
    let supervision = Supervision::new(
        rules(Strategy::OneForOne, None),
        Jitter::seeded(1),
        Instant::now(),
    );
    let mut bench = Bench {
        supervision,
        now: Instant::now(),
    };
    for key in 0..2 {
        bench.supervision.add(key, policy(Restart::Permanent), 0);
    }
    bench.tell(Happened::Began);
    bench.acknowledges(0);
    assert_eq!(started(&bench.ends(0, failed())), NONE);
    let actions = bench.acknowledges(1);
    assert_eq!(started(&actions), [(0, 2)]);
}

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
        let incarnation = bench.supervision.children[&0].incarnation;
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
fn one_for_all_stops_every_sibling_in_reverse_and_starts_all_in_order() {
    let mut bench = Bench::up(
        Strategy::OneForAll,
        None,
        &[
            policy(Restart::Permanent),
            policy(Restart::Permanent),
            policy(Restart::Permanent),
        ],
    );
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
    let mut bench = Bench::up(
        Strategy::RestForOne,
        None,
        &[
            policy(Restart::Permanent),
            policy(Restart::Permanent),
            policy(Restart::Permanent),
        ],
    );
    assert_eq!(stopped(&bench.ends(1, failed())), [2]);
    assert_eq!(started(&bench.ends(2, Exit::Shutdown)), [(1, 2)]);
    assert_eq!(started(&bench.acknowledges(1)), [(2, 2)]);
    bench.acknowledges(2);
    assert!(matches!(bench.phase(0), Phase::Up { .. }));
    assert_eq!(bench.supervision.children[&0].incarnation, 1);
}

#[test]
fn a_start_that_fails_in_a_group_is_retried_from_there_or_from_the_first() {
    for (strategy, again) in [
        (Strategy::RestForOne, vec![]),
        (Strategy::OneForAll, vec![0]),
    ] {
        let three = [
            policy(Restart::Permanent),
            policy(Restart::Permanent),
            policy(Restart::Permanent),
        ];
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
    let three = [
        policy(Restart::Permanent),
        policy(Restart::Permanent),
        policy(Restart::Permanent),
    ];
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
fn shutdown_stops_in_reverse_and_nothing_restarts_after_it_began() {
    let three = [
        policy(Restart::Permanent),
        policy(Restart::Permanent),
        policy(Restart::Permanent),
    ];
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
    let three = [
        policy(Restart::Permanent),
        policy(Restart::Permanent),
        policy(Restart::Permanent),
    ];
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

/// Nothing was started.
const NONE: [(Key, u64); 0] = [];
