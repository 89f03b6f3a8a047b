//! Runs a future of the user's as part of a run: in its span, as its code, inside a catch.
//!
//! Written by hand and not as a pile of adapters: it stands around every body and every message of an
//! actor, and each adapter would keep another copy of the future in the task of each child.
//!
//! # Invariants
//!
//! 1. The future is polled, and dropped, inside the catch: a panic of either is part of the outcome.
//! 2. News are told between two polls, never within one (invariant 1 of `current`).

use std::borrow::BorrowMut;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Run;
use super::activity::{Begun, Hook};
use super::current::while_polling;
use crate::exit::{Panic, catch_blocking};

pin_project! {
    /// A future of a run, which is held or borrowed. The future's panics become values.
    pub(crate) struct Inside<R, L, F>
    where
        R: Deref<Target = Run>,
        L: BorrowMut<Option<Arc<Run>>>,
    {
        run: R,
        // The same, for the time of a poll.
        lent: L,
        begun: Begun,
        #[pin]
        future: Option<F>,
    }

    impl<R, L, F> PinnedDrop for Inside<R, L, F>
    where
        R: Deref<Target = Run>,
        L: BorrowMut<Option<Arc<Run>>>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_none() {
                return;
            }
            // Killed at an await: its exit is known, and what its drop raises can only be logged.
            if let Err(panic) = inside(this.run, this.lent.borrow_mut(), || this.future.set(None)) {
                tracing::error!(%panic, "what a killed child held panicked when it was dropped");
            }
        }
    }
}

impl<F> Inside<Arc<Run>, Option<Arc<Run>>, F> {
    /// Makes a future part of a run for as long as it takes.
    pub(crate) fn new(run: &Arc<Run>, hook: Hook, future: F) -> Self {
        Self {
            run: Arc::clone(run),
            lent: Some(Arc::clone(run)),
            begun: Begun::not_yet(hook),
            future: Some(future),
        }
    }
}

impl<'a, F> Inside<&'a Run, &'a mut Option<Arc<Run>>, F> {
    /// Makes a future part of a run that outlives it. The run is borrowed twice: what is lent is a
    /// reference of its own, so that none is counted for each message of an actor.
    #[inline]
    pub(crate) fn of(run: &'a Run, lent: &'a mut Option<Arc<Run>>, hook: Hook, future: F) -> Self {
        Self {
            run,
            lent,
            begun: Begun::not_yet(hook),
            future: Some(future),
        }
    }
}

impl<R, L, F> Inside<R, L, F>
where
    R: Deref<Target = Run>,
    L: BorrowMut<Option<Arc<Run>>>,
    F: Future,
{
    /// Polls, and leaves it to the caller to tell what waits.
    pub(crate) fn poll_silently(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Panic>> {
        let mut this = self.project();
        // Kept outside, so that it is not dropped while a panic of the future's drop unwinds.
        let mut value = None;
        this.run.activity().enter(this.begun);
        let polled = inside(this.run, this.lent.borrow_mut(), || {
            let future = this.future.as_mut().as_pin_mut();
            if let Some(Poll::Ready(ready)) = future.map(|future| future.poll(cx)) {
                value = Some(ready);
                // Here and not with `self`: a drop that panics is part of the outcome.
                this.future.set(None);
            }
        });
        let goes_on = polled.is_ok() && value.is_none();
        this.run.activity().leave(this.begun, goes_on);
        match (polled, value) {
            (Ok(()), Some(value)) => Poll::Ready(Ok(value)),
            (Ok(()), None) => Poll::Pending,
            (Err(panic), _) => {
                // What the panic left of the future; of two panics the first one counts.
                if this.future.is_some()
                    && let Err(second) =
                        inside(this.run, this.lent.borrow_mut(), || this.future.set(None))
                {
                    tracing::debug!(panic = %second, "what a child that panicked held panicked too");
                }
                Poll::Ready(Err(panic))
            }
        }
    }
}

/// Tells what waits when it is pending; with the outcome, whoever has that tells.
impl<R, L, F> Future for Inside<R, L, F>
where
    R: Deref<Target = Run>,
    L: BorrowMut<Option<Arc<Run>>>,
    F: Future,
{
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.as_mut().poll_silently(cx);
        if polled.is_pending() {
            self.project().run.tell_what_waits();
        }
        polled
    }
}

/// Calls code of a run. To enter the span is code of the host's subscriber, which may panic.
fn inside<T>(run: &Run, lent: &mut Option<Arc<Run>>, code: impl FnOnce() -> T) -> Result<T, Panic> {
    while_polling(lent, || {
        catch_blocking(|| {
            let _entered = run.span().enter();
            code()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Hook, Inside};
    use crate::context::{Above, Context, Identity, Run};
    use crate::path::Path;
    use crate::shutdown::EarlyNotice;
    use crate::sync::{Mutex, lock};
    use std::sync::Arc;
    use std::time::Duration;

    fn run() -> Arc<Run> {
        let identity = Identity {
            path: Path::root("x"),
            key: 0,
            incarnation: 7,
        };
        Run::new(identity, &Above::new(&EarlyNotice::default(), None))
    }

    /// Notes the incarnation that it is dropped in, and panics.
    struct Bomb(Arc<Mutex<Option<u64>>>);

    impl Drop for Bomb {
        fn drop(&mut self) {
            *lock(&self.0) = Context::current().map(|cx| cx.incarnation());
            panic!("in drop");
        }
    }

    #[tokio::test]
    async fn a_drop_that_panics_is_part_of_the_outcome() {
        let seen = Arc::new(Mutex::new(None));
        let bomb = Bomb(Arc::clone(&seen));
        let caught = Inside::new(&run(), Hook::Body, async move {
            let _held = &bomb;
        });
        let panic = caught.await.expect_err("the drop panicked");
        assert_eq!(&*panic.message, "in drop");
        assert_eq!(*lock(&seen), Some(7), "the child's own code");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_dropped_at_an_await_is_dropped_as_the_childs_own_code() {
        let seen = Arc::new(Mutex::new(None));
        let bomb = Bomb(Arc::clone(&seen));
        let run = run();
        let mut lent = Some(Arc::clone(&run));
        let pending = Inside::of(&run, &mut lent, Hook::Body, async move {
            let _held = &bomb;
            std::future::pending::<()>().await;
        });
        let waited = tokio::time::timeout(Duration::from_millis(1), pending).await;
        assert!(waited.is_err(), "and its panic goes no further");
        assert_eq!(*lock(&seen), Some(7));
        assert!(Context::current().is_none());
    }
}
