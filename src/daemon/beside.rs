//! Hears SIGTERM once more, in the task of the tree's root.
//!
//! From the thread that hears signals to the tree it is two threads that have to be roused one after the
//! other; from here to the tree it is none. While the tree's threads stand still nobody misses anything: then it
//! hears of the signal as always.
//!
//! Whoever is roused on the way takes a processor from those whom the tree waits for, and an idle one that is
//! roused gets it at once. So the tree's threads are roused before the one that hears signals, and the edges are
//! told last.

use std::io;
use std::sync::Arc;
use std::task::{Poll, ready};

use super::orders::Orders;
use crate::signals::{Hearing, Signal, SignalAction, SignalMap};
use crate::supervisor::Ear;

/// What service managers send. Each signal more would be asked for whenever the root looks for what is new.
const HEARD: Signal = Signal::TERMINATE;

/// Begins to take SIGTERM in for a tree, before the thread that hears all signals is there. `None` where the
/// program's code gives it another meaning, whatever the configuration says later.
pub(super) fn begin(map: &SignalMap) -> Option<Hearing> {
    if !matches!(map.action(HEARD), SignalAction::Shutdown) {
        return None;
    }
    or_by_thread_alone(Hearing::begin(HEARD))
}

/// Hands it to the root of a tree. To be called on its threads, which have I/O.
pub(super) fn ear(hearing: Hearing, orders: &Arc<Orders>) -> Option<Ear> {
    if !orders.ends(HEARD) {
        return None;
    }
    let orders = Arc::clone(orders);
    let mut hearing = Some(or_by_thread_alone(hearing.in_task())?);
    Some(Box::new(move |cx| {
        let Some(heard) = &hearing else {
            return Poll::Pending;
        };
        ready!(heard.poll(cx));
        match orders.hear_beside(HEARD) {
            Some(asked) => Poll::Ready(asked),
            // The thread has that, and every one to come.
            None => {
                hearing = None;
                Poll::Pending
            }
        }
    }))
}

/// Nothing is missed without it, so that nobody has to hear of that but whoever looks for it.
fn or_by_thread_alone<T>(heard: io::Result<T>) -> Option<T> {
    heard
        .inspect_err(|error| tracing::debug!(%error, "signals are heard by their thread alone"))
        .ok()
}
