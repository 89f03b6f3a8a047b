//! What the gate lets through, and what it doesn't.

use super::{Round, Verdict, judge, threshold_of, waivers};
use crate::report::Better;

/// Rounds of a base that comes out `noise` apart from itself, and of a build that is `slower` times as slow.
fn rounds(slower: f64, noise: f64) -> Vec<Round> {
    let round = |number: i32| {
        // Each round has its own luck, which is the same for both builds.
        let luck = 1.0 + 0.3 * f64::from(number % 3);
        let apart = if number % 2 == 0 {
            1.0 + noise
        } else {
            1.0 / (1.0 + noise)
        };
        Round {
            base: 100.0 * luck,
            current: 100.0 * luck * slower * apart,
            again: 100.0 * luck * apart,
        }
    };
    (0..8).map(round).collect()
}

#[test]
fn what_is_slower_than_it_may_be_is_caught_and_a_rerun_is_not() {
    for (slower, noise, expected) in [
        (1.0, 0.0, Verdict::Kept),
        (1.0, 0.05, Verdict::Kept),
        (1.0, 0.09, Verdict::Kept),
        (1.05, 0.02, Verdict::Kept),
        (1.2, 0.0, Verdict::Worse),
        (1.2, 0.05, Verdict::Worse),
        (1.2, 0.08, Verdict::Worse),
        (0.5, 0.05, Verdict::Kept),
        (1.2, 0.8, Verdict::Noisy),
        (1.0, 0.8, Verdict::Noisy),
    ] {
        let judged = judge(&rounds(slower, noise), Better::Lower, 0.1);
        assert_eq!(
            judged.verdict, expected,
            "{slower} with noise {noise}: {judged:?}"
        );
    }
}

#[test]
fn of_a_rate_less_is_worse() {
    for (slower, expected) in [(1.0 / 1.2, Verdict::Worse), (1.2, Verdict::Kept)] {
        let judged = judge(&rounds(slower, 0.02), Better::Higher, 0.1);
        assert_eq!(judged.verdict, expected, "{slower}: {judged:?}");
    }
}

#[test]
fn nothing_against_nothing_is_equal_and_something_against_nothing_is_worse() {
    let round = |current| Round {
        base: 0.0,
        current,
        again: 0.0,
    };
    assert_eq!(
        judge(&[round(0.0); 5], Better::Lower, 0.1).verdict,
        Verdict::Kept
    );
    assert_eq!(
        judge(&[round(1.0); 5], Better::Lower, 0.1).verdict,
        Verdict::Worse
    );
}

#[test]
fn a_figure_has_the_threshold_of_its_rig() {
    for (rig, figure, share) in [
        ("perf_bus_fanout", "p95", Some(0.10)),
        ("perf_bus_fanout", "p99", Some(0.15)),
        ("perf_bus_fanout", "p50", None),
        ("perf_restart_storm", "respawn p95", Some(0.20)),
        ("perf_config_reload", "swap p95", Some(0.20)),
        ("perf_soak", "memory", Some(0.15)),
        ("perf_bus_fanout", "cpu", Some(0.15)),
    ] {
        assert_eq!(threshold_of(rig, figure), share, "{rig}, {figure}");
    }
}

#[test]
fn a_waiver_needs_a_reason() {
    let with = |reason: &str| {
        format!("[[waiver]]\nwork = \"r\"\nfigure = \"p95\"\nreason = \"{reason}\"\n")
    };
    assert_eq!(waivers(&with("the lock is fair now")).unwrap().len(), 1);
    assert!(waivers(&with(" ")).unwrap_err().contains("has no reason"));
    assert!(waivers("[[waiver]]\nwork = \"r\"\nfigure = \"p95\"\n").is_err());
    assert_eq!(waivers("").unwrap(), []);
}
