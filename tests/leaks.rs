//! Claims that nothing is left behind: no task, descriptor, thread or byte, however often a child is
//! restarted or a tree is started and stopped.
//!
//! Counted, not guessed: tasks by the runtime's metrics, descriptors and threads in `/proc`, bytes by
//! the allocator of this binary. Each claim warms up first, so that whatever grows to its bound (a
//! ring, the capacity of a queue) has done so, and then runs two equal rounds: the second must end
//! with exactly as much as the first. One test function, because the counts are the whole process's.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::alloc::System;
use std::any::Any;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, BoxError, Child, Context, Handle, Inbox, Restart,
    Running, Supervisor,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the children's panics say, so that the hook of the test can keep quiet about them.
const ON_PURPOSE: &str = "as declared";

/// Enough for everything that has a bound: the largest, the ring of restart latencies, is emptied by
/// hand; the heap of timers is pruned from 1 024 on.
const WARM_UP: u64 = 3_000;

fn is_long() -> bool {
    std::env::var_os("PERENNIAL_LONG").is_some()
}

/// How many restarts in each of two rounds: a multiple of the three ways in which a run ends, and of
/// the 128 events by which the bus frees what it no longer keeps.
fn restarts() -> u64 {
    if is_long() { 131 * 384 } else { 14 * 384 }
}

/// How many starts and stops of a tree of a hundred in a round.
fn trees() -> u64 {
    if is_long() { 1_000 } else { 100 }
}

/// What the process holds at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    tasks: usize,
    descriptors: usize,
    threads: usize,
    bytes: usize,
}

impl Held {
    fn now() -> Self {
        let entries = |path: &str| std::fs::read_dir(path).expect("linux has it").count();
        let (descriptors, threads) = (entries("/proc/self/fd"), entries("/proc/self/task"));
        let tasks = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        let stats = ALLOCATOR.stats();
        let bytes = stats.bytes_allocated - stats.bytes_deallocated;
        Self {
            tasks,
            descriptors,
            threads,
            bytes,
        }
    }
}

/// Up to which run the children fail, and how far they are.
#[derive(Default)]
struct Goal {
    runs: AtomicU64,
    at: AtomicU64,
    moved: Notify,
    reached: Notify,
}

impl Goal {
    /// Lets the child fail until it is in its run number `run`.
    async fn reach(&self, run: u64) {
        self.runs.store(run, Ordering::Relaxed);
        self.moved.notify_one();
        while self.at.load(Ordering::Relaxed) < run {
            self.reached.notified().await;
        }
    }

    /// Waits where the goal is reached; true says that a stop came instead of another goal.
    async fn rest(&self, cx: &Context) -> bool {
        loop {
            self.at.store(cx.incarnation(), Ordering::Relaxed);
            if cx.incarnation() < self.runs.load(Ordering::Relaxed) {
                return false;
            }
            self.reached.notify_one();
            tokio::select! {
                () = self.moved.notified() => {}
                _deadline = cx.shutdown() => return true,
            }
        }
    }
}

/// One run: it holds something of everything, and ends in one of three ways.
async fn live(cx: Context, goal: Arc<Goal>) -> Result<(), BoxError> {
    let _held = (File::open("/dev/null")?, vec![0_u8; 1_000]);
    cx.spawn(std::future::pending());
    tokio::task::yield_now().await;
    if goal.rest(&cx).await {
        return Ok(());
    }
    match cx.incarnation() % 3 {
        0 => panic!("{ON_PURPOSE}"),
        1 => Err(ON_PURPOSE.into()),
        _ => Ok(()),
    }
}

struct Fickle(Context, Arc<Goal>);

impl Actor for Fickle {
    type Msg = u64;
    type State = File;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<u64>, (): ()) -> Result<File, ActorProcessingErr> {
        (0..4).try_for_each(|n| myself.cast(n))?;
        Ok(File::open("/dev/null")?)
    }

    async fn handle(
        &self,
        myself: ActorRef<u64>,
        _: u64,
        _: &mut File,
    ) -> Result<(), ActorProcessingErr> {
        // What else is queued is lost with this run.
        live(self.0.clone(), Arc::clone(&self.1)).await?;
        myself.stop(None);
        Ok(())
    }
}

/// One child of each kind that is restarted for ever, with what it is called.
fn fickle(kind: &str, goal: &Arc<Goal>) -> Supervisor {
    let (tree, state) = (
        Supervisor::one_for_one("app").backoff(Backoff::fixed(Duration::from_millis(1))),
        Arc::clone(goal),
    );
    let day = Duration::from_secs(86_400);
    match kind {
        "task" => tree.child(Child::task_with("c", state, live)),
        "step" => {
            let step = Child::step("c", move |cx| {
                let goal = Arc::clone(&state);
                async move {
                    match cx.incarnation() {
                        // The first start is never retried.
                        1 => Ok(()),
                        _ => live(cx, goal).await,
                    }
                }
            });
            // It waits for its next goal in the middle of a start.
            tree.child(step.restart(Restart::Permanent).start_timeout(day))
        }
        "worker" => {
            let own: Handle<u64> = Handle::unbound();
            let to_itself = own.clone();
            let worker = Child::worker("c", move |cx: Context, mut inbox: Inbox<u64>| {
                let (goal, own) = (Arc::clone(&state), to_itself.clone());
                async move {
                    tokio::task::yield_now().await;
                    (0..4).for_each(|n| drop(own.cast(n)));
                    inbox.recv().await;
                    live(cx, goal).await
                }
            });
            tree.child(worker.address(&own))
        }
        "actor" => tree.child(Child::actor("c", move |cx| {
            (Fickle(cx, Arc::clone(&state)), ())
        })),
        "supervisor" => {
            let child = Child::task_with("c", state, |cx, goal| async move {
                drop(live_well(cx, goal).await);
                Ok(())
            });
            let below =
                Supervisor::one_for_one("below").auto_shutdown(AutoShutdown::AnySignificant);
            tree.child(below.child(child.restart(Restart::Transient).significant()))
        }
        other => panic!("no kind {other}"),
    }
}

/// One run that always ends well.
async fn live_well(cx: Context, goal: Arc<Goal>) -> Result<(), BoxError> {
    let _held = File::open("/dev/null")?;
    tokio::task::yield_now().await;
    goal.rest(&cx).await;
    Ok(())
}

/// Lets everything come to rest: what is dropped in the background is gone afterwards.
async fn settle(running: Option<&Running>) {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if let Some(running) = running {
        drop(running.take_restart_latencies());
    }
}

async fn restarts_leave_nothing(kind: &str) {
    let goal = Arc::<Goal>::default();
    let running = fickle(kind, &goal).start().await.expect("it starts");
    let mut held = Vec::new();
    for run in [WARM_UP, WARM_UP + restarts(), WARM_UP + 2 * restarts()] {
        goal.reach(run).await;
        settle(Some(&running)).await;
        held.push(Held::now());
    }
    println!("{kind}: {:?}", held[2]);
    assert_eq!(
        held[2],
        held[1],
        "{kind}: after {} restarts more",
        restarts()
    );
    drop(running.stop(Duration::from_secs(5)).await);
}

/// A tree of a hundred nodes: every kind of leaf that takes no thread, below every strategy.
fn hundred() -> Supervisor {
    let goal = Arc::<Goal>::default();
    let leaves = |tree: Supervisor| {
        (0..24).fold(tree, |tree, number| {
            let (name, state) = (format!("c{number}"), Arc::clone(&goal));
            match number % 4 {
                0 => tree.child(Child::task_with(name, state, live)),
                1 => tree.child(Child::worker(
                    name,
                    |_cx, mut inbox: Inbox<u64>| async move {
                        while inbox.recv().await.is_some() {}
                        Ok(())
                    },
                )),
                2 => tree.child(Child::actor(name, move |cx| {
                    (Fickle(cx, Arc::clone(&state)), ())
                })),
                _ => tree
                    .child(Child::step(name, |_cx| async { Ok(()) }).restart(Restart::Temporary)),
            }
        })
    };
    Supervisor::one_for_one("app")
        .child(leaves(Supervisor::one_for_one("one")))
        .child(leaves(Supervisor::one_for_all("all")))
        .child(leaves(Supervisor::rest_for_one("rest")))
        .child(leaves(Supervisor::one_for_one("two")))
        .child(Supervisor::dynamic("added"))
}

/// Starts and stops a tree again and again.
async fn round(times: u64) {
    for _ in 0..times {
        let running = hundred().start().await.expect("it starts");
        let added = running.supervisor("/app/added").expect("it is there");
        let child = Child::task("", |cx| async move {
            cx.shutdown().await;
            Ok(())
        });
        added.start_child(child).await.expect("there is room");
        let report = running.stop(Duration::from_secs(5)).await;
        assert!(report.is_clean(), "{report}");
    }
    settle(None).await;
}

async fn trees_leave_nothing() {
    round(10).await;
    let before = Held::now();
    round(trees()).await;
    let after = Held::now();
    println!("trees: {after:?}");
    assert_eq!(after, before, "after {} trees", trees());
    assert_eq!(after.tasks, 0);
}

/// Waits until the process holds no more than `most`; its own threads end a moment after their tree.
async fn falls_to(most: Held) -> Held {
    for _ in 0..1_000 {
        let held = Held::now();
        if held.threads <= most.threads
            && held.tasks <= most.tasks
            && held.descriptors <= most.descriptors
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Held::now()
}

/// Threads are the runtime's or the tree's own: of these nothing is left either.
async fn threads_leave_nothing() {
    let goal = Arc::<Goal>::default();
    let state = Arc::clone(&goal);
    let runs = if is_long() { 10_000 } else { 500 };
    let before = Held::now();
    let child = Child::blocking("c", move |cx| {
        let _held = File::open("/dev/null")?;
        state.at.store(cx.incarnation(), Ordering::Relaxed);
        if cx.incarnation() < runs {
            return Err(ON_PURPOSE.into());
        }
        state.reached.notify_one();
        while !cx.wait_for_shutdown(Duration::from_secs(1)) {}
        Ok(())
    });
    let tree = Supervisor::one_for_one("app").backoff(Backoff::fixed(Duration::from_millis(1)));
    let running = tree.child(child).start().await.expect("it starts");
    goal.reach(runs).await;
    drop(running.stop(Duration::from_secs(5)).await);
    for _ in 0..10 {
        let running = hundred().start().await.expect("it starts");
        drop(running.stop(Duration::from_secs(5)).await);
    }
    let after = falls_to(before).await;
    println!("threads: {after:?}");
    let counts = |held: Held| (held.tasks, held.descriptors, held.threads);
    assert_eq!(counts(after), counts(before), "after {runs} threads");
}

fn paused() -> Runtime {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.expect("a runtime")
}

/// Tells whether a panic was declared: its payload is a literal, or a text that was put together.
fn is_on_purpose(payload: &dyn Any) -> bool {
    payload.downcast_ref::<&str>() == Some(&ON_PURPOSE)
        || payload
            .downcast_ref::<String>()
            .is_some_and(|text| text == ON_PURPOSE)
}

#[test]
fn nothing_is_left_of_what_has_ended() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !is_on_purpose(info.payload()) {
            previous(info);
        }
    }));
    for kind in ["task", "worker", "actor", "step", "supervisor"] {
        paused().block_on(restarts_leave_nothing(kind));
    }
    paused().block_on(trees_leave_nothing());
    let many = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    many.expect("a runtime").block_on(threads_leave_nothing());
}
