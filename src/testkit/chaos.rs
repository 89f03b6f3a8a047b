//! The chaos monkey: faults at random moments in random children, the same again for the same seed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::fault::{Fault, FaultError, inject};
use super::observed::moment;
use super::pattern::PathPattern;
use super::run::seed;
use crate::child::Kind;
use crate::path::Path;
use crate::policy::backoff::{Jitter, random_seed};
use crate::supervisor::status::{NodeStatus, State};
use crate::sync::{Mutex, lock};
use crate::time::later;
use crate::tree::Running;

/// How long a monkey waits between two faults on average when nothing was set: long enough for a child
/// with the default backoff to be up again most of the time.
pub const DEFAULT_MEAN_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two faults: timers tell whole milliseconds, and no time at all would leave
/// the tree none.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// Declares a chaos monkey. It does nothing until [`start`](Self::start).
///
/// Defaults: all leaves; panics, errors and kills, since a child that hangs stays so until its
/// supervisor stops it; one fault a second on average; until it is stopped; the seed of the
/// [`run`](super::run) it is part of, else a random one, which its report names.
#[derive(Debug, Clone)]
#[must_use = "a monkey does nothing until it is started"]
pub struct Chaos {
    pattern: PathPattern,
    faults: Vec<Fault>,
    mean_interval: Duration,
    lasting: Option<Duration>,
    seed: Option<u64>,
    with_supervisors: bool,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            pattern: PathPattern::new("/**"),
            faults: vec![Fault::Panic, Fault::Error, Fault::Kill],
            mean_interval: DEFAULT_MEAN_INTERVAL,
            lasting: None,
            seed: None,
            with_supervisors: false,
        }
    }
}

impl Chaos {
    /// Declares a monkey with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spares all nodes but those whose path fits: `*` stands for any part of one name, a last part
    /// `**` for everything below. Default: `/**`, everything below the root and the root itself, which
    /// is spared all the same.
    pub fn only(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = PathPattern::new(pattern);
        self
    }

    /// Sets what is done, each as often as the others. Default: panic, error, kill.
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults = faults.into_iter().collect();
        self
    }

    /// Sets how long it waits between two faults on average: each wait is drawn evenly from nothing to
    /// twice that. Default 1 s; no wait is shorter than 1 ms.
    pub fn every(mut self, mean: Duration) -> Self {
        self.mean_interval = mean;
        self
    }

    /// Sets for how long it goes on. Default: until it is stopped.
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.lasting = Some(duration);
        self
    }

    /// Sets the seed of all that it draws. Default: that of the run, else a random one.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Lets supervisors below the root panic too, if a panic is among the faults. Default: only leaves.
    pub fn with_supervisors(mut self) -> Self {
        self.with_supervisors = true;
        self
    }

    /// Lets the monkey loose. It ends when its time is over, when its turn comes after the tree's
    /// shutdown has begun, or when the returned handle is dropped.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime with timers.
    #[must_use = "dropping it stops the monkey"]
    pub fn start(self, running: &Running) -> Monkey {
        let seed = self.seed.or_else(seed).unwrap_or_else(random_seed);
        let report = Arc::new(Mutex::new(ChaosReport {
            seed,
            injections: Vec::new(),
            rounds_without_target: 0,
        }));
        let injector = Injector {
            chaos: self,
            running: running.observer(),
            dice: Jitter::seeded(seed),
            began: Instant::now(),
            report: Arc::clone(&report),
        };
        Monkey {
            task: tokio::spawn(injector.go()),
            report,
        }
    }
}

/// A chaos monkey that is loose. Dropping it stops it.
#[derive(Debug)]
#[must_use = "dropping it stops the monkey"]
pub struct Monkey {
    task: JoinHandle<()>,
    report: Arc<Mutex<ChaosReport>>,
}

impl Monkey {
    /// Stops it, and says what it did.
    #[must_use]
    pub fn stop(self) -> ChaosReport {
        self.task.abort();
        lock(&self.report).clone()
    }

    /// Waits until it ends by itself, and says what it did. One that was given no time ends only with
    /// the tree.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the monkey.
    pub async fn finished(mut self) -> ChaosReport {
        // How it ended says nothing: it left word of all that it did.
        drop((&mut self.task).await);
        lock(&self.report).clone()
    }
}

impl Drop for Monkey {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a monkey did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChaosReport {
    /// The seed of all that it drew: the same again does the same to a tree that does the same.
    pub seed: u64,
    /// What it did, in order.
    pub injections: Vec<Injection>,
    /// How often its turn came and nothing ran that it was allowed to hit.
    pub rounds_without_target: u64,
}

/// One fault of a monkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// When, counted from its start.
    pub after: Duration,
    /// Whom.
    pub path: Path,
    /// Which run of it.
    pub incarnation: u64,
    /// What.
    pub fault: Fault,
    /// Why nothing came of it: the run ended in the same moment, on another thread.
    pub refused: Option<FaultError>,
}

impl fmt::Display for ChaosReport {
    /// Prints a line for each fault: when, what, whom.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, seed) = (self.injections.len(), self.seed);
        write!(f, "{count} faults with seed {seed}")?;
        if self.rounds_without_target > 0 {
            write!(f, ", {} without a target", self.rounds_without_target)?;
        }
        for injection in &self.injections {
            let Injection {
                after,
                path,
                incarnation,
                fault,
                refused,
            } = injection;
            let after = moment(*after);
            write!(f, "\n  {after} {fault:<5} {path}#{incarnation}")?;
            if let Some(error) = refused {
                write!(f, ", not done: {error}")?;
            }
        }
        Ok(())
    }
}

/// A monkey at work.
struct Injector {
    chaos: Chaos,
    running: Running,
    dice: Jitter,
    began: Instant,
    report: Arc<Mutex<ChaosReport>>,
}

impl Injector {
    async fn go(mut self) {
        let end = self
            .chaos
            .lasting
            .map(|duration| later(self.began, duration));
        loop {
            let next = later(Instant::now(), self.interval());
            if let Some(end) = end.filter(|end| next > *end) {
                return sleep_until(end).await;
            }
            sleep_until(next).await;
            let snapshot = self.running.snapshot();
            // A tree also ends by itself, without a shutdown.
            if snapshot.shutdown.is_some() || snapshot.root.state == State::Down {
                return;
            }
            self.hit(&snapshot.root);
        }
    }

    fn interval(&mut self) -> Duration {
        let factor = 2.0 * self.dice.next();
        let mean = self.chaos.mean_interval.as_secs_f64();
        let drawn = Duration::try_from_secs_f64(mean * factor);
        drawn.unwrap_or(Duration::MAX).max(MIN_INTERVAL)
    }

    fn hit(&mut self, root: &NodeStatus) {
        let mut targets = Vec::new();
        root.visit(&mut |node| {
            if node.path != root.path && self.is_target(node) {
                targets.push(node);
            }
        });
        let Some(target) = pick(&mut self.dice, &targets) else {
            lock(&self.report).rounds_without_target += 1;
            return;
        };
        let faults: Vec<_> = self.faults_for(target.kind).collect();
        let Some(fault) = pick(&mut self.dice, &faults) else {
            return;
        };
        let injected = inject(&self.running, target.path.as_str(), *fault);
        lock(&self.report).injections.push(Injection {
            after: self.began.elapsed(),
            path: target.path.clone(),
            incarnation: target.incarnation,
            fault: *fault,
            refused: injected.err(),
        });
    }

    fn is_target(&self, node: &NodeStatus) -> bool {
        let is_meant = node.kind != Kind::Supervisor || self.chaos.with_supervisors;
        is_meant
            && node.state == State::Running
            && self.chaos.pattern.matches(node.path.as_str())
            && self.faults_for(node.kind).next().is_some()
    }

    fn faults_for(&self, kind: Kind) -> impl Iterator<Item = Fault> {
        let faults = self.chaos.faults.iter().copied();
        faults.filter(move |fault| fault.can_befall(kind))
    }
}

/// Draws one of several; `None` if there is none.
fn pick<'a, T>(dice: &mut Jitter, several: &'a [T]) -> Option<&'a T> {
    // Below the length, because what is drawn is below 1.
    several.get((dice.next() * several.len() as f64) as usize)
}
