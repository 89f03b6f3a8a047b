//! Where a fault from outside gets into a run: around the polls of the child's own futures.
//!
//! The child's code knows nothing of it. Each future of a run that its supervisor depends on (the body
//! of a task, worker or step, each hook of an actor, the loop of a supervisor) is polled through
//! [`breakable`]. Without the feature `testkit` that is the future itself.
//!
//! # Invariants
//!
//! 1. A fault belongs to one run: the next incarnation begins without.
//! 2. A poll that begins after a fault was set sees it, and one is made to begin: whoever sets a fault
//!    wakes the task, and what is between two polls that only a message ends, by a message.

#[cfg(feature = "testkit")]
pub(crate) use self::point::{Fault, FaultPoint, breakable};

/// The future itself: without the test kit no fault comes from outside.
#[cfg(not(feature = "testkit"))]
pub(crate) fn breakable<T, F>(_run: &std::sync::Arc<super::Run>, future: F) -> F
where
    F: Future<Output = Result<T, crate::exit::BoxError>>,
{
    future
}

#[cfg(feature = "testkit")]
mod point {
    use std::fmt;
    use std::future::{Future, poll_fn};
    use std::panic::resume_unwind;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Poll, Waker};

    use crate::context::Run;
    use crate::exit::BoxError;
    use crate::sync::{Mutex, lock};

    /// What an injected panic says, and an injected error.
    const MESSAGE: &str = "injected by the test kit";

    /// What the next poll of a run does instead of polling the child.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// It panics.
        Panic,
        /// It ends with an error.
        Error,
        /// It is pending, and so is each one after it.
        Hang,
    }

    /// A run's own place for a fault.
    #[derive(Default)]
    pub(crate) struct FaultPoint(Mutex<Point>);

    #[derive(Default)]
    struct Point {
        fault: Option<Fault>,
        /// Of the task that polled last.
        waker: Option<Waker>,
        /// Makes an actor that waits for a message poll a hook.
        rouse: Option<Arc<dyn Fn() + Send + Sync>>,
    }

    impl FaultPoint {
        /// Sets what the next poll does, in place of what was set before, and makes it begin.
        pub(crate) fn set(&self, fault: Fault) {
            let (waker, rouse) = {
                let mut point = lock(&self.0);
                point.fault = Some(fault);
                (point.waker.take(), point.rouse.clone())
            };
            if let Some(waker) = waker {
                waker.wake();
            }
            if let Some(rouse) = rouse {
                rouse();
            }
        }

        /// Remembers how to make a run that only a message wakes poll one of its futures.
        pub(crate) fn rouse_with(&self, rouse: impl Fn() + Send + Sync + 'static) {
            lock(&self.0).rouse = Some(Arc::new(rouse));
        }

        /// Forgets what reaches the run: it is over.
        pub(crate) fn close(&self) {
            let rouse = lock(&self.0).rouse.take();
            drop(rouse);
        }

        /// Begins a poll and returns what it has to do instead.
        fn enter(&self, waker: &Waker) -> Option<Fault> {
            let mut point = lock(&self.0);
            match &mut point.waker {
                Some(known) => known.clone_from(waker),
                unknown => *unknown = Some(waker.clone()),
            }
            point.fault
        }
    }

    impl fmt::Debug for FaultPoint {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let fault = lock(&self.0).fault;
            f.debug_struct("FaultPoint")
                .field("fault", &fault)
                .finish_non_exhaustive()
        }
    }

    /// Polls a future of a run unless that has been given a fault.
    pub(crate) fn breakable<T, F>(
        run: &Arc<Run>,
        future: F,
    ) -> impl Future<Output = Result<T, BoxError>> + use<T, F>
    where
        F: Future<Output = Result<T, BoxError>>,
    {
        let run = Arc::clone(run);
        async move {
            let mut future = pin!(future);
            poll_fn(|poll| match run.fault_point().enter(poll.waker()) {
                None => future.as_mut().poll(poll),
                Some(Fault::Error) => Poll::Ready(Err(MESSAGE.into())),
                Some(Fault::Hang) => Poll::Pending,
                // No hook of the process hears of it: one that was ordered is not to be printed as if
                // it were a mistake.
                Some(Fault::Panic) => resume_unwind(Box::new(MESSAGE)),
            })
            .await
        }
    }
}
