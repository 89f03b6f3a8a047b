//! A child that is declared, started, and does nothing.

use perennial::supervisor::Node;
use perennial::{Actor, ActorProcessingErr, ActorRef, Child, Inbox, Supervisor};

use crate::{Row, count_rounds};

const ROUNDS: u64 = 5_000;

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Starts so many children and leaves them.
async fn start(count: u64, child: impl Fn(String) -> Node) {
    let names = (0..count).map(|number| format!("c{number}"));
    let children = names.map(child);
    let supervisor = Supervisor::one_for_one("app");
    let supervisor = children.fold(supervisor, Supervisor::child);
    supervisor.start().await.expect("it starts").detach();
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        count_rounds("idle child", "perennial, a task", ROUNDS, |count| {
            start(count, |name| {
                let task = Child::task(name, |cx| async move {
                    cx.shutdown().await;
                    Ok(())
                });
                task.into()
            })
        }),
        count_rounds("idle child", "perennial, a worker", ROUNDS, |count| {
            start(count, |name| {
                let worker = Child::worker(name, |_cx, mut inbox: Inbox<()>| async move {
                    while inbox.recv().await.is_some() {}
                    Ok(())
                });
                worker.into()
            })
        }),
        count_rounds("idle child", "perennial, an actor", ROUNDS, |count| {
            start(count, |name| Child::actor(name, |_cx| (Idle, ())).into())
        }),
        count_rounds("idle child", "ractor by hand", ROUNDS, |count| async move {
            let spawned = Actor::spawn(None, Idle, ()).await;
            let (parent, _task) = spawned.expect("it starts");
            let mut children = Vec::new();
            for _ in 0..count {
                let spawned = Actor::spawn_linked(None, Idle, (), parent.get_cell()).await;
                children.push(spawned.expect("a child starts"));
            }
            // So that each runs until it waits.
            for _ in 0..count {
                tokio::task::yield_now().await;
            }
            std::mem::forget((parent, children));
        }),
    ]
}
