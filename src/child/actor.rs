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
use tracing::Instrument;

use self::mailbox::Mailbox;
use super::launch::{Body, Control, End, Launched, Seat};
use super::{Child, Kind};
use crate::context::{Context, Run, breakable, within_blocking, within_hook};
use crate::exit::{BoxError, Exit, Panic, catch, catch_blocking};
use crate::handle::{Meter, Reply, Routed};
use crate::sync::atomic::{AtomicBool, Ordering};

impl<M: ractor::Message> Child<M> {
    /// Declares a ractor actor.
    ///
    /// The closure is called once for each incarnation and makes the actor and its arguments.
    pub fn actor<A, F>(name: impl Into<String>, factory: F) -> Self
    where
        A: Actor<Msg = M>,
        F: Fn(Context) -> (A, A::Arguments) + Send + Sync + 'static,
    {
        Self::new(
            name,
            Kind::Actor,
            Arc::new(ActorBody {
                factory: Arc::new(factory),
            }),
        )
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

type Factory<A> = dyn Fn(Context) -> (A, <A as Actor>::Arguments) + Send + Sync;

struct ActorBody<F> {
    factory: Arc<F>,
}

impl<A, F> Body<A::Msg> for ActorBody<F>
where
    A: Actor,
    F: Fn(Context) -> (A, A::Arguments) + Send + Sync + 'static,
{
    fn launch(&self, cx: Context, seat: &Seat<A::Msg>) -> io::Result<Launched> {
        let meter = Meter::new(seat.address.capacity(), seat.address.ledger());
        let meter = Arc::new(meter);
        let incarnation = Incarnation::<A> {
            cx,
            seat: seat.clone(),
            factory: Arc::clone(&self.factory) as Arc<Factory<A>>,
            meter: Arc::clone(&meter),
            draining: Arc::default(),
            alive: None,
            routed: None,
        };
        let draining = Arc::clone(&incarnation.draining);
        #[cfg(feature = "testkit")]
        let run = Arc::clone(incarnation.cx.run());
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
                    control: Some(Box::new(ActorControl { actor, draining })),
                })
            }
            Poll::Ready(Err(error)) => Err(io::Error::other(error.to_string())),
            Poll::Pending => Err(io::Error::other("ractor did not spawn at its first poll")),
        }
    }
}

/// Reaches an actor through its ports.
struct ActorControl<M> {
    actor: ActorRef<M>,
    draining: Arc<AtomicBool>,
}

impl<M: ractor::Message> Control for ActorControl<M> {
    fn drain(&self) {
        // Told to the mailbox first, so that no sender takes a refusal for the end of the run.
        self.draining.store(true, Ordering::Release);
        // Fails only when the actor has ended, which is what it asks for.
        drop(self.actor.drain());
    }

    fn stop(&self) {
        self.actor.stop(None);
    }
}

/// The actor that ractor sees.
struct Supervised<A>(PhantomData<fn() -> A>);

/// The state that ractor sees: the user's actor with its own state, once it is made.
struct Incarnation<A: Actor> {
    cx: Context,
    seat: Seat<A::Msg>,
    factory: Arc<Factory<A>>,
    meter: Arc<Meter>,
    draining: Arc<AtomicBool>,
    alive: Option<(A, A::State)>,
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

    async fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        incarnation: &mut Incarnation<A>,
    ) -> Result<(), ActorProcessingErr> {
        let run = Arc::clone(incarnation.cx.run());
        let span = run.span().clone();
        within_hook(&run, incarnation.start(myself))
            .instrument(span)
            .await
    }

    async fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        incarnation: &mut Incarnation<A>,
    ) -> Result<(), ActorProcessingErr> {
        incarnation.meter.leave();
        let Some((actor, state)) = incarnation.alive.as_mut() else {
            return Err(Recorded.into());
        };
        // Called inside the future: a hook may panic before it returns its own.
        let hook = async { actor.handle(myself, message, state).await };
        let handled = inside(incarnation.cx.run(), hook).await;
        incarnation.keep_on(handled)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        incarnation: &mut Incarnation<A>,
    ) -> Result<(), ActorProcessingErr> {
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
        let handled = inside(incarnation.cx.run(), hook).await;
        incarnation.keep_on(handled)
    }

    async fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        incarnation: &mut Incarnation<A>,
    ) -> Result<(), ActorProcessingErr> {
        incarnation.routed = None;
        let Some((actor, state)) = incarnation.alive.as_mut() else {
            return Err(Recorded.into());
        };
        let hook = async { actor.post_stop(myself, state).await };
        let stopped = inside(incarnation.cx.run(), hook).await;
        incarnation.keep_on(stopped)?;
        incarnation.bury();
        incarnation.cx.run().record_good_end();
        Ok(())
    }
}

impl<A: Actor> Incarnation<A> {
    async fn start(&mut self, myself: ActorRef<A::Msg>) -> Result<(), ActorProcessingErr> {
        let mailbox = Arc::new(Mailbox {
            actor: myself.clone(),
            meter: Arc::clone(&self.meter),
            draining: Arc::clone(&self.draining),
        });
        let (factory, cx) = (Arc::clone(&self.factory), self.cx.clone());
        let starting = myself.clone();
        let hook = async move {
            let (actor, arguments) = factory(cx);
            let state = actor.pre_start(starting, arguments).await?;
            Ok((actor, state))
        };
        match catch(breakable(self.cx.run(), hook)).await {
            Ok(Ok(alive)) => self.alive = Some(alive),
            failed => {
                return self.keep_on(failed.map(|made| made.map(drop)));
            }
        }
        self.routed = Some(self.seat.route_to(self.cx.run(), mailbox));
        if !self.seat.explicit_ready {
            self.cx.run().acknowledge();
        }
        let Some((actor, state)) = self.alive.as_mut() else {
            return Err(Recorded.into());
        };
        let hook = async { actor.post_start(myself, state).await };
        let started = catch(breakable(self.cx.run(), hook)).await;
        self.keep_on(started)
    }

    /// Goes on after a hook that succeeded; records a failure and ends the actor otherwise.
    fn keep_on(
        &mut self,
        outcome: Result<Result<(), ActorProcessingErr>, Panic>,
    ) -> Result<(), ActorProcessingErr> {
        let exit = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => Exit::of_error(error),
            Err(panic) => Exit::Panicked(panic),
        };
        self.cx.run().record(exit);
        self.routed = None;
        self.bury();
        Err(Recorded.into())
    }

    /// Drops the user's actor and state; a drop that panics is how the run ended, unless something
    /// else was: then it can only be logged.
    fn bury(&mut self) {
        let alive = self.alive.take();
        let run = self.cx.run();
        let dropping = || within_blocking(run, || drop(alive));
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
        self.meter.end();
    }
}

/// Runs a hook of the user's as part of its run: caught, in the run's span, with its context.
fn inside<F>(
    run: &Arc<Run>,
    hook: F,
) -> impl Future<Output = Result<Result<(), BoxError>, Panic>> + use<F>
where
    F: Future<Output = Result<(), BoxError>>,
{
    within_hook(run, catch(breakable(run, hook))).instrument(run.span().clone())
}

/// What ractor is told when the exit has been recorded here.
#[derive(Debug, thiserror::Error)]
#[error("the run has ended; its exit is recorded")]
struct Recorded;
