//! Where lines go from the sockets, and what those who bring them share.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use perennial::{CallError, Context, Handle};
use tokio::time::timeout;

use crate::chaos::Faults;
use crate::parser::Raw;
use crate::stats::Stats;
use crate::writer::{Synced, ToStore};

/// How long to leave a parser or store alone that took nothing.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(10);

/// One part in so many of the time left to stop goes into waiting for the parser, which needs time to stop
/// too.
const PATIENCE_SHARE: u32 = 2;

/// Where lines go, and what those who bring them share.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    /// Takes lines.
    pub(crate) parser: Handle<Raw>,
    /// Known only to wait for it.
    pub(crate) store: Handle<ToStore>,
    /// What may be acknowledged.
    pub(crate) synced: Synced,
    /// Where plain lines are counted.
    pub(crate) stats: Arc<Stats>,
    /// Faults on order.
    pub(crate) faults: Faults,
    /// Whether `HELLO` is understood.
    pub(crate) acknowledged: bool,
}

impl Intake {
    /// Waits until the parser has handled what it was sent; one that is down has nothing to handle.
    pub(crate) async fn settle(&self) {
        while let Err(CallError::Full) = self.parser.call(Raw::Settle).await {
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Hands over to the parser, on the way out of a child: it is the next to stop, and what is in its
    /// mailbox then is lost.
    pub(crate) async fn patiently(&self, cx: &Context, handed_over: impl Future<Output = ()>) {
        let patience = cx.time_left().unwrap_or_default() / PATIENCE_SHARE;
        if timeout(patience, handed_over).await.is_err() {
            tracing::warn!("the parser is far behind; what it does not reach is lost");
        }
    }
}
