//! What the service manager is told while the daemon lives.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::orders::Orders;
use super::view;
use crate::notify::Notifier;
use crate::tree::Running;

/// How often the manager hears, during a shutdown, how it stands.
const STOPPING_PERIOD: Duration = Duration::from_secs(1);

/// What is added to the time that is asked for: the kill has its instant, and the manager is not to come
/// before it.
const MARGIN: Duration = Duration::from_secs(1);

/// Tells the manager what there is to tell until the daemon has ended.
pub(super) async fn tell_manager(notifier: &Notifier, running: &Running, orders: &Orders) {
    if !notifier.is_heard() {
        return std::future::pending().await;
    }
    tokio::join!(
        vouch(notifier, running),
        tell_of_stop(notifier, running, orders)
    );
}

/// Says that the program makes progress, as long as the root of its tree answers.
async fn vouch(notifier: &Notifier, running: &Running) {
    let Some(interval) = notifier.watchdog() else {
        return;
    };
    let half = interval / 2;
    let mut is_silent = false;
    loop {
        if timeout(half, running.ping()).await.is_ok() {
            notifier.alive();
            is_silent = false;
        } else if !is_silent {
            is_silent = true;
            tracing::error!(
                "the root of the tree does not answer: the service manager is not told that all is well"
            );
        }
        sleep(half).await;
    }
}

/// Says that the program stops, and asks for time as long as it does.
async fn tell_of_stop(notifier: &Notifier, running: &Running, orders: &Orders) {
    let mut told = orders.watch();
    tokio::select! {
        _wish = told.wait_for(|told| told.wish.is_some()) => {}
        _shutdown = running.shutdown_began() => {}
        _leaving = running.leaves() => {}
    }
    notifier.stopping(orders.time_left().saturating_add(MARGIN), "stopping");
    loop {
        sleep(STOPPING_PERIOD).await;
        let status = view::stopping_in_words(&running.snapshot());
        notifier.extend(orders.time_left().saturating_add(MARGIN), &status);
    }
}
