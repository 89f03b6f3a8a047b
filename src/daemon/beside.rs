//! Leaves SIGTERM to the task of the tree's root, which hears it in place of the thread that hears signals.
//!
//! From that thread to the tree it is two threads that have to be roused one after the other; from here to the tree
//! it is none. And whoever else is roused on the way takes a processor from those whom the tree waits for: so the
//! thread, which counts signals and sets the instant of the kill, takes note of this one when the children have been
//! told, two milliseconds later at most, and the edges are told last. Where the tree's threads stand still its pulse finds the note.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::orders::Orders;
use crate::signals::{Lender, Signal};
use crate::supervisor::Ear;
use crate::tree::Look;

/// What service managers send. Each signal more would be asked for whenever the root looks for what is new.
const HEARD: Signal = Signal::TERMINATE;

/// Leaves SIGTERM to the root of a tree: returns its ear, and what looks whether it comes to it. To be called on its
/// threads, which have I/O.
pub(super) fn ear(lender: &Lender, orders: &Arc<Orders>) -> Option<(Ear, Box<Look>)> {
    if !orders.ends(HEARD) {
        return None;
    }
    // Nothing is missed without it, so that nobody has to hear of that but whoever looks for it.
    let hearing = lender
        .lend(HEARD)
        .inspect_err(|error| tracing::debug!(%error, "signals are heard by their thread alone"))
        .ok()?;
    let lookout = hearing.lookout();
    let orders = Arc::clone(orders);
    let mut hearing = Some(hearing);
    let poll = move |cx: &mut Context<'_>| {
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
    };
    Some((Box::new(poll), lookout))
}
