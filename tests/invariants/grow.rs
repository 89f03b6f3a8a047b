//! Makes a tree from its shape.

use std::sync::Arc;
use std::time::Duration;

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit::OnLimit;
use perennial::policy::restart::Restart;
use perennial::policy::stop::Stop;
use perennial::supervisor::Node;
use perennial::{Backoff, Child, Handle, Inbox, Supervisor, SupervisorHandle};

use crate::ending::floor_below;
use crate::leaf::{self, Doer};
use crate::shape::{Branch, Kind, Leaf, Limit, Limits, Pause, Shape, Start, Strategies};
use crate::world::{Spec, World};

/// How long a start may take; longer than any slow one.
pub(crate) const START_TIMEOUT: Duration = Duration::from_millis(700);

/// Long enough for every reserve that a random tree sets by hand.
const PLANNED_BUDGET: Duration = Duration::from_secs(60);

impl Strategies {
    pub(crate) fn is_group(self) -> bool {
        matches!(self, Self::OneForAll | Self::RestForOne)
    }
}

/// Declares the whole tree.
pub(crate) fn tree(root: &Branch, seed: u64, world: &Arc<World>) -> Supervisor {
    let root = mended_whole(root.clone());
    world.remember("/app", Shape::Branch(root.clone()), false);
    supervisor(world, "/app", &root)
        .seed(seed)
        .shutdown_budget(PLANNED_BUDGET)
}

/// Declares one node below `parent`, under its path there.
pub(crate) fn node(world: &Arc<World>, path: &str, shape: &Shape, parent: &Branch) -> Node {
    let is_added = parent.strategy == Strategies::Dynamic || !name_of(path).starts_with('c');
    let shape = mended(shape, parent);
    world.remember(path, shape.clone(), is_added);
    match &shape {
        Shape::Leaf(leaf) => leaf_node(world, path, leaf),
        Shape::Branch(branch) => {
            let own = &branch.limits;
            let mut declared = supervisor(world, path, branch);
            if let Some(pause) = own.pause {
                declared = declared.own_backoff(backoff(pause));
            }
            if let Some(Limit { restarts, period }) = own.limit {
                declared = declared.own_limit(restarts, millis(period));
            }
            if let Some(on_limit) = own.on_limit {
                declared = declared.own_on_limit(on_limit);
            }
            declared.into()
        }
    }
}

fn supervisor(world: &Arc<World>, path: &str, branch: &Branch) -> Supervisor {
    let name = name_of(path);
    let mut declared = match branch.strategy {
        Strategies::OneForOne => Supervisor::one_for_one(name),
        Strategies::OneForAll => Supervisor::one_for_all(name),
        Strategies::RestForOne => Supervisor::rest_for_one(name),
        Strategies::Dynamic => Supervisor::dynamic(name),
    };
    declared = declared
        .backoff(backoff(branch.pause))
        .auto_shutdown(branch.auto_shutdown);
    if let Some(Limit { restarts, period }) = branch.intensity {
        declared = declared.intensity(restarts, millis(period));
    }
    if let Some(on_limit) = branch.on_limit {
        declared = declared.on_limit(on_limit);
    }
    if let Some(restart) = branch.restart {
        declared = declared.restart(restart);
    }
    if let Some(timeout) = branch.stop_timeout {
        declared = declared.stop_timeout(millis(timeout));
    }
    world
        .seen()
        .handles
        .insert(path.to_owned(), declared.handle());
    if branch.strategy == Strategies::Dynamic {
        return declared;
    }
    let below = branch.children.iter().enumerate();
    below.fold(declared, |declared, (index, child)| {
        declared.child(node(world, &format!("{path}/c{index}"), child, branch))
    })
}

/// Adds the children of every dynamic supervisor at and below `path`, one after the other.
pub(crate) async fn plant(world: Arc<World>, path: String) {
    let Some((branch, handle)) = world.branch(&path) else {
        return;
    };
    for (index, child) in branch.children.iter().enumerate() {
        let below = format!("{path}/c{index}");
        if branch.strategy == Strategies::Dynamic {
            let node = node(&world, &below, child, &branch);
            // Refused when the supervisor has ended meanwhile.
            drop(handle.start_child(node).await);
        }
        Box::pin(plant(Arc::clone(&world), below)).await;
    }
}

impl World {
    fn remember(&self, path: &str, shape: Shape, is_added: bool) {
        let mut seen = self.seen();
        let spec = Spec { shape, is_added };
        if seen.specs.insert(path.to_owned(), spec).is_none() {
            seen.order.push(path.to_owned());
        }
    }

    /// Returns the supervisor at `path`, if there is one.
    pub(crate) fn branch(&self, path: &str) -> Option<(Branch, SupervisorHandle)> {
        let seen = self.seen();
        match &seen.specs.get(path)?.shape {
            Shape::Branch(branch) => Some((branch.clone(), seen.handles.get(path)?.clone())),
            Shape::Leaf(_) => None,
        }
    }
}

fn leaf_node(world: &Arc<World>, path: &str, leaf: &Leaf) -> Node {
    let name = name_of(path).to_owned();
    let (world, shared) = (Arc::clone(world), Arc::new(leaf.clone()));
    match leaf.kind {
        Kind::Task => {
            let state = (shared, world);
            let child = Child::task_with(name, state, |cx, (leaf, world)| {
                leaf::run(cx, leaf, world, None)
            });
            treated(child, leaf).into()
        }
        Kind::Step => Child::step(name, move |cx| {
            leaf::step(cx, Arc::clone(&shared), Arc::clone(&world))
        })
        .pipe(|child| treated(child, leaf))
        .into(),
        Kind::Worker => {
            let handle: Handle<u8> = Handle::unbound();
            let own = handle.clone();
            let child = Child::worker(name, move |cx, inbox: Inbox<u8>| {
                let (leaf, world) = (Arc::clone(&shared), Arc::clone(&world));
                leaf::run(cx, leaf, world, Some((inbox, own.clone())))
            });
            treated(child.address(&handle), leaf).into()
        }
        Kind::Actor => {
            let child = Child::actor(name, move |cx| {
                (
                    Doer {
                        leaf: Arc::clone(&shared),
                        world: Arc::clone(&world),
                        cx,
                    },
                    (),
                )
            });
            treated(child, leaf).into()
        }
    }
}

/// Lets a value flow on through a function.
trait Pipe: Sized {
    fn pipe<T>(self, through: impl FnOnce(Self) -> T) -> T {
        through(self)
    }
}

impl<T> Pipe for T {}

fn treated<M: Send + 'static>(mut child: Child<M>, leaf: &Leaf) -> Child<M> {
    child = child.start_timeout(START_TIMEOUT).stop(leaf.stop);
    if leaf.says_when_it_is_up() {
        child = child.explicit_ready();
    }
    if leaf.is_significant {
        child = child.significant();
    }
    if let Some(restart) = leaf.restart {
        child = child.restart(restart);
    }
    if let Some(timeout) = leaf.stop_timeout {
        child = child.stop_timeout(millis(timeout));
    }
    if let Some(reserve) = leaf.stop_reserve {
        child = child.stop_reserve(millis(reserve));
    }
    if let Some(pause) = leaf.limits.pause {
        child = child.backoff(backoff(pause));
    }
    if let Some(Limit { restarts, period }) = leaf.limits.limit {
        child = child.limit(restarts, millis(period));
    }
    if let Some(on_limit) = leaf.limits.on_limit {
        child = child.on_limit(on_limit);
    }
    child
}

impl Leaf {
    /// Tells whether its first poll says nothing of its start.
    pub(crate) fn says_when_it_is_up(&self) -> bool {
        let waits = matches!(self.start, Start::Slow(_) | Start::Hangs(_));
        waits && matches!(self.kind, Kind::Task | Kind::Worker)
    }
}

/// Returns the node with its restart type written out, and without what its supervisor would refuse.
fn mended(shape: &Shape, parent: &Branch) -> Shape {
    let by_default = |is_step: bool| match (parent.strategy, is_step) {
        (Strategies::Dynamic, _) => Restart::Temporary,
        (_, true) => Restart::Transient,
        (_, false) => Restart::Permanent,
    };
    match shape.clone() {
        Shape::Leaf(mut leaf) => {
            let restart = leaf.restart.unwrap_or(by_default(leaf.kind == Kind::Step));
            leaf.restart = Some(restart);
            leaf.is_significant &=
                restart != Restart::Permanent && parent.auto_shutdown != AutoShutdown::Never;
            if !matches!(leaf.kind, Kind::Actor | Kind::Worker) && leaf.stop == Stop::Drain {
                leaf.stop = Stop::Ask;
            }
            mend_limits(&mut leaf.limits, parent);
            Shape::Leaf(leaf)
        }
        Shape::Branch(mut branch) => {
            branch.restart = Some(branch.restart.unwrap_or(by_default(false)));
            mend_limits(&mut branch.limits, parent);
            // What is kept by hand below it must fit.
            let floor = floor_below(&Shape::Branch(branch.clone()));
            let least = u64::try_from(floor.as_millis()).expect("a test is short") + 1;
            branch.stop_timeout = branch.stop_timeout.map(|timeout| timeout.max(least));
            Shape::Branch(mended_whole(branch))
        }
    }
}

fn mend_limits(limits: &mut Limits, parent: &Branch) {
    if limits.on_limit == Some(OnLimit::Quarantine) && parent.strategy.is_group() {
        limits.on_limit = Some(OnLimit::Escalate);
    }
    if limits.on_limit == Some(OnLimit::Throttle) {
        limits.limit = limits.limit.map(at_least_one);
        limits.pause = Some(match limits.pause.unwrap_or(parent.pause) {
            Pause::Grows { first, max, .. } => Pause::Grows {
                first,
                max,
                attempts: None,
            },
            pause => pause,
        });
    }
}

fn mended_whole(mut branch: Branch) -> Branch {
    if branch.on_limit == Some(OnLimit::Quarantine) && branch.strategy.is_group() {
        branch.on_limit = Some(OnLimit::Escalate);
    }
    if branch.on_limit == Some(OnLimit::Throttle) {
        branch.intensity = branch.intensity.map(at_least_one);
    }
    branch
}

fn at_least_one(limit: Limit) -> Limit {
    Limit {
        restarts: limit.restarts.max(1),
        ..limit
    }
}

fn backoff(pause: Pause) -> Backoff {
    match pause {
        Pause::None => Backoff::none(),
        Pause::Fixed(delay) => Backoff::fixed(millis(delay)),
        Pause::Grows {
            first,
            max,
            attempts,
        } => {
            let backoff = Backoff::try_new(millis(first), millis(max)).expect("valid");
            attempts.map_or(backoff.clone(), |attempts| backoff.attempts(attempts))
        }
    }
}

pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
