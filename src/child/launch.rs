//! How a supervisor runs a leaf without knowing its kind or message type.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as PollContext, Poll};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::context::{Context, Run};
use crate::handle::{Address, Deliver, Routed};

/// Starts one run of a child whose messages are `M`.
pub(crate) trait Body<M>: Send + Sync {
    /// Starts a run and returns at once; the user's code runs elsewhere.
    fn launch(&self, cx: Context, seat: &Seat<M>) -> io::Result<Launched>;
}

/// A run that was started.
pub(crate) struct Launched {
    /// Resolves when the run's task has ended and dropped its state.
    pub(crate) end: End,
    /// Wakes what does not listen to the context: an actor's stop port.
    pub(crate) on_stop: Option<Box<dyn Fn() + Send + Sync>>,
}

impl From<JoinHandle<()>> for Launched {
    fn from(task: JoinHandle<()>) -> Self {
        Self {
            end: End::Task(task),
            on_stop: None,
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
    /// Says how many messages may wait.
    fn mailbox_capacity(&self) -> usize;
    /// Says that no run can follow.
    fn retire(&self);
    /// Tells whether another child was given the same handle.
    fn shares_its_handle(&self) -> bool;
}

/// What a child keeps across its incarnations.
pub(crate) struct Seat<M> {
    pub(crate) address: Arc<Address<M>>,
    pub(crate) mailbox_capacity: usize,
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
    /// Routes the child's messages to a run.
    pub(crate) fn route_to(&self, mailbox: Arc<dyn Deliver<M>>) -> Routed<M> {
        self.address.route_to(mailbox)
    }
}

/// A body and its seat, with the message type erased.
pub(crate) struct Leaf<M> {
    pub(crate) body: Arc<dyn Body<M>>,
    pub(crate) seat: Seat<M>,
}

impl<M: Send + 'static> Launch for Leaf<M> {
    fn launch(&self, run: &Arc<Run>) -> io::Result<Launched> {
        let launched = self.body.launch(Context::new(run), &self.seat)?;
        if let End::Task(task) = &launched.end {
            run.set_task(task.abort_handle());
        }
        Ok(launched)
    }

    fn mailbox_capacity(&self) -> usize {
        self.seat.mailbox_capacity
    }

    fn retire(&self) {
        self.seat.address.retire();
    }

    fn shares_its_handle(&self) -> bool {
        self.seat.address.is_shared()
    }
}
