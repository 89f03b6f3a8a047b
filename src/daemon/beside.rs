//! Hears the signals that end the daemon once more, on the threads that the tree runs on.
//!
//! From the thread that hears signals to the tree it is two threads that have to be roused one after the
//! other; from here to the tree it is none. While these threads stand still nobody misses anything: then the
//! tree hears of the signal as always.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::orders::Orders;
use crate::signals::Hearing;
use crate::tree::Running;

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
