//! A crash, and everything until the child is up again. The panic itself allocates too.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, Child, Inbox, SupervisionEvent, Supervisor,
};
use tokio::sync::Notify;

use crate::{Row, count_rounds};

const ROUNDS: u64 = 10_000;

/// What the panics say that are meant.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// How often a child is still to crash.
struct Fate {
    left: AtomicU64,
    over: Notify,
}

impl Fate {
    fn of(rounds: u64) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(rounds),
            over: Notify::new(),
        })
    }

    fn is_to_crash(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 {
            self.over.notify_one();
        }
        left > 0
    }

    async fn live(&self) {
        tokio::task::yield_now().await;
        if self.is_to_crash() {
            panic_any(ON_PURPOSE);
        }
        std::future::pending::<()>().await;
    }
}

struct Crasher(Arc<Fate>);

struct Crash;

impl Actor for Crasher {
    type Msg = Crash;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Crash>, (): ()) -> Result<(), ActorProcessingErr> {
        if self.0.is_to_crash() {
            myself.cast(Crash)?;
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Crash>,
        _: Crash,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        panic_any(ON_PURPOSE)
    }
}

struct Parent(Arc<Fate>);

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        let child = Crasher(Arc::clone(&self.0));
        Actor::spawn_linked(None, child, (), myself.get_cell()).await?;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            let child = Crasher(Arc::clone(&self.0));
            Actor::spawn_linked(None, child, (), myself.get_cell()).await?;
        }
        Ok(())
    }
}

/// Supervises a child until it has crashed as often as it was to.
async fn supervise<M: Send + 'static>(rounds: u64, child: impl FnOnce(Arc<Fate>) -> Child<M>) {
    let fate = Fate::of(rounds);
    let supervisor = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(1_000_000, Duration::from_secs(1))
        .child(child(Arc::clone(&fate)));
    supervisor.start().await.expect("it starts").detach();
    fate.over.notified().await;
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        count_rounds("restart", "perennial, a task", ROUNDS, |rounds| {
            supervise(rounds, |fate| {
                Child::task("child", move |_cx| {
                    let fate = Arc::clone(&fate);
                    async move {
                        fate.live().await;
                        Ok(())
                    }
                })
            })
        }),
        count_rounds("restart", "perennial, a worker", ROUNDS, |rounds| {
            supervise(rounds, |fate| {
                Child::worker("child", move |_cx, _inbox: Inbox<()>| {
                    let fate = Arc::clone(&fate);
                    async move {
                        fate.live().await;
                        Ok(())
                    }
                })
            })
        }),
        count_rounds("restart", "perennial, an actor", ROUNDS, |rounds| {
            supervise(rounds, |fate| {
                Child::actor("child", move |_cx| (Crasher(Arc::clone(&fate)), ()))
            })
        }),
        count_rounds("restart", "ractor by hand", ROUNDS, |rounds| async move {
            let fate = Fate::of(rounds);
            let spawned = Actor::spawn(None, Parent(Arc::clone(&fate)), ()).await;
            let _parent = spawned.expect("it starts");
            fate.over.notified().await;
        }),
    ]
}
