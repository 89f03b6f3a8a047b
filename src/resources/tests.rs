//! Samples that are kept, and limits that are reached.

use super::{Excess, HISTORY_KEPT, History, Limit, Resource, ResourceLimits, Sample, judge};
use std::time::Duration;
use tokio::time::Instant;

fn used(at: Instant, cpu_millis: u64, amount: u64) -> Sample {
    Sample {
        at,
        cpu: Duration::from_millis(cpu_millis),
        resident_bytes: amount,
        virtual_bytes: 0,
        threads: amount,
        descriptors: amount,
        max_descriptors: None,
    }
}

fn limit(soft: f64, hard: f64) -> Limit {
    Limit {
        soft: Some(soft),
        hard: Some(hard),
    }
}

#[test]
fn a_limit_is_reached_at_its_value_and_the_hard_one_counts() {
    let now = Instant::now();
    let limits = ResourceLimits {
        memory: limit(10.0, 20.0),
        threads: limit(10.0, 20.0),
        ..ResourceLimits::default()
    };
    for (amount, expected) in [
        (9, None),
        (10, Some(false)),
        (19, Some(false)),
        (20, Some(true)),
    ] {
        let found = judge(&limits, None, &used(now, 0, amount));
        let hardness: Vec<_> = found
            .iter()
            .map(|excess| (excess.resource, excess.is_hard))
            .collect();
        let expected: Vec<_> = expected
            .map(|is_hard| vec![(Resource::Memory, is_hard), (Resource::Threads, is_hard)])
            .unwrap_or_default();
        assert_eq!(hardness, expected, "{amount}");
    }
}

#[test]
fn cpu_time_is_judged_between_two_samples() {
    let began = Instant::now();
    let before = used(began, 1_000, 0);
    let after = used(began + Duration::from_secs(2), 2_600, 0);
    let limits = ResourceLimits {
        cpu: limit(80.0, 90.0),
        ..ResourceLimits::default()
    };
    let expected = Excess {
        resource: Resource::Cpu,
        is_hard: false,
        value: 80.0,
        limit: 80.0,
    };
    assert_eq!(judge(&limits, Some(&before), &after), [expected]);
    assert_eq!(judge(&limits, None, &after), []);
    assert_eq!(judge(&limits, Some(&after), &after), []);
    assert_eq!(expected.to_string(), "cpu: 80 %, the soft limit is 80 %");
}

#[test]
fn the_history_is_bounded() {
    let began = Instant::now();
    let mut history = History::default();
    for number in 0..HISTORY_KEPT as u64 + 5 {
        history.push(used(began, number, 0));
    }
    assert_eq!(history.iter().len(), HISTORY_KEPT);
    assert_eq!(
        history.iter().next().map(|oldest| oldest.cpu.as_millis()),
        Some(5)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_sample_sees_this_process() {
    let before = super::sample().expect("there is a /proc");
    let open: Vec<_> = (0..10)
        .map(|_| std::fs::File::open("/dev/null").expect("it opens"))
        .collect();
    let after = super::sample().expect("there is a /proc");
    assert!(before.resident_bytes > 0 && before.threads > 0);
    assert!(after.descriptors >= open.len() as u64);
}
