//! A thread of its own, for code that blocks: a foreign library, a device, a large computation.
//!
//! A thread can't be killed. One that does not end when asked is named as hung, and the shutdown
//! goes on without it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;

use super::body::record;
use super::launch::{Body, End, Launched, Leaf};
use super::{Child, Kind};
use crate::context::{Context, LastAct, Run, within_blocking};
use crate::exit::{BoxError, catch_blocking};

impl Child {
    /// Declares a blocking child: a thread named after the child.
    ///
    /// It must look at [`Context::is_stopping`] or wait with
    /// [`Context::wait_for_shutdown`] often enough to end within its stop timeout.
    pub fn blocking<F>(name: impl Into<String>, body: F) -> Self
    where
        F: Fn(Context) -> Result<(), BoxError> + Send + Sync + 'static,
    {
        Self::new(name, Kind::Blocking, Arc::new(BlockingBody { body }))
    }
}

impl Child {
    /// Declares a blocking child that is given its own clone of `state` at each start.
    ///
    /// Every incarnation begins with the state as it was declared; what is to be kept across them
    /// goes into an `Arc`.
    pub fn blocking_with<S, F>(name: impl Into<String>, state: S, body: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(Context, S) -> Result<(), BoxError> + Send + Sync + 'static,
    {
        Self::blocking(name, move |cx| body(cx, state.clone()))
    }
}

struct BlockingBody<F> {
    body: F,
}

impl<F> Body<Infallible> for BlockingBody<F>
where
    F: Fn(Context) -> Result<(), BoxError> + Send + Sync + 'static,
{
    fn launch(self: Arc<Self>, run: &Arc<Run>, leaf: &Leaf<Infallible>) -> io::Result<Launched> {
        let run = Arc::clone(run);
        let explicit = leaf.explicit_ready;
        let name = run.path().name().to_owned();
        let on_thread = move || {
            let _last_act = LastAct::of(&run);
            // Dropped before that: it may be the last to hold the child's code.
            let body = self;
            // So that timers, sockets and `cx.spawn` work on this thread too.
            let _runtime = run.runtime().enter();
            let _span = run.span().enter();
            if !explicit {
                run.acknowledge();
            }
            let cx = Context::new(&run);
            let outcome = within_blocking(&run, || catch_blocking(|| (body.body)(cx)));
            record(&run, outcome);
            run.tell_what_waits();
        };
        thread::Builder::new().name(name).spawn(on_thread)?;
        Ok(End::Thread.into())
    }
}
