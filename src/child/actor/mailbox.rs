//! An actor's mailbox as its handle sees it: ractor's own, with a bound and a count.

use std::sync::Arc;

use ractor::{ActorRef, MessagingErr};
use tokio::time::Instant;

use crate::handle::{Deliver, Messages, Meter, Refused};
use crate::sync::atomic::{AtomicBool, Ordering};

/// The sending end of one run of an actor.
pub(super) struct Mailbox<M> {
    pub(super) actor: ActorRef<M>,
    pub(super) meter: Arc<Meter>,
    pub(super) draining: Arc<AtomicBool>,
}

impl<M: ractor::Message> Mailbox<M> {
    fn send(&self, message: M) -> Result<(), M> {
        match self.actor.send_message(message) {
            Ok(()) => Ok(()),
            Err(MessagingErr::SendErr(message)) => Err(message),
            // Both need another type of message or a closed reply channel: not possible here.
            Err(_) => unreachable!("a refused message comes back"),
        }
    }
}

impl<M: ractor::Message> Deliver<M> for Mailbox<M> {
    fn deliver(&self, message: M) -> Result<(), Refused<M>> {
        // Counted in before it is queued, so that the actor never counts it out first.
        if !self.meter.enter() {
            return Err(Refused::Full(message));
        }
        self.send(message).map_err(|message| {
            self.meter.withdraw();
            if self.draining.load(Ordering::Acquire) {
                Refused::Draining(message)
            } else {
                Refused::Ended(message)
            }
        })
    }

    fn take_over(&self, held: &mut Messages<M>) {
        while let Some((sent_at, message)) = held.pop_front() {
            self.meter.enter_held(sent_at);
            // It wakes the actor's own task, which is tokio's and runs no user code in here.
            if let Err(message) = self.send(message) {
                self.meter.withdraw();
                held.push_front((sent_at, message));
                return;
            }
        }
    }

    fn rouse(&self) {}

    fn waiting(&self) -> (usize, Option<Instant>) {
        self.meter.waiting()
    }
}
