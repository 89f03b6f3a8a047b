//! The one place that knows ractor.
//!
//! ractor gives a good mailbox and a poor supervisor: this adapter takes the first and does without
//! the second. The user's actor is wrapped, so that every outcome of every hook becomes a typed
//! exit, and it is never linked to ractor's own tree, whose links kill children unordered.
//!
//! # Invariants
//!
//! 1. The wrapper's `pre_start` returns at its first poll; the user's hooks and factory run in the
//!    wrapper's later hooks, inside the actor's own task. So a start needs no task of its own, and
//!    no user code runs on the supervisor's.
//! 2. The user's actor and state are dropped inside a catch, in the actor's own task, before that
//!    task ends.
//! 3. `ActorRef<A::Msg>` stays the user's: the wrapper's message type is the actor's own.
//! 4. The future of each hook but `handle` is boxed: an actor's task has room for the largest of them
//!    for as long as it lives, several times over, and most wait for messages.

mod mailbox;
#[cfg(feature = "testkit")]
mod rouse;

use std::io;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as PollContext, Poll, Waker};

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, RpcReplyPort, SupervisionEvent};
use tokio::time::Instant;

use self::mailbox::{Gate, Mailbox};
use super::launch::{Body, End, Launched, Leaf, Seat};
use super::{Child, Kind};
use crate::context::{Context, Hook, Inside, Run, breakable, within_task};
use crate::exit::{BoxError, Exit, Panic, catch_blocking};
use crate::handle::{Reply, Routed};

impl<M: ractor::Message> Child<M> {
    /// Declares a ractor actor.
    ///
    /// The closure is called once for each incarnation and makes the actor and its arguments.
    pub fn actor<A, F>(name: impl Into<String>, factory: F) -> Self
    where
        A: Actor<Msg = M>,
        F: Fn(Context) -> (A, A::Arguments) + Send + Sync + 'static,
    {
        Self::new(name, Kind::Actor, Arc::new(ActorBody { factory }))
    }
}

impl<M: ractor::Message> Child<M> {
    /// Declares a ractor actor whose factory is given its own clone of `state` at each start.
    ///
    /// Every incarnation begins with the state as it was declared; what is to be kept across them
    /// goes into an `Arc` or a [`Resource`](crate::resource::Resource).
    pub fn actor_with<A, S, F>(name: impl Into<String>, state: S, factory: F) -> Self
    where
        A: Actor<Msg = M>,
        S: Clone + Send + Sync + 'static,
        F: Fn(Context, S) -> (A, A::Arguments) + Send + Sync + 'static,
    {
        Self::actor(name, move |cx| factory(cx, state.clone()))
    }
}

/// Lets a message carry ractor's own reply port: `handle.call(|reply| Msg::Get(reply.into()))`.
impl<T> From<Reply<T>> for RpcReplyPort<T> {
    fn from(reply: Reply<T>) -> Self {
        Self::from(reply.into_sender())
    }
}

struct ActorBody<F> {
    factory: F,
}

/// A body as its incarnations see it, which know the actor and not the closure that makes it.
trait Make<A: Actor>: Send + Sync {
    fn make(&self, cx: Context) -> (A, A::Arguments);
}

impl<A, F> Make<A> for ActorBody<F>
where
    A: Actor,
    F: Fn(Context) -> (A, A::Arguments) + Send + Sync + 'static,
{
    fn make(&self, cx: Context) -> (A, A::Arguments) {
        (self.factory)(cx)
    }
}

impl<A, F> Body<A::Msg> for ActorBody<F>
where
    A: Actor,
    F: Fn(Context) -> (A, A::Arguments) + Send + Sync + 'static,
{
    fn launch(self: Arc<Self>, run: &Arc<Run>, leaf: &Leaf<A::Msg>) -> io::Result<Launched> {
        let seat = leaf.seat();
        let gate = Arc::new(Gate::new(seat.address.capacity(), seat.address.ledger()));
        let incarnation = Incarnation::<A> {
            run: Arc::clone(run),
            lent: Some(Arc::clone(run)),
            seat,
            body: self,
            gate: Arc::clone(&gate),
            alive: None,
            timed: None,
            routed: None,
        };
        let spawned = ActorRuntime::spawn(None, Supervised::<A>(PhantomData), incarnation);
        // Unconstrained: a supervisor that used up its budget must not see this as pending.
        let mut spawned = pin!(tokio::task::unconstrained(spawned));
        match spawned
            .as_mut()
            .poll(&mut PollContext::from_waker(Waker::noop()))
        {
            Poll::Ready(Ok((actor, task))) => {
                #[cfg(feature = "testkit")]
                run.fault_point().rouse_with(rouse::of(actor.get_cell()));
                Ok(Launched {
                    end: End::Task(task),
                    control: Some(Arc::new(Mailbox { actor, gate })),
                })
            }
            Poll::Ready(Err(error)) => Err(io::Error::other(error.to_string())),
            Poll::Pending => Err(io::Error::other("ractor did not spawn at its first poll")),
        }
    }
}

/// The actor that ractor sees.
struct Supervised<A>(PhantomData<fn() -> A>);

/// The state that ractor sees: the user's actor with its own state, once it is made.
struct Incarnation<A: Actor> {
    run: Arc<Run>,
    /// The same, which the hooks are lent.
    lent: Option<Arc<Run>>,
    seat: Seat<A::Msg>,
    body: Arc<dyn Make<A>>,
    gate: Arc<Gate>,
    alive: Option<(A, A::State)>,
    /// Since when the present message is handled, if it is timed.
    timed: Option<Instant>,
    routed: Option<Routed<A::Msg>>,
}

impl<A: Actor> Actor for Supervised<A> {
    type Msg = A::Msg;
    type State = Incarnation<A>;
    type Arguments = Incarnation<A>;

    async fn pre_start(
        &self,
        _myself: ActorRef<A::Msg>,
        incarnation: Incarnation<A>,
    ) -> Result<Incarnation<A>, ActorProcessingErr> {
        Ok(incarnation)
    }

    fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        incarnation: &mut Incarnation<A>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        Box::pin(async move {
            incarnation.start(myself.clone()).await?;
            let Some((actor, state)) = incarnation.alive.as_mut() else {
                return Err(Recorded.into());
            };
            // Called inside the future: a hook may panic before it returns its own.
            let hook = async { actor.post_start(myself, state).await };
            let (run, lent) = (&incarnation.run, &mut incarnation.lent);
            let started = inside((run, lent), Hook::PostStart, hook).await;
            incarnation.keep_on(started)
        })
    }

    // Not an `async fn`, which keeps its arguments twice; and `inside` would move the message once more.
    fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        incarnation: &mut Incarnation<A>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        incarnation.timed = incarnation.gate.meter.leave();
        async move {
            let Some((actor, state)) = incarnation.alive.as_mut() else {
                return Err(Recorded.into());
            };
            let (run, lent) = (&incarnation.run, &mut incarnation.lent);
            let hook = async { actor.handle(myself, message, state).await };
            let handled = Inside::of(run, lent, Hook::Handle, breakable(run, hook)).await;
            if run.tell_what_waits() {
                run.heard().await;
            }
            if let Some(timed) = incarnation.timed {
                incarnation.gate.meter.took(timed);
            }
            incarnation.keep_on(handled)
        }
    }

    fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        incarnation: &mut Incarnation<A>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        Box::pin(async move {
            let Some((actor, state)) = incarnation.alive.as_mut() else {
                return Err(Recorded.into());
            };
            let hook = async {
                #[cfg(feature = "testkit")]
                if rouse::is_from_here(&event) {
                    return Ok(());
                }
                actor.handle_supervisor_evt(myself, event, state).await
            };
            let (run, lent) = (&incarnation.run, &mut incarnation.lent);
            let handled = inside((run, lent), Hook::Supervision, hook).await;
            incarnation.keep_on(handled)
        })
    }

    fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        incarnation: &mut Incarnation<A>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        Box::pin(async move {
            incarnation.routed = None;
            let Some((actor, state)) = incarnation.alive.as_mut() else {
                return Err(Recorded.into());
            };
            let hook = async { actor.post_stop(myself, state).await };
            let (run, lent) = (&incarnation.run, &mut incarnation.lent);
            let stopped = inside((run, lent), Hook::PostStop, hook).await;
            incarnation.keep_on(stopped)?;
            incarnation.bury();
            incarnation.run.record_good_end();
            Ok(())
        })
    }
}

impl<A: Actor> Incarnation<A> {
    /// Makes the user's actor and runs its `pre_start`; then lets messages in and says that it is up.
    async fn start(&mut self, myself: ActorRef<A::Msg>) -> Result<(), ActorProcessingErr> {
        let (body, cx, starting) = (&self.body, Context::new(&self.run), myself.clone());
        let hook = async {
            let (actor, arguments) = body.make(cx);
            let state = actor.pre_start(starting, arguments).await?;
            Ok((actor, state))
        };
        let body = breakable(&self.run, hook);
        match Inside::of(&self.run, &mut self.lent, Hook::Unwatched, body).await {
            Ok(Ok(alive)) => self.alive = Some(alive),
            failed => return self.keep_on(failed.map(|made| made.map(drop))),
        }
        let mailbox = Mailbox {
            actor: myself,
            gate: Arc::clone(&self.gate),
        };
        self.routed = Some(self.seat.route_to(&self.run, Arc::new(mailbox)));
        if !self.seat.explicit_ready {
            self.run.acknowledge();
        }
        // What is told is told in a poll of its own (see `inside`).
        if self.run.tell_what_waits() || !self.seat.explicit_ready {
            self.run.heard().await;
        }
        Ok(())
    }

    /// Goes on after a hook that succeeded; records a failure and ends the actor otherwise.
    fn keep_on(
        &mut self,
        outcome: Result<Result<(), ActorProcessingErr>, Panic>,
    ) -> Result<(), ActorProcessingErr> {
        let exit = match outcome {
            Ok(Ok(())) => return Ok(()),
            // What the error says and drops is the child's code.
            Ok(Err(error)) => within_task(&self.run, || Exit::of_error(error)),
            Err(panic) => Exit::Panicked(panic),
        };
        self.run.record(exit);
        self.routed = None;
        self.bury();
        self.run.tell_what_waits();
        Err(Recorded.into())
    }

    /// Drops the user's actor and state; a drop that panics is how the run ended, unless something
    /// else was: then it can only be logged.
    fn bury(&mut self) {
        let alive = self.alive.take();
        let run = &self.run;
        let dropping = || within_task(run, || drop(alive));
        if let Err(panic) = catch_blocking(AssertUnwindSafe(dropping))
            && !run.is_first_record(Exit::Panicked(panic.clone()))
        {
            tracing::error!(parent: run.span(), %panic, "what a failed actor held panicked when it was dropped");
        }
    }
}

impl<A: Actor> Drop for Incarnation<A> {
    /// Reached with a living actor only when the run was killed at an await.
    fn drop(&mut self) {
        self.routed = None;
        self.bury();
        // ractor drops what waits; the route is down, so nothing can come in any more.
        self.gate.meter.end();
    }
}

/// Runs a hook of the user's as part of its run. What it told the supervisor is told in a poll of its
/// own: the actor would begin its next hook in the same one (invariant 1 of `context::current`).
async fn inside<F>(
    (run, lent): (&Arc<Run>, &mut Option<Arc<Run>>),
    kind: Hook,
    hook: F,
) -> Result<Result<(), BoxError>, Panic>
where
    F: Future<Output = Result<(), BoxError>>,
{
    let outcome = Inside::of(run, lent, kind, breakable(run, hook)).await;
    if run.tell_what_waits() {
        run.heard().await;
    }
    outcome
}

/// What ractor is told when the exit has been recorded here.
#[derive(Debug, thiserror::Error)]
#[error("the run has ended; its exit is recorded")]
struct Recorded;
