//! A supervisor: the declaration of a subtree, and a handle to it once it runs.
//!
//! Declared in code and validated as a whole before anything starts. What it decides is in
//! `decide`, a pure function; what it does is in `run_loop`, the only place with effects.

pub(crate) mod cell;
mod checks;
mod children;
mod decide;
mod door;
mod ends;
mod in_order;
mod live;
mod names;
mod node;
mod past;
mod reaper;
mod run_loop;
pub(crate) mod spawn;
mod standing;
mod stop_plan;
pub mod status;
mod tree;
mod validate;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::door::Door;
pub use self::door::SupervisorHandle;
pub use self::node::Node;
pub(crate) use self::node::NodeKind;
#[cfg(feature = "daemon")]
pub(crate) use self::run_loop::Asked;
pub(crate) use self::run_loop::Ear;
pub use self::stop_plan::{ImpossiblePlan, PlannedStop, StopPlan};
#[cfg(feature = "daemon")]
pub(crate) use self::tree::Leaving;
pub use self::tree::ShutdownProgress;
pub(crate) use self::tree::Tree;
pub use self::validate::InvalidTree;
pub(crate) use self::validate::validate;
use crate::bus::DEFAULT_BUS_CAPACITY;
use crate::health::{Duty, Need};
use crate::policy::auto_shutdown::AutoShutdown;
use crate::policy::backoff::Backoff;
use crate::policy::intensity::Intensity;
use crate::policy::limit::OnLimit;
use crate::policy::restart::{Restart, Strategy};
use crate::policy::stop::DEFAULT_STOP_RESERVE;
use crate::shutdown::DEFAULT_SHUTDOWN_BUDGET;
use crate::shutdown::plan::{self, Floors, StopNeed};

/// How many children a dynamic supervisor accepts when nothing was set.
///
/// At about 2 kB a worker, 200 MB: a leak of children is noticed before the machine is.
pub const DEFAULT_MAX_CHILDREN: usize = 100_000;

/// How often health checks are asked when nothing was set: well within a minute's alert.
pub const DEFAULT_HEALTH_INTERVAL: Duration = Duration::from_secs(5);

/// Declares a supervisor and its children.
///
/// Defaults: permanent, exponential backoff for its children and for itself, no limit on restarts
/// of children that back off (5 in 60 s for those that do not), the stop time that its parent has.
#[must_use = "a supervisor does nothing until it is started or given to another"]
pub struct Supervisor {
    pub(crate) name: String,
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Option<Intensity>,
    pub(crate) on_limit: OnLimit,
    pub(crate) auto_shutdown: AutoShutdown,
    pub(crate) child_backoff: Backoff,
    pub(crate) max_children: usize,
    pub(crate) restart: Option<Restart>,
    pub(crate) own_backoff: Option<Backoff>,
    pub(crate) own_limit: Option<Intensity>,
    pub(crate) own_on_limit: Option<OnLimit>,
    pub(crate) is_significant: bool,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) shutdown_budget: Duration,
    pub(crate) seed: Option<u64>,
    pub(crate) bus_capacity: usize,
    pub(crate) health_interval: Duration,
    /// Absent where nothing was declared.
    pub(crate) duty: Option<Arc<Duty>>,
    pub(crate) children: Vec<Node>,
    pub(crate) door: Arc<Door>,
}

impl Supervisor {
    fn new(name: impl Into<String>, strategy: Strategy) -> Self {
        Self {
            name: name.into(),
            strategy,
            intensity: None,
            on_limit: OnLimit::Escalate,
            auto_shutdown: AutoShutdown::Never,
            child_backoff: Backoff::default(),
            max_children: DEFAULT_MAX_CHILDREN,
            restart: None,
            own_backoff: None,
            own_limit: None,
            own_on_limit: None,
            is_significant: false,
            stop_timeout: None,
            shutdown_budget: DEFAULT_SHUTDOWN_BUDGET,
            seed: None,
            bus_capacity: DEFAULT_BUS_CAPACITY,
            health_interval: DEFAULT_HEALTH_INTERVAL,
            duty: None,
            children: Vec::new(),
            door: Arc::default(),
        }
    }

    /// Declares a supervisor that restarts only the child that ended.
    pub fn one_for_one(name: impl Into<String>) -> Self {
        Self::new(name, Strategy::OneForOne)
    }

    /// Declares a supervisor that restarts all its children when one ended.
    pub fn one_for_all(name: impl Into<String>) -> Self {
        Self::new(name, Strategy::OneForAll)
    }

    /// Declares a supervisor that restarts the child that ended and those declared after it.
    pub fn rest_for_one(name: impl Into<String>) -> Self {
        Self::new(name, Strategy::RestForOne)
    }

    /// Declares a supervisor whose children are added while it runs, with
    /// [`SupervisorHandle::start_child`].
    ///
    /// They are temporary unless they say otherwise, and stop all at once. None is kept that is down,
    /// whatever its restart type: a transient one is gone once it has ended well.
    pub fn dynamic(name: impl Into<String>) -> Self {
        Self::new(name, Strategy::Dynamic)
    }

    /// Adds a child; children start in the order in which they are added.
    pub fn child(mut self, child: impl Into<Node>) -> Self {
        self.children.push(child.into());
        self
    }

    /// Allows at most `restarts` restart decisions within `period`; one more is a meltdown, which
    /// stops the children and ends this supervisor with [`Exit::Meltdown`](crate::exit::Exit).
    ///
    /// Set explicitly it counts every restart, as in OTP. Unset, only restarts of children without
    /// backoff count, at most 5 in 60 s. The restart of a group counts once.
    pub fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.intensity = Some(Intensity { restarts, period });
        self
    }

    /// Sets what the intensity does when it is reached. Default: escalate.
    pub fn on_limit(mut self, on_limit: OnLimit) -> Self {
        self.on_limit = on_limit;
        self
    }

    /// Sets whether this supervisor ends by itself when its significant children have ended.
    /// Default: never.
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
        self
    }

    /// Sets the backoff of all children that have none of their own.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.child_backoff = backoff;
        self
    }

    /// Sets how long this supervisor, as a child, waits before each restart. Default: its parent's
    /// choice for its children.
    pub fn own_backoff(mut self, backoff: Backoff) -> Self {
        self.own_backoff = Some(backoff);
        self
    }

    /// Sets whether this supervisor, as a child, is restarted. Default: permanent.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = Some(restart);
        self
    }

    /// Allows at most `restarts` restarts of this supervisor, as a child, within `period`. Default:
    /// no limit of its own.
    pub fn own_limit(mut self, restarts: u32, period: Duration) -> Self {
        self.own_limit = Some(Intensity { restarts, period });
        self
    }

    /// Sets what its own limit, or the attempts of its own backoff, do when they are reached.
    ///
    /// Default: quarantine; below a `one_for_all` or `rest_for_one` supervisor, escalate.
    pub fn own_on_limit(mut self, on_limit: OnLimit) -> Self {
        self.own_on_limit = Some(on_limit);
        self
    }

    /// Makes this supervisor, as a child, one whose end for good can end its parent. Default: no.
    pub fn significant(mut self) -> Self {
        self.is_significant = true;
        self
    }

    /// Sets how long the shutdown of the whole tree may take when it is not said elsewhere: when
    /// its [`Running`](crate::tree::Running) is dropped, or a hung child ends the process. Taken
    /// from the root only; default 5 s. A plan that can't keep within it is refused at the start.
    pub fn shutdown_budget(mut self, budget: Duration) -> Self {
        self.shutdown_budget = budget;
        self
    }

    /// Sets how long the stop of the whole subtree may take. Default: what the parent has.
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = Some(timeout);
        self
    }

    /// Sets how many children a dynamic supervisor accepts. Default 100 000.
    pub fn max_children(mut self, max_children: usize) -> Self {
        self.max_children = max_children;
        self
    }

    /// Seeds the jitter of the whole tree, so that a run can be replayed. Taken from the root only;
    /// default: different in every process.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how many events of the whole tree are kept for subscribers that are behind. Taken from the
    /// root only; default 4 096, at least 1.
    pub fn bus_capacity(mut self, events: usize) -> Self {
        self.bus_capacity = events;
        self
    }

    /// Sets how often the health checks of the whole tree are asked that do not say it themselves; 0 is
    /// never. Taken from the root only; default 5 s.
    pub fn health_interval(mut self, interval: Duration) -> Self {
        self.health_interval = interval;
        self
    }

    /// Lets the program be ready without this supervisor and all below it. Default: it is required.
    pub fn optional(mut self) -> Self {
        self.duty().need = Need::Optional;
        self
    }

    /// Lets the program be ready as long as one member of this group is up, with everything below it that
    /// it needs.
    pub fn one_of(mut self, group: impl Into<Arc<str>>) -> Self {
        self.duty().need = Need::OneOf(group.into());
        self
    }

    fn duty(&mut self) -> &mut Duty {
        Arc::make_mut(self.duty.get_or_insert_default())
    }

    /// Returns a handle to this supervisor, valid before its start and across its restarts.
    #[must_use]
    pub fn handle(&self) -> SupervisorHandle {
        SupervisorHandle::new(&self.door)
    }

    /// Says what the stop of this tree comes to at worst, within `budget`: when each child uses all
    /// the time it is given. Nothing is started.
    ///
    /// # Errors
    ///
    /// [`ImpossiblePlan`] when the stop reserves set by hand exceed the budget.
    pub fn stop_plan(&self, budget: Duration) -> Result<StopPlan, ImpossiblePlan> {
        stop_plan::plan(self, budget)
    }

    /// Returns the longest time that stopping this subtree can take: the budget of a stop outside
    /// a shutdown.
    pub(crate) fn worst_case_stop(&self) -> Duration {
        let times = self.children.iter().map(|node| node.worst_case_stop());
        let children = match self.strategy {
            Strategy::Dynamic => times
                .max()
                .unwrap_or(crate::policy::stop::DEFAULT_STOP_TIMEOUT),
            _ => times.fold(Duration::ZERO, Duration::saturating_add),
        };
        self.worst_case_with(children)
    }

    fn floors(&self) -> Floors {
        let floors = self.children.iter().map(|node| node.floors());
        let below = match self.strategy {
            // Its children come while it runs and stop all at once.
            Strategy::Dynamic => Floors {
                by_default: DEFAULT_STOP_RESERVE,
                ..Floors::default()
            },
            _ => floors.fold(Floors::default(), Floors::and),
        };
        below.with_tick()
    }

    /// Returns what the stop of this subtree needs, as it was declared.
    fn stop_need(&self) -> StopNeed {
        StopNeed {
            worst_case: self.worst_case_stop(),
            floors: self.floors(),
        }
    }

    /// Returns what the stop of this supervisor needs when that of its children needs so much.
    fn stop_need_with(&self, children: StopNeed) -> StopNeed {
        StopNeed {
            worst_case: self.worst_case_with(children.worst_case),
            floors: children.floors.with_tick(),
        }
    }

    /// Returns the longest time that a stop can take when its children take so long.
    fn worst_case_with(&self, children: Duration) -> Duration {
        let with_tick = children.saturating_add(plan::SUPERVISOR_TICK);
        self.stop_timeout
            .map_or(with_tick, |timeout| timeout.min(with_tick))
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("name", &self.name)
            .field("strategy", &self.strategy)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}
