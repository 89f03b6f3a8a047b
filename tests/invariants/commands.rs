//! What is asked by hand, from outside and from inside: each question has an answer, and in time.

use std::sync::Arc;
use std::time::Duration;

use perennial::policy::stop::DEFAULT_STOP_TIMEOUT;
use perennial::shutdown::plan::SUPERVISOR_TICK;
use perennial::{ShutdownReason, SupervisorHandle};
use tokio::time::Instant;

use crate::grow::{self, START_TIMEOUT, millis, name_of};
use crate::replay::parent_of;
use crate::shape::{Action, Ask, Branch, Leaf, Shape, Strategies};
use crate::world::{Seen, World};

/// A start that was killed is given up after this: the library's own patience.
const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// tokio's timers tell milliseconds apart; a kill at the deadline has two more to take effect.
const KILL_SLACK: Duration = Duration::from_millis(3);

/// One question by hand, and its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    what: String,
    at: Instant,
    /// By when an answer must have come if the tree is not shut down before; `None` where that
    /// depends on how often siblings fail meanwhile.
    within: Option<Duration>,
    answered: Option<Instant>,
    /// Whoever asked was dropped while it waited.
    is_given_up: bool,
    is_from_outside: bool,
}

/// The leaf that asks.
pub(crate) struct Asker {
    pub(crate) path: String,
    pub(crate) is_inline: bool,
}

/// Does what the script says.
pub(crate) async fn act(world: Arc<World>, number: usize, action: Action) {
    match action {
        Action::Ask(asked) => ask(world, asked, None).await,
        Action::Add(under, shape) => {
            let Some((path, branch, handle)) = world.pick_supervisor(under) else {
                return;
            };
            let below = format!("{path}/r{number}");
            let node = grow::node(&world, &below, &shape, &branch);
            let within = (!branch.strategy.is_group()).then(|| worst_start(&shape));
            let question = Question::new(&world, format!("add {below}"), within, true);
            let answer = handle.start_child(node).await;
            question.answered();
            if answer.is_ok() {
                grow::plant(world, below).await;
            }
        }
    }
}

/// Asks, and waits for the answer.
pub(crate) async fn ask(world: Arc<World>, ask: Ask, by: Option<Asker>) {
    let number = match ask {
        Ask::Shutdown(budget) => return shut_down(&world, millis(budget)),
        Ask::Start(under) => return start(&world, under, by.is_none()).await,
        Ask::Stop(n) | Ask::Restart(n) | Ask::Delete(n) | Ask::Release(n) => n,
    };
    let Some((path, parent, handle)) = world.pick_child(number) else {
        return;
    };
    let Some(shape) = world.seen().specs.get(&path).map(|spec| spec.shape.clone()) else {
        return;
    };
    let is_group = parent.strategy.is_group();
    let stop = worst_stop(&world.seen(), &path) + KILL_SLACK;
    let start = worst_start(&shape);
    let is_above = |asker: &Asker| format!("{}/", asker.path).starts_with(&format!("{path}/"));
    let within = match ask {
        // Of itself, or of what it stands below: answered when it is accepted.
        _ if by
            .as_ref()
            .is_some_and(|asker| asker.is_inline && is_above(asker)) =>
        {
            Some(Duration::ZERO)
        }
        Ask::Stop(_) => Some(stop),
        Ask::Delete(_) => Some(Duration::ZERO),
        _ => (!is_group).then(|| stop + start),
    };
    world.seen().targeted.insert(path.clone());
    let question = Question::new(&world, format!("{ask:?} {path}"), within, by.is_none());
    let name = name_of(&path);
    let answer = match ask {
        Ask::Stop(_) => handle.stop_child(name).await,
        Ask::Restart(_) => handle.restart_child(name).await,
        Ask::Delete(_) => handle.delete_child(name).await,
        Ask::Release(_) => handle.release(name).await,
        Ask::Start(_) | Ask::Shutdown(_) => Ok(()),
    };
    drop(answer);
    question.answered();
}

async fn start(world: &Arc<World>, under: u8, is_from_outside: bool) {
    let Some((path, branch, handle)) = world.pick_supervisor(under) else {
        return;
    };
    let below = format!("{path}/i{under}");
    let node = grow::node(world, &below, &Shape::Leaf(Leaf::idle()), &branch);
    let within = (!branch.strategy.is_group()).then_some(START_TIMEOUT);
    let question = Question::new(world, format!("start {below}"), within, is_from_outside);
    drop(handle.start_child(node).await);
    question.answered();
}

/// Shuts the whole tree down, once it is up.
pub(crate) fn shut_down(world: &World, budget: Duration) {
    if let Some(running) = world.running.get() {
        let now = Instant::now();
        world.seen().shutdowns.push((now, now + budget));
        running.shutdown(ShutdownReason::Requested, budget);
    }
}

/// Lists the questions without an answer in time, once the tree is over.
pub(crate) fn check(world: &World) -> Vec<String> {
    let seen = world.seen();
    let shutdown = seen.shutdowns.first().map(|(at, _)| *at);
    let wrong = |asked: &&Asked| {
        // A shutdown answers everything, but in its own time.
        let is_its_own = |until: &Instant| shutdown.is_none_or(|at| *until < at);
        let until = asked.within.map(|within| asked.at + within);
        match (asked.answered, until.filter(is_its_own)) {
            (Some(answered), Some(until)) => answered > until,
            (Some(_), None) => false,
            (None, _) => asked.is_from_outside || !asked.is_given_up,
        }
    };
    let wrong = seen.asked.iter().filter(wrong);
    wrong
        .map(|asked| format!("no answer to {} in time: {asked:?}", asked.what))
        .collect()
}

impl World {
    fn pick_supervisor(&self, number: u8) -> Option<(String, Branch, SupervisorHandle)> {
        let path = {
            let seen = self.seen();
            let is_branch = |path: &&String| {
                let spec = seen.specs.get(*path);
                spec.is_some_and(|spec| matches!(spec.shape, Shape::Branch(_)))
            };
            let paths: Vec<_> = seen.order.iter().filter(is_branch).collect();
            (*paths.get(usize::from(number) % paths.len().max(1))?).clone()
        };
        let (branch, handle) = self.branch(&path)?;
        Some((path, branch, handle))
    }

    /// Picks a node that is not the root; returns its path and its supervisor.
    fn pick_child(&self, number: u8) -> Option<(String, Branch, SupervisorHandle)> {
        let path = {
            let seen = self.seen();
            let below = seen.order.get(1..)?;
            below.get(usize::from(number) % below.len().max(1))?.clone()
        };
        let (parent, handle) = self.branch(path.rsplit_once('/')?.0)?;
        Some((path, parent, handle))
    }
}

/// A question that waits for its answer.
struct Question {
    world: Arc<World>,
    index: usize,
}

impl Question {
    fn new(
        world: &Arc<World>,
        what: String,
        within: Option<Duration>,
        is_from_outside: bool,
    ) -> Self {
        let mut seen = world.seen();
        let index = seen.asked.len();
        let at = Instant::now();
        seen.asked.push(Asked {
            what,
            at,
            within,
            answered: None,
            is_given_up: false,
            is_from_outside,
        });
        drop(seen);
        Self {
            world: Arc::clone(world),
            index,
        }
    }

    fn answered(self) {
        self.world.seen().asked[self.index].answered = Some(Instant::now());
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.world.seen().asked[self.index].is_given_up = true;
    }
}

/// Returns the longest time that a start can take, a failed one with its clean-up.
fn worst_start(shape: &Shape) -> Duration {
    match shape {
        Shape::Leaf(_) => START_TIMEOUT + KILL_PATIENCE,
        Shape::Branch(branch) if branch.strategy == Strategies::Dynamic => Duration::ZERO,
        Shape::Branch(branch) => {
            let starts: Duration = branch.children.iter().map(worst_start).sum();
            let leaves = u32::try_from(branch.children.len()).unwrap_or(u32::MAX);
            // What has started is stopped again, each leaf within its own time at most.
            starts + (DEFAULT_STOP_TIMEOUT + KILL_SLACK) * leaves
        }
    }
}

/// Returns the longest time that a stop outside a shutdown can take, with everything that was ever
/// added below.
fn worst_stop(seen: &Seen, path: &str) -> Duration {
    match seen.specs.get(path).map(|spec| &spec.shape) {
        Some(Shape::Leaf(leaf)) => leaf.stop_timeout.map_or(DEFAULT_STOP_TIMEOUT, millis),
        Some(Shape::Branch(branch)) => {
            let below = seen
                .order
                .iter()
                .filter(|below| parent_of(below) == Some(path));
            let times = below.map(|below| worst_stop(seen, below));
            let children = match branch.strategy {
                Strategies::Dynamic => times.max().unwrap_or_default().max(DEFAULT_STOP_TIMEOUT),
                _ => times.sum(),
            };
            let whole = children + SUPERVISOR_TICK;
            branch
                .stop_timeout
                .map_or(whole, |timeout| whole.min(millis(timeout)))
        }
        None => Duration::ZERO,
    }
}
