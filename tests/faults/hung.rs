//! Children that really block their threads, and the supervisors above them: on the real clock,
//! without any time that has to be met but the budget of the shutdown.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial::policy::stop::OnHung;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, Child, Context, Running, ShutdownReason,
    Supervisor,
};
use tokio::time::Instant;

use crate::expected::SLOW;
use crate::gate::Gate;
use crate::site::Alive;
use crate::watch::{Watch, within};

const BUDGET: Duration = Duration::from_secs(10);
/// How long a child that blocks may take to stop; it never does.
const SHORT: Duration = Duration::from_millis(200);

/// What every test here has: a gate that is opened when the test is over, however that ends, because
/// a blocked thread would keep the runtime for ever.
struct Test {
    gate: Arc<Gate>,
    /// How many runs of the child that blocks live, and the most there were.
    runs: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Drop for Test {
    fn drop(&mut self) {
        self.gate.release();
    }
}

/// Counts the runs of a child that live at once.
struct Run(Arc<(AtomicUsize, AtomicUsize)>);

impl Drop for Run {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Test {
    fn new() -> Self {
        Self {
            gate: Arc::new(Gate::new()),
            runs: Arc::default(),
        }
    }

    fn most_runs_at_once(&self) -> usize {
        self.runs.1.load(Ordering::SeqCst)
    }

    /// A task whose first run blocks its thread once it is told to go.
    fn stuck(&self) -> Child {
        let shared = (Arc::clone(&self.gate), Arc::clone(&self.runs));
        Child::task_with("stuck", shared, |cx, (gate, runs)| async move {
            let _alive = Alive::new(&gate);
            let now = runs.0.fetch_add(1, Ordering::SeqCst) + 1;
            runs.1.fetch_max(now, Ordering::SeqCst);
            let _run = Run(runs);
            if cx.incarnation() == 1 {
                gate.go.wait().await;
                gate.on.set();
                gate.block();
            }
            cx.shutdown().await;
            Ok(())
        })
        .stop_timeout(SHORT)
    }

    /// A task whose first run is over while a subtask of it blocks its thread.
    fn over_but_for_a_subtask(&self) -> Child {
        let gate = Arc::clone(&self.gate);
        Child::task_with("stuck", gate, |cx: Context, gate| async move {
            let _alive = Alive::new(&gate);
            if cx.incarnation() == 1 {
                let below = Arc::clone(&gate);
                cx.spawn(async move {
                    let _alive = Alive::new(&below);
                    below.go.wait().await;
                    below.on.set();
                    below.block();
                });
                gate.crash.wait().await;
                return Err("over".into());
            }
            cx.shutdown().await;
            Ok(())
        })
    }

    /// A task whose first run fails when it is told to.
    fn crashes(&self) -> Child {
        Child::task_with("crashes", Arc::clone(&self.gate), |cx, gate| async move {
            let _alive = Alive::new(&gate);
            tokio::select! {
                _deadline = cx.shutdown() => Ok(()),
                () = gate.crash.wait(), if cx.incarnation() == 1 => Err("on purpose".into()),
            }
        })
    }

    /// Blocks the child that blocks, and after that fails the other.
    async fn block_then_crash(&self) {
        self.gate.go.set();
        wait("the blocked thread", self.gate.on.wait()).await;
        self.gate.crash.set();
    }
}

async fn wait<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    let waited = within(what, awaited).await;
    waited.unwrap_or_else(|error| panic!("{error}"))
}

async fn up(tree: Supervisor) -> Running {
    wait("the start", tree.start()).await.expect("it starts")
}

async fn until(watch: &mut Watch, events: &[&str]) {
    let events: Vec<_> = events.iter().map(|event| (*event).to_owned()).collect();
    let read = watch.until(&events).await;
    read.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(watch.seen, events);
}

/// Tells what a node is doing, and in which run.
fn state_of(running: &Running, path: &str) -> (&'static str, u64) {
    let mut found = ("gone", 0);
    running.snapshot().root.visit(&mut |node| {
        if node.path == *path {
            found = (node.state.code(), node.incarnation);
        }
    });
    found
}

/// The supervisor's loop has taken a turn since, with an answer.
async fn answers(running: &Running, path: &str) {
    let supervisor = running.supervisor(path).expect("it is declared");
    let refused = wait("an answer", supervisor.stop_child("nobody")).await;
    assert_eq!(refused.map_err(|error| error.code()), Err("not_found"));
}

fn hung_after(report: &perennial::StopReport) -> Vec<String> {
    report.hung().iter().map(ToString::to_string).collect()
}

/// A supervisor that melts down while one of its children blocks its thread.
async fn melted_down(test: &Test) -> Running {
    let inner = Supervisor::one_for_one("inner")
        .intensity(0, Duration::from_secs(60))
        .own_backoff(Backoff::none())
        .child(test.stuck())
        .child(test.crashes());
    let running = up(Supervisor::one_for_one("app").child(inner)).await;
    let mut inner = Watch::new(&running, "/app/inner");
    let mut stuck = Watch::new(&running, "/app/inner/stuck");
    test.block_then_crash().await;
    until(&mut inner, &["meltdown", "exited: hung"]).await;
    until(&mut stuck, &["stop_requested", "stopped: hung"]).await;
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_supervisor_that_melted_down_over_a_blocked_child_comes_back_after_that_childs_end() {
    let test = Test::new();
    let running = melted_down(&test).await;
    answers(&running, "/app").await;
    assert_eq!(state_of(&running, "/app/inner"), ("hung", 1));
    assert_eq!(state_of(&running, "/app/inner/stuck"), ("hung", 1));
    let mut inner = Watch::new(&running, "/app/inner");
    let mut stuck = Watch::new(&running, "/app/inner/stuck");
    test.gate.release();
    until(
        &mut inner,
        &["exited: meltdown", "starting", "started", "restarted"],
    )
    .await;
    until(&mut stuck, &["starting", "started"]).await;
    assert_eq!(state_of(&running, "/app/inner/stuck"), ("running", 2));
    assert_eq!(test.most_runs_at_once(), 1);
    let report = wait("the report", running.stop(BUDGET)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(*test.gate.alive.borrow(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_stop_report_names_what_blocks_below_a_supervisor_that_melted_down() {
    let test = Test::new();
    let running = melted_down(&test).await;
    let asked = Instant::now();
    let report = wait("the report", running.stop(BUDGET)).await;
    assert!(asked.elapsed() <= BUDGET);
    assert_eq!(
        hung_after(&report),
        ["/app", "/app/inner", "/app/inner/stuck"],
        "{report}"
    );
    assert_eq!(*test.gate.alive.borrow(), 1);
    test.gate.release();
    wait("the end of what hangs", test.gate.nothing_left()).await;
    assert_eq!(test.most_runs_at_once(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_body_that_is_over_but_whose_subtask_blocks_hangs_after_a_second_and_comes_back() {
    let test = Test::new();
    let running = up(Supervisor::one_for_one("app").child(test.over_but_for_a_subtask())).await;
    let mut stuck = Watch::new(&running, "/app/stuck");
    let asked = Instant::now();
    test.block_then_crash().await;
    until(&mut stuck, &["exited: hung"]).await;
    let at = stuck.last_at.expect("there was an event");
    assert!(at - asked >= Duration::from_secs(1), "{:?}", at - asked);
    answers(&running, "/app").await;
    assert_eq!(state_of(&running, "/app/stuck"), ("hung", 1));
    let mut stuck = Watch::new(&running, "/app/stuck");
    test.gate.release();
    until(
        &mut stuck,
        &["exited: failed", "starting", "started", "restarted"],
    )
    .await;
    let report = wait("the report", running.stop(BUDGET)).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_hung_child_that_is_to_end_the_process_shuts_the_whole_tree_down() {
    let test = Test::new();
    let stuck = test.over_but_for_a_subtask().on_hung(OnHung::EndProcess);
    let inner = Supervisor::one_for_one("inner").child(stuck);
    let sibling = Child::task_with("sibling", Arc::clone(&test.gate), |cx, gate| async move {
        let _alive = Alive::new(&gate);
        cx.shutdown().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app").child(sibling).child(inner);
    let running = up(tree).await;
    test.block_then_crash().await;
    let report = wait("the end of the tree", running.wait()).await;
    assert_eq!(report.reason, ShutdownReason::Error, "{report}");
    assert_eq!(
        hung_after(&report),
        ["/app", "/app/inner", "/app/inner/stuck"],
        "{report}"
    );
    // The subtask; the sibling and the body are gone.
    assert_eq!(*test.gate.alive.borrow(), 1);
    test.gate.release();
    wait("the end of what hangs", test.gate.nothing_left()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_child_that_hangs_in_a_stop_by_hand_ends_the_process_if_that_is_declared() {
    let test = Test::new();
    let tree = Supervisor::one_for_one("app").child(test.stuck().on_hung(OnHung::EndProcess));
    let running = up(tree).await;
    test.gate.go.set();
    wait("the blocked thread", test.gate.on.wait()).await;
    let stopped = wait("the answer", running.stop_child("/app/stuck")).await;
    assert_eq!(stopped.map_err(|error| error.code()), Err("hung"));
    let report = wait("the end of the tree", running.wait()).await;
    assert_eq!(report.reason, ShutdownReason::Error, "{report}");
    assert_eq!(hung_after(&report), ["/app", "/app/stuck"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_child_that_hung_in_a_stop_by_hand_stays_down_when_it_ends_after_all() {
    let test = Test::new();
    let running = up(Supervisor::one_for_one("app").child(test.stuck())).await;
    test.gate.go.set();
    wait("the blocked thread", test.gate.on.wait()).await;
    let mut stuck = Watch::new(&running, "/app/stuck");
    let stopped = wait("the answer", running.stop_child("/app/stuck")).await;
    assert_eq!(stopped.map_err(|error| error.code()), Err("hung"));
    let again = wait("the answer", running.restart_child("/app/stuck")).await;
    assert_eq!(again.map_err(|error| error.code()), Err("hung"));
    test.gate.release();
    let events = ["stop_requested", "stopped: hung", "exited: shutdown"];
    until(&mut stuck, &events).await;
    answers(&running, "/app").await;
    assert_eq!(state_of(&running, "/app/stuck"), ("down", 1));
    let again = wait("the answer", running.restart_child("/app/stuck")).await;
    assert_eq!(again, Ok(()));
    assert_eq!(test.most_runs_at_once(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_group_restart_goes_on_without_a_child_that_hangs() {
    let test = Test::new();
    let tree = Supervisor::one_for_all("app")
        .backoff(Backoff::none())
        .child(test.stuck())
        .child(test.crashes());
    let running = up(tree).await;
    let mut stuck = Watch::new(&running, "/app/stuck");
    let mut other = Watch::new(&running, "/app/crashes");
    test.block_then_crash().await;
    let up_again = ["exited: failed", "starting", "started", "restarted"];
    until(&mut other, &up_again).await;
    answers(&running, "/app").await;
    assert_eq!(state_of(&running, "/app/stuck"), ("hung", 1));
    test.gate.release();
    let events = [
        "stop_requested",
        "stopped: hung",
        "exited: shutdown",
        "starting",
        "started",
        "restarted",
    ];
    until(&mut stuck, &events).await;
    // What ended after all is restarted by its type, and that is the whole group again.
    let mut whole = up_again.to_vec();
    whole.extend(["stop_requested", "stopped: stopped"]);
    whole.extend(["starting", "started", "restarted"]);
    until(&mut other, &whole).await;
    let report = wait("the report", running.stop(BUDGET)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(test.most_runs_at_once(), 1);
    assert_eq!(*test.gate.alive.borrow(), 0);
}

/// An actor that finds messages waiting when it is up; over the second it blocks its thread.
struct Reader {
    gate: Arc<Gate>,
    says_ready: bool,
}

impl Actor for Reader {
    type Msg = u32;
    type State = Context;
    type Arguments = Context;

    async fn pre_start(
        &self,
        myself: ActorRef<u32>,
        cx: Context,
    ) -> Result<Context, ActorProcessingErr> {
        // So that its supervisor waits, and is woken by what it says.
        tokio::time::sleep(SLOW).await;
        myself.cast(1)?;
        myself.cast(2)?;
        Ok(cx)
    }

    async fn handle(
        &self,
        _: ActorRef<u32>,
        message: u32,
        cx: &mut Context,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            1 if self.says_ready => cx.ready(),
            1 => {}
            _ => {
                self.gate.on.set();
                self.gate.block();
            }
        }
        Ok(())
    }
}

/// What a run says is heard although it blocks its thread in one of its next hooks, without an await
/// between them.
async fn is_heard_before_it_blocks(says_ready: bool) {
    let test = Test::new();
    let gate = Arc::clone(&test.gate);
    let reader = Child::actor("reader", move |cx| {
        let gate = Arc::clone(&gate);
        (Reader { gate, says_ready }, cx)
    });
    let reader = match says_ready {
        true => reader.explicit_ready(),
        false => reader,
    };
    let tree = Supervisor::one_for_one("app").child(reader.stop_timeout(SHORT));
    let running = up(tree).await;
    wait("the blocked thread", test.gate.on.wait()).await;
    answers(&running, "/app").await;
    assert_eq!(state_of(&running, "/app/reader"), ("running", 1));
    let report = wait("the report", running.stop(BUDGET)).await;
    assert_eq!(hung_after(&report), ["/app", "/app/reader"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_actor_that_blocks_over_a_message_that_waited_is_up_and_holds_up_nobody() {
    is_heard_before_it_blocks(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_actor_that_blocks_right_after_it_said_that_it_is_ready_is_up_and_holds_up_nobody() {
    is_heard_before_it_blocks(true).await;
}
