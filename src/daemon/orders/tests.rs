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
use crate::supervisor::Supervisor;
use crate::tree::Running;

/// How long the threads of the tree stood still.
const STILL: Duration = Duration::from_secs(2);

/// Begins to listen, to no signal, beside a tree that is up.
async fn begin() -> (Arc<Orders>, Listener, Running) {
    let tree = Supervisor::one_for_one("app").start().await;
    let orders = Orders::new("app", &SignalMap::none(), EarlyNotice::default()).expect("a thread");
    let listener = orders.listen().expect("another");
    (orders, listener, tree.expect("it starts"))
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_threads_hear_late_of_a_signal_has_no_more_time_for_that() {
    let (orders, _listener, tree) = begin().await;
    let began = tokio::time::Instant::now();
    orders.end(ShutdownReason::Signal(Signal::TERMINATE.number()));
    tokio::time::advance(STILL).await;
    orders.hear_beside(Signal::TERMINATE, &tree);
    // Nothing ends the process of the tests.
    orders.let_go();
    let shutdown = tree.snapshot().shutdown.expect("it has begun");
    assert_eq!(shutdown.deadline, began + DEFAULT_SHUTDOWN_BUDGET);
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_threads_hear_first_of_a_signal_stops_at_once() {
    let (orders, _listener, tree) = begin().await;
    let began = tokio::time::Instant::now();
    orders.hear_beside(Signal::TERMINATE, &tree);
    let shutdown = tree.snapshot().shutdown.expect("it has begun");
    assert_eq!(shutdown.deadline, began + DEFAULT_SHUTDOWN_BUDGET);
    assert_eq!(orders.wish(), None, "that is for the thread that counts");
}
