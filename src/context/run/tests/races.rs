//! Claims on what a run, its supervisor and its subtasks do at the same time, in many orders.
//!
//! The tasks are tokio's. Nothing drives their runtime until the threads have ended, so that a task
//! is what it is for a run: something to be aborted and waited for.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::child::Seat;
use crate::context::{Above, Identity, News, Run};
use crate::exit::{Exit, Panic};
use crate::handle::inbox::inbox;
use crate::handle::{Address, AnyAddress, Claim, Handle};
use crate::path::Path;
use crate::shutdown::EarlyNotice;
use crate::sync::races::{block_on, check, spawn};

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// A run without a child, inside `runtime`.
fn run(runtime: &Runtime) -> (Arc<Run>, Arc<Above>) {
    let _entered = runtime.enter();
    let above = Above::new(&EarlyNotice::default(), None);
    let identity = Identity {
        path: Path::root("x"),
        key: 1,
        incarnation: 1,
    };
    (Run::new(identity, &above), above)
}

/// Lets the tasks run, without waiting for one that nobody wakes.
fn is_aborted(runtime: &Runtime, task: &JoinHandle<()>) -> bool {
    runtime.block_on(tokio::task::yield_now());
    task.is_finished()
}

fn panicked() -> Panic {
    Panic {
        message: "meant".into(),
        location: None,
    }
}

#[test]
fn a_run_whose_subtask_failed_before_its_task_was_known_is_aborted() {
    check(|| {
        let runtime = runtime();
        let (run, _above) = run(&runtime);
        let task = runtime.spawn(std::future::pending::<()>());
        let subtask = spawn({
            let run = Arc::clone(&run);
            move || run.fail(panicked())
        });
        run.set_task(task.abort_handle());
        subtask.join().expect("no panic");
        assert!(is_aborted(&runtime, &task));
    });
}

#[test]
fn a_run_ends_for_one_reason() {
    check(|| {
        let runtime = runtime();
        let (run, _above) = run(&runtime);
        let exits = [Exit::Normal, Exit::Panicked(panicked())];
        let recording = exits.map(|exit| {
            let run = Arc::clone(&run);
            spawn(move || run.is_first_record(exit.clone()).then_some(exit))
        });
        let first: Vec<Exit> = recording
            .into_iter()
            .filter_map(|recording| recording.join().expect("no panic"))
            .collect();
        assert_eq!(first, [run.exit()]);
    });
}

#[test]
fn no_news_is_lost_and_the_supervisor_sleeps_through_none() {
    check(|| {
        let runtime = runtime();
        let (run, above) = run(&runtime);
        // A run that is ready on two threads at once tells it once.
        let telling = [(); 2].map(|()| {
            let run = Arc::clone(&run);
            spawn(move || {
                run.acknowledge();
                run.tell(News::Ending);
            })
        });
        let mut heard = [(); 3].map(|()| block_on(above.notices().next()).news);
        for telling in telling {
            telling.join().expect("no panic");
        }
        heard.sort_by_key(|news| *news == News::Ending);
        assert_eq!(heard, [News::Started, News::Ending, News::Ending]);
        assert_eq!(above.notices().try_next(), None);
    });
}

#[test]
fn a_run_that_waits_to_be_heard_goes_on() {
    check(|| {
        let runtime = runtime();
        let (run, above) = run(&runtime);
        let telling = spawn(move || {
            run.acknowledge();
            block_on(run.heard());
            run.tell(News::Ending);
        });
        let heard = [(); 2].map(|()| block_on(above.notices().next()).news);
        telling.join().expect("no panic");
        assert_eq!(heard, [News::Started, News::Ending]);
    });
}

#[test]
fn a_subtask_that_is_spawned_while_its_run_ends_ends_with_it() {
    check(|| {
        let runtime = runtime();
        let (run, _above) = run(&runtime);
        let life = Arc::new(());
        let spawning = spawn({
            let (run, life) = (Arc::clone(&run), Arc::clone(&life));
            move || {
                for _ in 0..2 {
                    let life = Arc::clone(&life);
                    run.spawn_subtask(async move {
                        let _life = life;
                        std::future::pending::<()>().await;
                    });
                }
            }
        });
        runtime.block_on(run.end_subtasks());
        let left = Arc::strong_count(&life);
        assert!(
            left <= 3,
            "only a subtask that was refused may still be in its caller's hands"
        );
        spawning.join().expect("no panic");
        assert_eq!(Arc::strong_count(&life), 1);
    });
}

#[test]
fn a_run_that_says_that_it_is_up_while_its_route_goes_up_is_ready_for_its_senders() {
    check(|| {
        let runtime = runtime();
        let (run, _above) = run(&runtime);
        let claim = Claim::<u8>::new();
        run.set_address(Arc::<Address<u8>>::clone(claim.address()));
        let waiting = spawn({
            let handle = Handle::of(claim.address());
            move || block_on(handle.ready())
        });
        let saying = spawn({
            let run = Arc::clone(&run);
            move || run.acknowledge()
        });
        let seat = Seat {
            address: Arc::clone(claim.address()),
            explicit_ready: true,
        };
        let (_inbox, queue) = inbox(1, claim.address().ledger());
        let _routed = seat.route_to(&run, queue);
        saying.join().expect("no panic");
        assert_eq!(waiting.join().expect("no panic"), Ok(()));
    });
}

#[test]
fn a_run_that_is_killed_while_its_route_goes_up_is_not_left_reachable() {
    check(|| {
        let runtime = runtime();
        let (run, _above) = run(&runtime);
        let claim = Claim::<u8>::new();
        run.set_address(Arc::<Address<u8>>::clone(claim.address()));
        let task = runtime.spawn(std::future::pending::<()>());
        run.set_task(task.abort_handle());
        let killer = spawn({
            let run = Arc::clone(&run);
            move || run.kill()
        });
        let ledger = claim.address().ledger();
        let (inbox, queue) = inbox(1, ledger);
        let routed = claim.address().route_to(queue);
        run.acknowledge();
        drop(routed);
        drop(inbox);
        killer.join().expect("no panic");
        assert!(is_aborted(&runtime, &task));
        runtime.block_on(run.end_subtasks());
        assert_eq!(claim.address().read().depth, 0);
        assert!(Handle::of(claim.address()).cast(1).is_err());
    });
}
