//! What a daemon is told by two threads that hear the same signal, in whatever order.
#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::Arc;
use std::time::Duration;

use super::Orders;
use crate::shutdown::{DEFAULT_SHUTDOWN_BUDGET, EarlyNotice, ShutdownReason};
use crate::signals::{Listener, Signal, SignalMap};

/// How long the threads of the tree stood still.
const STILL: Duration = Duration::from_secs(2);

const TERMINATED: ShutdownReason = ShutdownReason::Signal(15);

/// Begins to listen, to no signal.
fn begin() -> (Arc<Orders>, Listener) {
    let orders = Orders::new("app", &SignalMap::none(), EarlyNotice::default()).expect("a thread");
    let listener = orders.listen().expect("another");
    (orders, listener)
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_threads_hear_late_of_a_signal_has_no_more_time_for_that() {
    let (orders, _listener) = begin();
    orders.end(TERMINATED);
    tokio::time::advance(STILL).await;
    let asked = orders.hear_beside(Signal::TERMINATE);
    // Nothing ends the process of the tests.
    orders.let_go();
    assert_eq!(asked, Some((TERMINATED, DEFAULT_SHUTDOWN_BUDGET - STILL)));
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_threads_hear_first_of_a_signal_stops_at_once() {
    let (orders, _listener) = begin();
    let asked = orders.hear_beside(Signal::TERMINATE);
    assert_eq!(asked, Some((TERMINATED, DEFAULT_SHUTDOWN_BUDGET)));
    assert_eq!(orders.wish(), None, "that is for the thread that counts");
}
