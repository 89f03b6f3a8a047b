//! An actor's mailbox as its handle sees it: ractor's own, with a bound and a count.

use std::sync::Arc;

use ractor::{ActorRef, MessagingErr};
use tokio::time::Instant;

use crate::child::Control;
use crate::handle::{Deliver, Ledger, Messages, Meter, Refused};
use crate::sync::atomic::{AtomicBool, Ordering};

/// What lets messages into one run of an actor; made before the actor is.
pub(super) struct Gate {
    pub(super) meter: Meter,
    is_draining: AtomicBool,
}

impl Gate {
    pub(super) fn new(capacity: usize, ledger: &Arc<Ledger>) -> Self {
        Self {
            meter: Meter::new(capacity, ledger),
            is_draining: AtomicBool::new(false),
        }
    }
}

/// The sending end of one run of an actor, which also ends it through its ports.
pub(super) struct Mailbox<M> {
    pub(super) actor: ActorRef<M>,
    pub(super) gate: Arc<Gate>,
}

impl<M: ractor::Message> Control for Mailbox<M> {
    fn drain(&self) {
        // Said first, so that no sender takes a refusal for the end of the run.
        self.gate.is_draining.store(true, Ordering::Release);
        // Fails only when the actor has ended, which is what it asks for.
        drop(self.actor.drain());
    }

    fn stop(&self) {
        self.actor.stop(None);
    }
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
        if !self.gate.meter.enter() {
            return Err(Refused::Full(message));
        }
        self.send(message).map_err(|message| {
            self.gate.meter.withdraw();
            if self.gate.is_draining.load(Ordering::Acquire) {
                Refused::Draining(message)
            } else {
                Refused::Ended(message)
            }
        })
    }

    fn take_over(&self, held: &mut Messages<M>) {
        while let Some((sent_at, message)) = held.pop_front() {
            self.gate.meter.enter_held(sent_at);
            // It wakes the actor's own task, which is tokio's and runs no user code in here.
            if let Err(message) = self.send(message) {
                self.gate.meter.withdraw();
                held.push_front((sent_at, message));
                return;
            }
        }
    }

    fn rouse(&self) {}

    // It ends with its actor.
    fn leave(&self) {}

    fn waiting(&self) -> (usize, Option<Instant>) {
        self.gate.meter.waiting()
    }
}
