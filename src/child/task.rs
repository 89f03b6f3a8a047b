//! A task: an asynchronous body without a mailbox.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;

use super::body::{self, Acknowledge};
use super::launch::{Body, Launched, Leaf};
use super::{Child, Kind};
use crate::context::{Context, Run};
use crate::exit::BoxError;

impl Child {
    /// Declares a task.
    ///
    /// The closure is called once for each incarnation; clone inside it what the future takes.
    pub fn task<F, Fut>(name: impl Into<String>, factory: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self::new(name, Kind::Task, Arc::new(TaskBody { factory }))
    }

    /// Declares a task that is given its own clone of `state` at each start.
    ///
    /// Every incarnation begins with the state as it was declared.
    pub fn task_with<S, F, Fut>(name: impl Into<String>, state: S, factory: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(Context, S) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self::task(name, move |cx| factory(cx, state.clone()))
    }
}

struct TaskBody<F> {
    factory: F,
}

impl<F, Fut> Body<Infallible> for TaskBody<F>
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    fn launch(self: Arc<Self>, run: &Arc<Run>, leaf: &Leaf<Infallible>) -> io::Result<Launched> {
        let cx = Context::new(run);
        let make = move || (self.factory)(cx);
        let acknowledge = Acknowledge::of(leaf);
        Ok(body::spawn(run, acknowledge, |_run| (), make).into())
    }
}
