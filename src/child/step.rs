//! A step: something that runs once before what follows it, such as a migration.

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
    /// Declares a step: it counts as started when it has finished, so that the children after it
    /// begin only then. Transient by default: a failure is a failed start.
    pub fn step<F, Fut>(name: impl Into<String>, factory: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self::new(name, Kind::Step, Arc::new(StepBody { factory }))
    }

    /// Declares a step that is given its own clone of `state` at each start.
    ///
    /// Every incarnation begins with the state as it was declared.
    pub fn step_with<S, F, Fut>(name: impl Into<String>, state: S, factory: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(Context, S) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self::step(name, move |cx| factory(cx, state.clone()))
    }
}

struct StepBody<F> {
    factory: F,
}

impl<F, Fut> Body<Infallible> for StepBody<F>
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    fn launch(self: Arc<Self>, run: &Arc<Run>, _leaf: &Leaf<Infallible>) -> io::Result<Launched> {
        let cx = Context::new(run);
        let make = move || (self.factory)(cx);
        let acknowledge = Acknowledge::Finished;
        Ok(body::spawn(run, acknowledge, |_run| (), make).into())
    }
}
