//! The specification of a child: what to run, and how to treat it.
//!
//! A [`Child`] is a declaration, never the running thing. Its factory is called once for each
//! incarnation, inside that incarnation's own task, so that a factory that blocks or panics costs
//! nobody but its child. One file for each kind.

mod actor;
mod blocking;
mod body;
mod launch;
mod step;
mod task;
mod worker;

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use self::launch::Leaf;
#[cfg(all(test, shuttle))]
pub(crate) use self::launch::Seat;
pub(crate) use self::launch::{Control, End, Launch, Launched};
use crate::handle::{Claim, DEFAULT_MAILBOX_CAPACITY, Handle};
use crate::health::{Duty, HealthCheck, Need, OnFailed};
use crate::policy::backoff::Backoff;
use crate::policy::intensity::Intensity;
use crate::policy::limit::OnLimit;
use crate::policy::restart::Restart;
use crate::policy::stop::{DEFAULT_START_TIMEOUT, DEFAULT_STOP_TIMEOUT, OnHung, Stop};
use crate::policy::stuck::{DEFAULT_STUCK_AFTER, OnStuck};
use crate::policy::while_down::WhileDown;

/// What kind of node a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Kind {
    /// A ractor actor.
    Actor,
    /// A task with an [`Inbox`](crate::handle::inbox::Inbox).
    Worker,
    /// A task.
    Task,
    /// A named thread.
    Blocking,
    /// Something that runs once; it has started when it has finished.
    Step,
    /// A supervisor with children of its own.
    Supervisor,
}

/// Declares one leaf of the tree. `M` is what it can be sent.
///
/// Defaults: permanent (a step: transient; a child of a dynamic supervisor: temporary), the
/// supervisor's backoff, 30 s to start, 5 s to stop, 16 384 waiting messages.
#[must_use = "a child does nothing until a supervisor has it"]
pub struct Child<M: Send + 'static = Infallible> {
    pub(crate) specification: Specification,
    body: Arc<dyn launch::Body<M>>,
    claim: Claim<M>,
    mailbox_capacity: usize,
    while_down: WhileDown,
}

/// What is declared of a leaf, without what it runs.
#[derive(Debug, Clone)]
pub(crate) struct Specification {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Shared by all leaves that were declared without a wish of their own.
    pub(crate) treatment: Arc<Treatment>,
}

/// What is declared of a leaf, and what runs it, of which its supervisor does not know the type.
pub(crate) struct Declared<L: ?Sized> {
    pub(crate) specification: Specification,
    pub(crate) launch: L,
}

impl<L: ?Sized> Declared<L> {
    pub(crate) fn treatment(&self) -> &Treatment {
        &self.specification.treatment
    }
}

/// How a leaf is started, restarted and stopped.
#[derive(Debug, Clone)]
pub(crate) struct Treatment {
    pub(crate) restart: Option<Restart>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) start_timeout: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) stop_reserve: Option<Duration>,
    pub(crate) explicit_ready: bool,
    pub(crate) limit: Option<Intensity>,
    pub(crate) on_limit: Option<OnLimit>,
    pub(crate) is_significant: bool,
    pub(crate) stop: Stop,
    pub(crate) on_hung: OnHung,
    pub(crate) health_check: Option<HealthCheck>,
    /// Absent where nothing was declared.
    pub(crate) duty: Option<Arc<Duty>>,
    /// `None` where nobody watches.
    pub(crate) stuck_after: Option<Duration>,
    pub(crate) on_stuck: OnStuck,
    /// `None` where the backoff says it.
    pub(crate) stable_after: Option<Duration>,
}

static DEFAULT_TREATMENT: LazyLock<Arc<Treatment>> = LazyLock::new(|| {
    Arc::new(Treatment {
        restart: None,
        backoff: None,
        start_timeout: DEFAULT_START_TIMEOUT,
        stop_timeout: DEFAULT_STOP_TIMEOUT,
        stop_reserve: None,
        explicit_ready: false,
        limit: None,
        on_limit: None,
        is_significant: false,
        stop: Stop::default(),
        on_hung: OnHung::default(),
        health_check: None,
        duty: None,
        stuck_after: Some(DEFAULT_STUCK_AFTER),
        on_stuck: OnStuck::default(),
        stable_after: None,
    })
});

impl<M: Send + 'static> Child<M> {
    fn new(name: impl Into<String>, kind: Kind, body: Arc<dyn launch::Body<M>>) -> Self {
        let specification = Specification {
            name: name.into(),
            kind,
            treatment: Arc::clone(&DEFAULT_TREATMENT),
        };
        let claim = Claim::new();
        if matches!(kind, Kind::Actor | Kind::Worker) {
            // From now on: it is what its messages are sent to, whether a handle is taken here or not.
            claim.address();
        }
        Self {
            specification,
            body,
            claim,
            mailbox_capacity: DEFAULT_MAILBOX_CAPACITY,
            while_down: WhileDown::default(),
        }
    }

    fn treatment(&mut self) -> &mut Treatment {
        Arc::make_mut(&mut self.specification.treatment)
    }

    /// Returns a handle to this child, valid before its start and across its restarts.
    #[must_use]
    pub fn handle(&self) -> Handle<M> {
        Handle::of(self.claim.address())
    }

    /// Gives the child a handle that was made before it, with [`Handle::unbound`].
    ///
    /// Giving one handle to two children is refused when the tree is validated. Handles that were
    /// taken from the child before lead nowhere from then on.
    pub fn address(mut self, handle: &Handle<M>) -> Self {
        self.claim = Claim::of(handle.address());
        self.bounded()
    }

    /// Sets how many messages may wait. Default 16 384; at least 1.
    ///
    /// Exact for workers. For actors it covers what goes through the handle: messages sent past it,
    /// by an `ActorRef`, are not bounded and make the count read low.
    pub fn mailbox(mut self, capacity: usize) -> Self {
        self.mailbox_capacity = capacity.max(1);
        self.bounded()
    }

    /// Sets what becomes of messages while the child is down. Default: they come back.
    ///
    /// It holds from now on, before the start as well.
    pub fn while_down(mut self, while_down: WhileDown) -> Self {
        self.while_down = while_down;
        self.bounded()
    }

    fn bounded(self) -> Self {
        let address = self.claim.address();
        address.set_bounds(self.mailbox_capacity, self.while_down);
        self
    }

    /// Sets whether the child is restarted after it ended by itself.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.treatment().restart = Some(restart);
        self
    }

    /// Sets how long the child waits before each restart. Default: the supervisor's backoff.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.treatment().backoff = Some(backoff);
        self
    }

    /// Allows at most `restarts` restarts of this child within `period`, whatever its supervisor
    /// allows. Default: no limit of its own. Source: systemd's `StartLimitBurst`.
    ///
    /// Each decision to restart counts when it is made, and once more when that start fails.
    pub fn limit(mut self, restarts: u32, period: Duration) -> Self {
        self.treatment().limit = Some(Intensity { restarts, period });
        self
    }

    /// Sets what the child's own limit, or the attempts of its backoff, do when they are reached.
    ///
    /// Default: quarantine; in a `one_for_all` or `rest_for_one` supervisor, escalate.
    pub fn on_limit(mut self, on_limit: OnLimit) -> Self {
        self.treatment().on_limit = Some(on_limit);
        self
    }

    /// Makes the child one whose end for good can end its supervisor: see
    /// [`Supervisor::auto_shutdown`](crate::supervisor::Supervisor::auto_shutdown). Default: no.
    pub fn significant(mut self) -> Self {
        self.treatment().is_significant = true;
        self
    }

    /// Sets how the child is asked to stop. Default: ahead of its mailbox.
    pub fn stop(mut self, stop: Stop) -> Self {
        self.treatment().stop = stop;
        self
    }

    /// Sets what follows when the child neither stops nor dies. Default: it is reported.
    pub fn on_hung(mut self, on_hung: OnHung) -> Self {
        self.treatment().on_hung = on_hung;
        self
    }

    /// Sets how long a handler may run before it counts as stuck: any hook of an actor but `pre_start`, a
    /// worker from the receipt of messages until it asks for more, and whatever calls
    /// [`Context::alive`](crate::context::Context::alive) between two calls. Default 10 s. It is noticed a
    /// quarter of that time later at most. Zero, as for a health check's interval, and `Duration::MAX`:
    /// never.
    pub fn stuck_after(mut self, after: Duration) -> Self {
        let watched = (!after.is_zero() && after < Duration::MAX).then_some(after);
        self.treatment().stuck_after = watched;
        watched.into_iter().for_each(crate::time::watch_closely);
        self
    }

    /// Sets what follows when a handler is stuck. Default: it is reported.
    pub fn on_stuck(mut self, on_stuck: OnStuck) -> Self {
        self.treatment().on_stuck = on_stuck;
        self
    }

    /// Sets how long a start may take before it counts as failed. Default 30 s.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.treatment().start_timeout = timeout;
        self
    }

    /// Sets how long a stop may take at most. Default 5 s; less when the shutdown has less left.
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.treatment().stop_timeout = timeout;
        self
    }

    /// Sets how much time of a shutdown is kept for this child while its siblings stop.
    ///
    /// Default: its stop timeout, 100 ms or an equal share of the budget, whichever is least.
    pub fn stop_reserve(mut self, reserve: Duration) -> Self {
        self.treatment().stop_reserve = Some(reserve);
        self
    }

    /// Sets a check that runs beside the child for as long as it is up. Default: none, and what the child
    /// says itself ([`Context::health`](crate::context::Context::health)) is all that is known.
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.treatment().health_check = Some(check);
        self
    }

    /// Sets what follows when the child does not do its work. Default: the program is not ready.
    pub fn on_failed(mut self, on_failed: OnFailed) -> Self {
        self.duty().on_failed = on_failed;
        self
    }

    /// Lets the program be ready without this child. Default: it is required. Children that are added
    /// while the program runs never are.
    pub fn optional(mut self) -> Self {
        self.duty().need = Need::Optional;
        self
    }

    /// Lets the program be ready as long as one child of this group is up and well, wherever in the tree
    /// they stand.
    pub fn one_of(mut self, group: impl Into<Arc<str>>) -> Self {
        self.duty().need = Need::OneOf(group.into());
        self
    }

    /// Sets for how long a run has to be up and well, neither degraded nor failed nor stuck, without a
    /// break, before it is *stable*. Then the restarts in a row are forgotten and
    /// [`EventKind::Stable`](crate::event::EventKind::Stable) is told. Default: the backoff's
    /// [`reset_after`](Backoff::reset_after), 30 s when nothing was set there either.
    pub fn stable_after(mut self, up_and_well: Duration) -> Self {
        self.treatment().stable_after = Some(up_and_well);
        self
    }

    /// Makes the program not ready until the child's run is stable ([`stable_after`](Self::stable_after)),
    /// if it needs the child: after each restart, too. Default: ready once it is up.
    pub fn unready_until_stable(mut self) -> Self {
        self.duty().unready_until_stable = true;
        self
    }

    /// Starts the siblings after this child only once its run is stable
    /// ([`stable_after`](Self::stable_after)): when the tree starts, and when a group restarts. Default:
    /// once it is up.
    ///
    /// A run that ends before it is stable has failed to start, if the child is restarted after such an end;
    /// and so has one that is not stable when its start timeout has passed a second time after
    /// `stable_after`. Children that are added while the program runs wait for nobody.
    pub fn siblings_wait_until_stable(mut self) -> Self {
        self.duty().siblings_wait_until_stable = true;
        self
    }

    fn duty(&mut self) -> &mut Duty {
        Arc::make_mut(self.treatment().duty.get_or_insert_default())
    }

    /// Makes the child count as started only once it calls
    /// [`Context::ready`](crate::context::Context::ready).
    ///
    /// Default: an actor when its `pre_start` returned, a worker or task after its first poll, a
    /// thread when it runs, a step when it finished.
    pub fn explicit_ready(mut self) -> Self {
        self.treatment().explicit_ready = true;
        self
    }

    pub(crate) fn into_declared(self) -> Declared<Leaf<M>> {
        let launch = Leaf {
            body: self.body,
            claim: self.claim,
            explicit_ready: self.specification.treatment.explicit_ready,
        };
        Declared {
            specification: self.specification,
            launch,
        }
    }
}

impl<M: Send + 'static> fmt::Debug for Child<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.specification.name)
            .field("kind", &self.specification.kind)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
