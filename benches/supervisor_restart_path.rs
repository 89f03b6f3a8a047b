//! From a panic to the next start and the next panic, back to back: a task, a worker and an actor, without
//! backoff.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]
#![allow(clippy::panic, reason = "what is restarted has crashed")]

mod setting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::Criterion;
use perennial::{Actor, ActorProcessingErr, ActorRef, Backoff, Child, Inbox, Running, Supervisor};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often a child shall still crash, and who is told of what.
#[derive(Default)]
struct Crashes {
    left: AtomicU64,
    go: Notify,
    over: Notify,
}

impl Crashes {
    /// Crashes while there is a crash left; else rests until there is one.
    async fn live(&self) {
        while !self.is_one_left() {
            self.go.notified().await;
        }
        panic!("on purpose");
    }

    fn is_one_left(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        let left = &self.left;
        if left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
            .is_ok()
        {
            return true;
        }
        self.over.notify_one();
        false
    }

    /// Lets it crash `count` times and waits until it is back from the last.
    async fn happen(&self, count: u64) -> Duration {
        self.left.store(count, Ordering::Release);
        let began = Instant::now();
        self.go.notify_one();
        self.over.notified().await;
        began.elapsed()
    }
}

struct Crasher(Arc<Crashes>);

impl Actor for Crasher {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, itself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        itself.cast(())?;
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.0.live().await;
        Ok(())
    }
}

fn task(crashes: Arc<Crashes>) -> Supervisor {
    supervisor().child(Child::task_with(
        "child",
        crashes,
        |_cx, crashes| async move {
            crashes.live().await;
            Ok(())
        },
    ))
}

fn worker(crashes: Arc<Crashes>) -> Supervisor {
    let body = move |_cx, _inbox: Inbox<()>| {
        let crashes = Arc::clone(&crashes);
        async move {
            crashes.live().await;
            Ok(())
        }
    };
    supervisor().child(Child::worker("child", body))
}

fn actor(crashes: Arc<Crashes>) -> Supervisor {
    let make = move |_cx| (Crasher(Arc::clone(&crashes)), ());
    supervisor().child(Child::actor("child", make))
}

fn supervisor() -> Supervisor {
    Supervisor::one_for_one("bench")
        .backoff(Backoff::none())
        .intensity(10_000_000, Duration::from_secs(1))
}

/// Declares a tree with one child that crashes.
type Declare = fn(Arc<Crashes>) -> Supervisor;

fn bench(criterion: &mut Criterion) {
    setting::keep_quiet_about_panics();
    let runtime = setting::runtime();
    let mut group = criterion.benchmark_group("supervisor_restart_path");
    let kinds: [(&str, Declare); 3] = [("task", task), ("worker", worker), ("actor", actor)];
    for (name, tree) in kinds {
        let crashes = Arc::new(Crashes::default());
        let running: Running = runtime.block_on(async {
            let running = tree(Arc::clone(&crashes)).start().await;
            crashes.over.notified().await;
            running.expect("it starts")
        });
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| runtime.block_on(crashes.happen(count)));
        });
        runtime.block_on(running.stop(Duration::from_secs(10)));
    }
    group.finish();
}

fn main() {
    setting::run(bench);
}
