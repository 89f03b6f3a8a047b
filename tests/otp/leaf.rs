//! A leaf of ours that does as the script says: a task, a worker or an actor.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perennial::policy::stop::Stop as DeclaredStop;
use perennial::supervisor::Node as Declared;
use perennial::{Actor, ActorProcessingErr, ActorRef, BoxError, Child, Context, Handle, Inbox};
use tokio::sync::mpsc;

use crate::script::{End, Kind, Leaf, OnStop, Stop};

/// What a deaf leaf is left to wait for.
const PATIENCE: Duration = Duration::from_secs(2);
/// As good as for ever: the stop of a whole tree adds some of these up.
const INFINITY: Duration = Duration::from_secs(1_000_000);

/// What the leaves and the script share.
#[derive(Debug, Clone, Default)]
pub(crate) struct World(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    /// How many of the next starts fail, by path.
    fails: HashMap<String, u32>,
    ways: HashMap<String, Way>,
    /// What each run is like, by path and incarnation.
    /// In the order in which they began: a name that is given again counts from 1 again.
    runs: HashMap<(String, u64), VecDeque<Leaf>>,
}

/// How a leaf is told to end.
#[derive(Debug, Clone)]
enum Way {
    Task(mpsc::Sender<End>),
    Handle(Handle<End>),
}

impl World {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fail_starts(&self, path: &str, times: u32) {
        self.lock().fails.insert(path.to_owned(), times);
    }

    /// Tells a leaf to end; false if no run of it is up.
    pub(crate) fn end(&self, path: &str, end: End) -> bool {
        let way = self.lock().ways.get(path).cloned();
        match way {
            Some(Way::Task(sender)) => sender.try_send(end).is_ok(),
            Some(Way::Handle(handle)) => handle.cast(end).is_ok(),
            None => false,
        }
    }

    fn begin(&self, path: &str) -> Result<(), BoxError> {
        match self.lock().fails.get_mut(path) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err("the script says so".into())
            }
            _ => Ok(()),
        }
    }

    /// Takes what the next run of this number is like, if it has begun.
    pub(crate) fn take_run(&self, path: &str, incarnation: u64) -> Option<Leaf> {
        let run = (path.to_owned(), incarnation);
        self.lock().runs.get_mut(&run)?.pop_front()
    }

    fn reach_by(&self, path: &str, way: Way) {
        self.lock().ways.insert(path.to_owned(), way);
    }
}

/// Where a leaf stands, and how it takes a stop.
#[derive(Debug, Clone)]
struct Part {
    world: World,
    path: String,
    leaf: Leaf,
    /// Of what has a mailbox.
    handle: Option<Handle<End>>,
}

impl Part {
    fn begin(&self, cx: &Context) -> Result<(), BoxError> {
        let run = (self.path.clone(), cx.incarnation());
        let mut world = self.world.lock();
        world
            .runs
            .entry(run)
            .or_default()
            .push_back(self.leaf.clone());
        drop(world);
        if let Some(handle) = &self.handle {
            self.world.reach_by(&self.path, Way::Handle(handle.clone()));
        }
        self.world.begin(&self.path)
    }

    async fn stop(&self) -> Result<(), BoxError> {
        match self.leaf.on_stop {
            OnStop::Obey => Ok(()),
            OnStop::Fail => Err("could not clean up".into()),
            OnStop::Deaf => std::future::pending().await,
        }
    }
}

fn outcome(end: End) -> Result<(), BoxError> {
    match end {
        End::Normal | End::Shutdown | End::ShutdownWithReason => Ok(()),
        End::Abnormal | End::KilledFromOutside => Err("the script says so".into()),
    }
}

async fn task(cx: Context, part: Part) -> Result<(), BoxError> {
    part.begin(&cx)?;
    let (sender, mut told) = mpsc::channel(1);
    part.world.reach_by(&part.path, Way::Task(sender));
    tokio::select! {
        biased;
        Some(end) = told.recv() => outcome(end),
        _deadline = cx.shutdown() => part.stop().await,
    }
}

async fn worker(cx: Context, mut inbox: Inbox<End>, part: Part) -> Result<(), BoxError> {
    part.begin(&cx)?;
    match inbox.recv().await {
        Some(end) => outcome(end),
        None => part.stop().await,
    }
}

struct Obedient(Part);

impl Actor for Obedient {
    type Msg = End;
    /// Whether it ends by itself.
    type State = bool;
    type Arguments = Context;

    async fn pre_start(&self, _: ActorRef<End>, cx: Context) -> Result<bool, ActorProcessingErr> {
        self.0.begin(&cx)?;
        Ok(false)
    }

    async fn handle(
        &self,
        myself: ActorRef<End>,
        end: End,
        by_itself: &mut bool,
    ) -> Result<(), ActorProcessingErr> {
        *by_itself = true;
        outcome(end)?;
        myself.stop(None);
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<End>,
        by_itself: &mut bool,
    ) -> Result<(), ActorProcessingErr> {
        match by_itself {
            true => Ok(()),
            false => self.0.stop().await,
        }
    }
}

/// Declares a leaf at `path`.
pub(crate) fn declare(leaf: &Leaf, path: &str, world: &World) -> Declared {
    let handle = (leaf.kind != Kind::Task).then(Handle::unbound);
    let part = Part {
        world: world.clone(),
        path: path.to_owned(),
        leaf: leaf.clone(),
        handle: handle.clone(),
    };
    let handle = handle.unwrap_or_else(Handle::unbound);
    let name = &leaf.name;
    match leaf.kind {
        Kind::Task => with_policies(Child::task_with(name, part, task), leaf).into(),
        Kind::Worker => {
            let child = Child::worker_with(name, part, worker).address(&handle);
            with_policies(child, leaf).into()
        }
        Kind::Actor => {
            let child = Child::actor(name, move |cx| (Obedient(part.clone()), cx));
            with_policies(child.address(&handle), leaf).into()
        }
    }
}

fn with_policies<M: Send + 'static>(child: Child<M>, leaf: &Leaf) -> Child<M> {
    let child = child.restart(leaf.restart);
    let child = match leaf.is_significant {
        true => child.significant(),
        false => child,
    };
    match (leaf.stop, leaf.on_stop) {
        (Stop::Brutal, _) => child.stop(DeclaredStop::Brutal),
        (_, OnStop::Deaf) => child.stop_timeout(PATIENCE),
        (Stop::Timeout, _) => child,
        (Stop::Infinity, _) => child.stop_timeout(INFINITY),
    }
}
