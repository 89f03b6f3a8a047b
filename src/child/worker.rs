//! A worker: a light actor, made of one task and one bounded inbox.

use std::future::Future;
use std::io;
use std::sync::Arc;

use super::body::{self, Acknowledge};
use super::launch::{Body, Control, Launched, Leaf};
use super::{Child, Kind};
use crate::context::{Context, Run};
use crate::exit::BoxError;
use crate::handle::Queue;
use crate::handle::inbox::{Inbox, inbox};

impl<M: Send + 'static> Child<M> {
    /// Declares a worker.
    ///
    /// The closure is called once for each incarnation with a new inbox, which ends by itself when
    /// shutdown reaches the worker.
    pub fn worker<F, Fut>(name: impl Into<String>, factory: F) -> Self
    where
        F: Fn(Context, Inbox<M>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self::new(name, Kind::Worker, Arc::new(WorkerBody { factory }))
    }
}

impl<M: Send + 'static> Child<M> {
    /// Declares a worker that is given its own clone of `state` at each start.
    ///
    /// Every incarnation begins with the state as it was declared; what is to be kept across them
    /// goes into an `Arc` or a [`Resource`](crate::resource::Resource).
    pub fn worker_with<S, F, Fut>(name: impl Into<String>, state: S, factory: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(Context, Inbox<M>, S) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self::worker(name, move |cx, inbox| factory(cx, inbox, state.clone()))
    }
}

struct WorkerBody<F> {
    factory: F,
}

impl<M, F, Fut> Body<M> for WorkerBody<F>
where
    M: Send + 'static,
    F: Fn(Context, Inbox<M>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    fn launch(self: Arc<Self>, run: &Arc<Run>, leaf: &Leaf<M>) -> io::Result<Launched> {
        let (acknowledge, seat) = (Acknowledge::of(leaf), leaf.seat());
        let (inbox, queue) = inbox(seat.address.capacity(), seat.address.ledger());
        let cx = Context::new(run);
        let make = move || (self.factory)(cx, inbox);
        let closing = Closing(Arc::clone(&queue));
        let up = move |run: &Run| (seat.route_to(run, Arc::clone(&closing.0) as _), closing);
        Ok(Launched {
            end: body::spawn(run, acknowledge, up, make),
            control: Some(queue),
        })
    }
}

/// Ends the inbox with the task of its run, whoever holds it then and however the route went down.
struct Closing<M>(Arc<Queue<M>>);

impl<M> Drop for Closing<M> {
    fn drop(&mut self) {
        self.0.close_for_good();
    }
}

/// Reaches a worker through the queue that it receives from.
impl<M: Send> Control for Queue<M> {
    fn drain(&self) {
        Self::drain(self);
    }

    fn stop(&self) {
        Self::stop(self);
    }
}
