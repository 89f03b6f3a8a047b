//! Hears the signals that end the daemon once more, on the threads that the tree runs on.
//!
//! From the thread that hears signals to the tree it is two threads that have to be roused one after the
//! other; from here to the tree it is none. While these threads stand still nobody misses anything: then the
//! tree hears of the signal as always.
//!
//! Whoever is roused on the way takes a processor from those whom the tree waits for, and an idle one that is
//! roused gets it at once. So these threads come before the other one, and the root is roused before the rest.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::orders::Orders;
use crate::signals::{Hearing, SignalMap};
use crate::tree::Running;

/// Sees to it that these threads are roused before the one that hears all signals, which is not there yet.
pub(super) fn come_first(map: &SignalMap) {
    if let Err(error) = Hearing::come_first(&map.endings()) {
        // The daemon's own log is not there yet.
        tracing::debug!(%error, "signals are heard by their thread first");
    }
}

/// Begins to hear, until what is returned is aborted. `workers` has I/O.
pub(super) fn hear(workers: &Handle, orders: &Arc<Orders>, running: &Running) -> AbortHandle {
    let (orders, running) = (Arc::clone(orders), running.observer());
    let hearing = async move {
        match Hearing::begin(&orders.endings()) {
            Ok(mut hearing) => loop {
                let signal = hearing.next().await;
                orders.hear_beside(signal, &running);
            },
            Err(error) => tracing::debug!(%error, "signals are heard by their thread alone"),
        }
    };
    workers.spawn(hearing).abort_handle()
}
