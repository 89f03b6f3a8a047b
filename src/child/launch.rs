//! How a supervisor runs a leaf without knowing its kind or message type.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as PollContext, Poll};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::context::{Context, Run};
use crate::handle::{Address, AnyAddress, Claim, Deliver, Routed};

/// Starts one run of a child whose messages are `M`.
pub(crate) trait Body<M>: Send + Sync {
    /// Starts a run and returns at once; the user's code runs elsewhere.
    fn launch(&self, cx: Context, seat: &Seat<M>) -> io::Result<Launched>;
}

/// A run that was started.
pub(crate) struct Launched {
    /// Resolves when the run's task has ended and dropped its state.
    pub(crate) end: End,
    /// Reaches what does not listen to the context: a mailbox. Absent where there is none.
    pub(crate) control: Option<Box<dyn Control>>,
}

/// Ends the receiving of messages by one run.
pub(crate) trait Control: Send + Sync {
    /// Lets nothing in any more; the run finishes what waits, then ends by itself.
    ///
    /// Messages are answered as while the child is down, and never held: they could be meant for
    /// nobody but this run.
    fn drain(&self);
    /// Ends the run ahead of what waits, also in the middle of a drain.
    fn stop(&self);
}

impl From<JoinHandle<()>> for Launched {
    fn from(task: JoinHandle<()>) -> Self {
        Self {
            end: End::Task(task),
            control: None,
        }
    }
}

/// The true end of a run.
pub(crate) enum End {
    /// A task; its handle resolves after the task's state was dropped.
    Task(JoinHandle<()>),
    /// A thread, which drops the sender as its last act.
    Thread(oneshot::Receiver<()>),
}

impl Future for End {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<()> {
        // The result is of no use: why the run ended is what it recorded.
        match self.get_mut() {
            Self::Task(task) => Pin::new(task).poll(cx).map(drop),
            Self::Thread(thread) => Pin::new(thread).poll(cx).map(drop),
        }
    }
}

/// A leaf as its supervisor holds it.
pub(crate) trait Launch: Send + Sync {
    /// Starts a run.
    fn launch(&self, run: &Arc<Run>) -> io::Result<Launched>;
    /// Returns where its messages go.
    fn address(&self) -> Arc<dyn AnyAddress>;
    /// Tells whether another child was given the same handle.
    fn shares_its_handle(&self) -> bool;
}

/// What a child keeps across its incarnations.
pub(crate) struct Seat<M> {
    pub(crate) address: Arc<Address<M>>,
    pub(crate) explicit_ready: bool,
}

impl<M> Clone for Seat<M> {
    fn clone(&self) -> Self {
        Self {
            address: Arc::clone(&self.address),
            ..*self
        }
    }
}

impl<M: Send + 'static> Seat<M> {
    /// Routes the child's messages to a run, which may have said already that it is up.
    pub(crate) fn route_to(&self, run: &Run, mailbox: Arc<dyn Deliver<M>>) -> Routed<M> {
        let routed = self.address.route_to(mailbox);
        // Asked after the route is up: a run that says so from now on finds it there itself.
        if run.is_acknowledged() {
            self.address.acknowledge();
        }
        routed
    }
}

/// A body and its seat, with the message type erased.
pub(crate) struct Leaf<M: Send + 'static> {
    pub(crate) body: Arc<dyn Body<M>>,
    pub(crate) claim: Claim<M>,
    pub(crate) explicit_ready: bool,
}

impl<M: Send + 'static> Launch for Leaf<M> {
    fn launch(&self, run: &Arc<Run>) -> io::Result<Launched> {
        let seat = Seat {
            address: Arc::clone(self.claim.address()),
            explicit_ready: self.explicit_ready,
        };
        self.claim.address().revive();
        run.set_address(self.address());
        let launched = self.body.launch(Context::new(run), &seat)?;
        if let End::Task(task) = &launched.end {
            run.set_task(task.abort_handle());
        }
        Ok(launched)
    }

    fn address(&self) -> Arc<dyn AnyAddress> {
        let address: &Arc<Address<M>> = self.claim.address();
        Arc::<Address<M>>::clone(address)
    }

    fn shares_its_handle(&self) -> bool {
        self.claim.address().is_shared()
    }
}
