//! Hears SIGTERM once more, in the task of the tree's root.
//!
//! From the thread that hears signals to the tree it is two threads that have to be roused one after the
//! other; from here to the tree it is none. While the tree's threads stand still nobody misses anything: then it
//! hears of the signal as always.
//!
//! Whoever is roused on the way takes a processor from those whom the tree waits for, and an idle one that is
//! roused gets it at once. So these threads come before the other one, and the edges are told last.

use std::sync::Arc;
use std::task::{Poll, ready};

use super::orders::Orders;
use crate::signals::{Hearing, Signal, SignalAction, SignalMap};
use crate::supervisor::Ear;

/// What service managers send. Each signal more would be asked for whenever the root looks for what is new.
const HEARD: Signal = Signal::TERMINATE;

/// Sees to it that the tree's threads are roused before the one that hears all signals, which is not there yet.
pub(super) fn come_first(map: &SignalMap) {
    if !matches!(map.action(HEARD), SignalAction::Shutdown) {
        return;
    }
    if let Err(error) = Hearing::come_first(HEARD) {
        // The daemon's own log is not there yet.
        tracing::debug!(%error, "signals are heard by their thread first");
    }
}

/// Begins to hear, for the root of a tree. To be called on its threads, which have I/O.
pub(super) fn ear(orders: &Arc<Orders>) -> Option<Ear> {
    if !orders.ends(HEARD) {
        return None;
    }
    let orders = Arc::clone(orders);
    match Hearing::begin(HEARD) {
        Ok(mut hearing) => Some(Box::new(move |cx| {
            loop {
                ready!(hearing.poll(cx));
                if let Some(asked) = orders.hear_beside(HEARD) {
                    return Poll::Ready(asked);
                }
            }
        })),
        Err(error) => {
            tracing::debug!(%error, "signals are heard by their thread alone");
            None
        }
    }
}
