//! Claims on a supervisor whose task is dropped in the middle of its life.

use crate::shutdown::EarlyNotice;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::child::{Child, Declared, End, Launch, Launched};
use crate::context::{Above, Identity, News, Run};
use crate::exit::Exit;
use crate::handle::inbox::Inbox;
use crate::handle::{AnyAddress, CastError};
use crate::path::Path;
use crate::policy::backoff::Backoff;
use crate::supervisor::cell::Cell;
use crate::supervisor::ends::Ends;
use crate::supervisor::status::State;
use crate::supervisor::{Node, NodeKind, Supervisor, SupervisorHandle, Tree, spawn};
use crate::sync::{Mutex, lock};

type Trace = Arc<Mutex<Vec<String>>>;

/// A supervisor as its parent has it: its run, its end, and what no parent has, a way to drop it.
struct Dropped {
    run: Arc<Run>,
    cell: Arc<Cell>,
    handle: SupervisorHandle,
    task: AbortHandle,
    ends: Ends,
    above: Arc<Above>,
}

impl Dropped {
    async fn end(&mut self) {
        self.ends.next(self.above.notices()).await;
    }
}

/// Starts a supervisor in a task that can be dropped.
async fn start(declared: Supervisor) -> Dropped {
    let declared = Arc::new(declared);
    let tree = Tree::new(&declared, EarlyNotice::default());
    let path = Path::root("app").join(&declared.name);
    let cell = Cell::new(
        path.clone(),
        crate::supervisor::cell::Role {
            kind: crate::child::Kind::Supervisor,
            restart: crate::policy::restart::Restart::Permanent,
            duty: None,
        },
        None,
    );
    let above = Above::new(tree.early_notice(), None);
    let identity = Identity {
        path,
        key: 0,
        incarnation: 1,
    };
    let run = Run::new(identity, &above);
    let handle = declared.handle();
    let spawned = spawn::supervisor(&tree, &declared, &cell, &run);
    let task = spawned.abort_handle();
    let mut ends = Ends::default();
    ends.expect(&run, End::Task(spawned));
    assert_eq!(above.notices().next().await.news, News::Started);
    Dropped {
        run,
        cell,
        handle,
        task,
        ends,
        above,
    }
}

fn traced(name: &'static str, trace: &Trace) -> Child {
    Child::task_with(name, Arc::clone(trace), move |cx, trace| async move {
        cx.shutdown().await;
        lock(&trace).push(name.to_owned());
        Ok(())
    })
}

/// Does not stop, and notes when it is dropped.
fn deaf(name: &'static str, trace: &Trace) -> Child {
    struct Noted(&'static str, Trace);
    impl Drop for Noted {
        fn drop(&mut self) {
            lock(&self.1).push(format!("{} killed", self.0));
        }
    }
    Child::task_with(name, Arc::clone(trace), move |_cx, trace| async move {
        let _noted = Noted(name, trace);
        std::future::pending().await
    })
}

fn states(cell: &Cell) -> Vec<State> {
    let children = cell.read().children;
    children.iter().map(|child| child.state).collect()
}

#[tokio::test(start_paused = true)]
async fn the_children_of_a_dropped_supervisor_stop_in_reverse_before_its_end_is_seen() {
    let trace = Trace::default();
    let declared = Supervisor::one_for_one("inner")
        .child(traced("a", &trace))
        .child(Supervisor::one_for_one("below").child(traced("b", &trace)))
        .child(deaf("c", &trace))
        .child(traced("d", &trace));
    let mut dropped = start(declared).await;
    let began = Instant::now();
    dropped.task.abort();
    dropped.end().await;
    assert_eq!(*lock(&trace), ["d", "c killed", "b", "a"]);
    assert_eq!(began.elapsed(), Duration::from_millis(4_950));
    assert_eq!(dropped.run.exit(), Exit::Killed);
    assert_eq!(states(&dropped.cell), [State::Down; 4]);
    assert_eq!(
        dropped
            .handle
            .stop_child("a")
            .await
            .map_err(|error| error.code()),
        Err("not_running")
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_bounds_what_a_dropped_supervisor_leaves() {
    let trace = Trace::default();
    let declared = Supervisor::one_for_one("inner")
        .child(traced("a", &trace))
        .child(deaf("b", &trace))
        .child(deaf("c", &trace));
    let mut dropped = start(declared).await;
    let began = Instant::now();
    dropped.task.abort();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let deadline = began + Duration::from_secs(1);
    dropped.run.stop().request(deadline, deadline);
    dropped.end().await;
    assert!(
        began.elapsed() <= Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(*lock(&trace), ["c killed", "b killed", "a"]);
}

#[tokio::test(start_paused = true)]
async fn the_children_of_a_dropped_dynamic_supervisor_stop_all_at_once_and_for_good() {
    let trace = Trace::default();
    let mut dropped = start(Supervisor::dynamic("inner")).await;
    let worker = Child::worker("worker", |_cx, mut inbox: Inbox<u32>| async move {
        while inbox.recv().await.is_some() {}
        Ok(())
    });
    let handle = worker.handle();
    let added = [
        dropped.handle.start_child(worker).await,
        dropped.handle.start_child(deaf("b", &trace)).await,
        dropped.handle.start_child(deaf("c", &trace)).await,
    ];
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    let began = Instant::now();
    dropped.task.abort();
    dropped.end().await;
    assert_eq!(*lock(&trace), ["c killed", "b killed"]);
    assert!(
        began.elapsed() <= Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(matches!(handle.cast(1), Err(CastError::Gone(_))));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_comes_while_one_child_is_waited_for_counts_for_the_others_too() {
    let trace = Trace::default();
    let mut dropped = start(Supervisor::dynamic("inner")).await;
    for name in ["a", "b"] {
        let added = dropped.handle.start_child(deaf(name, &trace)).await;
        added.expect("there is room");
    }
    dropped.task.abort();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = Instant::now();
    let deadline = told + Duration::from_millis(500);
    dropped.run.stop().request(deadline, deadline);
    dropped.end().await;
    assert_eq!(*lock(&trace), ["b killed", "a killed"]);
    assert!(Instant::now() <= deadline, "{:?}", told.elapsed());
}

/// A leaf that is launched once, and then never again.
struct LaunchedOnce<L>(L, AtomicBool);

impl<L: Launch> Launch for LaunchedOnce<L> {
    fn launch(&self, run: &Arc<Run>) -> io::Result<Launched> {
        match self.1.swap(true, Ordering::Relaxed) {
            false => self.0.launch(run),
            true => Err(io::Error::other("no more threads")),
        }
    }

    fn address(&self) -> Option<Arc<dyn AnyAddress>> {
        self.0.address()
    }

    fn shares_its_handle(&self) -> bool {
        self.0.shares_its_handle()
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_launch_failed_is_down_and_not_waited_for() {
    let trace = Trace::default();
    let fails = Child::task("fails", |_cx| async {
        tokio::task::yield_now().await;
        Err("once".into())
    });
    // The first restart is immediate, and is the launch that fails; the next one waits.
    let hour = Duration::from_secs(3_600);
    let backoff = Backoff::try_new(hour, hour).expect("valid");
    let declared = fails.backoff(backoff).into_declared();
    let once = Declared {
        specification: declared.specification,
        launch: LaunchedOnce(declared.launch, AtomicBool::new(false)),
    };
    let declared = Supervisor::one_for_one("inner")
        .child(traced("a", &trace))
        .child(Node(NodeKind::Leaf(Arc::new(once))));
    let mut dropped = start(declared).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(states(&dropped.cell), [State::Running, State::BackingOff]);
    let began = Instant::now();
    dropped.task.abort();
    dropped.end().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(states(&dropped.cell), [State::Down; 2]);
}
