//! Claims on a stop that is asked for, put off and waited for by several threads, in many orders.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{EarlyNotice, Shutdown, ShutdownReason, StopSignal};
use crate::sync::races::{block_on, check, spawn};

/// Long beside everything that happens here.
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_stop_that_is_asked_for_while_a_run_begins_to_listen_is_heard() {
    for drains_first in [false, true] {
        check(move || {
            let signal = Arc::<StopSignal>::default();
            let now = Instant::now();
            let listeners = [(); 2].map(|()| {
                let signal = Arc::clone(&signal);
                spawn(move || block_on(signal.requested()))
            });
            let other = spawn({
                let signal = Arc::clone(&signal);
                move || signal.request(now + 2 * SECOND, now + 3 * SECOND)
            });
            if drains_first {
                signal.drain(now + 4 * SECOND, now + 4 * SECOND);
            }
            signal.request(now + SECOND, now + 2 * SECOND);
            other.join().expect("no panic");
            for listener in listeners {
                let heard = listener.join().expect("no panic");
                // Invariant 1: whatever was heard first, it only moved to an earlier instant.
                assert!(heard >= now + SECOND && heard <= now + 4 * SECOND);
            }
            assert_eq!(signal.deadline(), Some(now + SECOND));
            assert_eq!(signal.extend(9 * SECOND), Some((now + 2 * SECOND, true)));
        });
    }
}

#[test]
fn a_drain_does_not_take_back_that_a_stop_was_asked_for() {
    check(|| {
        let signal = Arc::<StopSignal>::default();
        let now = Instant::now();
        let asking = spawn({
            let signal = Arc::clone(&signal);
            move || signal.request(now + 2 * SECOND, now + 2 * SECOND)
        });
        signal.drain(now + SECOND, now + SECOND);
        asking.join().expect("no panic");
        assert_eq!(block_on(signal.requested()), now + SECOND);
    });
}

#[test]
fn who_waits_for_an_earlier_deadline_hears_of_the_earliest() {
    check(|| {
        let signal = Arc::<StopSignal>::default();
        let now = Instant::now();
        let deadlines = [3, 1, 2].map(|seconds| now + seconds * SECOND);
        let listener = spawn({
            let signal = Arc::clone(&signal);
            move || {
                let mut known = None;
                let mut heard = Vec::new();
                while known != Some(now + SECOND) {
                    let earlier = block_on(signal.earlier_than(known));
                    heard.push(earlier);
                    known = Some(earlier);
                }
                heard
            }
        });
        let askers = deadlines.map(|deadline| {
            let signal = Arc::clone(&signal);
            spawn(move || signal.drain(deadline, deadline))
        });
        for asker in askers {
            asker.join().expect("no panic");
        }
        let heard = listener.join().expect("no panic");
        assert!(heard.is_sorted_by(|a, b| a > b), "{heard:?}");
    });
}

#[test]
fn an_extension_never_passes_what_was_allowed_at_any_time_after_it() {
    check(|| {
        let above = Arc::<StopSignal>::default();
        let signal = Arc::new(StopSignal::below(Some(Arc::clone(&above) as _)));
        let now = Instant::now();
        signal.request(now + SECOND, now + 5 * SECOND);
        let child = spawn({
            let signal = Arc::clone(&signal);
            move || [(); 2].map(|()| signal.extend(2 * SECOND).expect("it was asked").0)
        });
        let killer = spawn({
            let signal = Arc::clone(&signal);
            move || {
                signal.close();
                signal.deadline().expect("it was asked")
            }
        });
        above.request(now + 4 * SECOND, now + 4 * SECOND);
        assert!(
            signal.deadline() <= Some(now + 4 * SECOND),
            "invariant 3 of `stop_signal`"
        );
        signal.request(now + 2 * SECOND, now + 2 * SECOND);
        assert!(
            signal.deadline() <= Some(now + 2 * SECOND),
            "invariant 1 of `stop_signal`"
        );
        let granted = child.join().expect("no panic");
        assert!(granted.iter().all(|granted| *granted <= now + 5 * SECOND));
        let closed_at = killer.join().expect("no panic");
        let (last, is_new) = signal.extend(9 * SECOND).expect("it was asked");
        assert!(
            !is_new && last <= closed_at,
            "nothing is granted to who is being killed"
        );
    });
}

#[test]
fn a_shutdown_is_announced_once_and_everybody_hears_the_same() {
    check(|| {
        let notice = EarlyNotice::default();
        let deadline = Instant::now();
        let announce = |reason| notice.announce(Shutdown { reason, deadline });
        let listeners = [(); 2].map(|()| {
            let notice = notice.clone();
            spawn(move || block_on(notice.begun()).reason)
        });
        let other = spawn({
            let notice = notice.clone();
            let reason = ShutdownReason::Signal(15);
            move || notice.announce(Shutdown { reason, deadline })
        });
        let is_first = announce(ShutdownReason::Requested);
        assert_ne!(
            is_first,
            other.join().expect("no panic"),
            "one is the first"
        );
        let first = match is_first {
            true => ShutdownReason::Requested,
            false => ShutdownReason::Signal(15),
        };
        for listener in listeners {
            assert_eq!(listener.join().expect("no panic"), first);
        }
    });
}
