//! How a supervisor runs a leaf without knowing its kind or message type.

use std::io;
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinHandle};

use crate::context::Run;
use crate::handle::{Address, AnyAddress, Claim, Deliver, Routed};

/// Starts one run of a child whose messages are `M`.
pub(crate) trait Body<M: Send + 'static>: Send + Sync {
    /// Starts a run and returns at once; the user's code runs elsewhere.
    fn launch(self: Arc<Self>, run: &Arc<Run>, leaf: &Leaf<M>) -> io::Result<Launched>;
}

/// A run that was started.
pub(crate) struct Launched {
    /// How its supervisor hears that the run's task has ended and dropped its state.
    pub(crate) end: End,
    /// Reaches what does not listen to the context: a mailbox. Absent where there is none.
    pub(crate) control: Option<Arc<dyn Control>>,
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

impl From<End> for Launched {
    fn from(end: End) -> Self {
        Self { end, control: None }
    }
}

/// The true end of a run: its task is over and has dropped its state.
pub(crate) enum End {
    /// A task of ours, which tells it to the supervisor as its [`LastAct`](crate::context::LastAct).
    Told(AbortHandle),
    /// A thread of ours, which does the same.
    Thread,
    /// A task that does not, ractor's or a supervisor's; its handle resolves after the task's state was dropped.
    Task(JoinHandle<()>),
}

impl End {
    /// Returns what a kill aborts; nothing ends a thread.
    fn abort_handle(&self) -> Option<AbortHandle> {
        match self {
            Self::Told(task) => Some(task.clone()),
            Self::Task(task) => Some(task.abort_handle()),
            Self::Thread => None,
        }
    }
}

/// A leaf as its supervisor holds it.
pub(crate) trait Launch: Send + Sync {
    /// Starts a run.
    fn launch(&self, run: &Arc<Run>) -> io::Result<Launched>;
    /// Returns where its messages go; `None` where nobody can send any.
    fn address(&self) -> Option<Arc<dyn AnyAddress>>;
    /// Tells whether another child was given the same handle.
    fn shares_its_handle(&self) -> bool;
}

/// What a child that receives messages keeps across its incarnations.
pub(crate) struct Seat<M> {
    pub(crate) address: Arc<Address<M>>,
    pub(crate) explicit_ready: bool,
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

/// A body and what it keeps across its incarnations; its supervisor does not know the type of its messages.
pub(crate) struct Leaf<M: Send + 'static> {
    pub(crate) body: Arc<dyn Body<M>>,
    pub(crate) claim: Claim<M>,
    pub(crate) explicit_ready: bool,
}

impl<M: Send + 'static> Leaf<M> {
    /// Returns what a run needs that receives messages.
    pub(crate) fn seat(&self) -> Seat<M> {
        Seat {
            address: Arc::clone(self.claim.address()),
            explicit_ready: self.explicit_ready,
        }
    }
}

impl<M: Send + 'static> Launch for Leaf<M> {
    fn launch(&self, run: &Arc<Run>) -> io::Result<Launched> {
        if let Some(address) = self.claim.known() {
            address.revive();
            run.set_address(Arc::<Address<M>>::clone(address));
        }
        let launched = Arc::clone(&self.body).launch(run, self)?;
        if let Some(task) = launched.end.abort_handle() {
            run.set_task(task);
        }
        Ok(launched)
    }

    fn address(&self) -> Option<Arc<dyn AnyAddress>> {
        let address = self.claim.known()?;
        Some(Arc::<Address<M>>::clone(address))
    }

    fn shares_its_handle(&self) -> bool {
        self.claim
            .known()
            .is_some_and(|address| address.is_shared())
    }
}
