//! Claims on the watchdog: who does not come to its end is noticed from outside, whatever it does.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::mpsc;
use std::time::Duration;

use perennial::policy::stuck::OnStuck;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, BoxError, Child, Context, EventKind, Inbox, Running,
    Subscriber, SubsystemEvent, Supervisor,
};

/// Well over what a message takes, so that nothing else is stuck.
const SOON: Duration = Duration::from_millis(100);

struct Waits;

enum Order {
    Await,
    Block(mpsc::Receiver<()>),
    BlockThenAwait(mpsc::Receiver<()>),
}

impl Actor for Waits {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        order: Order,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Await => std::future::pending().await,
            // Ends when the test lets it.
            Order::Block(released) => drop(released.recv()),
            Order::BlockThenAwait(released) => {
                _ = released.recv();
                std::future::pending().await
            }
        }
        Ok(())
    }
}

async fn start(
    child: impl Into<perennial::supervisor::Node>,
) -> (Running, Subscriber<SubsystemEvent>) {
    let tree = Supervisor::one_for_one("app")
        .shutdown_budget(SOON)
        .child(child);
    let running = tree.start().await.expect("it starts");
    let events = running.subscribe("test");
    (running, events)
}

async fn next(events: &mut Subscriber<SubsystemEvent>, code: &str) -> SubsystemEvent {
    loop {
        let event = events.recv().await.expect("the tree lives");
        if event.kind.code() == code {
            return event;
        }
    }
}

fn hook_of(event: &SubsystemEvent) -> (&'static str, bool) {
    match event.kind {
        EventKind::Stuck {
            hook,
            lasted,
            is_blocking,
        } => {
            assert!(lasted >= SOON, "{lasted:?}");
            (hook, is_blocking)
        }
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_awaits_for_ever_is_told_of_once_with_path_incarnation_and_hook() {
    let child = Child::actor("waits", |_cx| (Waits, ())).stuck_after(SOON);
    let handle = child.handle();
    let (running, mut events) = start(child).await;
    handle.cast(Order::Await).expect("it is up");
    let event = next(&mut events, "stuck").await;
    assert_eq!((event.path.as_str(), event.incarnation), ("/app/waits", 1));
    assert_eq!(hook_of(&event), ("handle", false));
    // Several looks later it has not been told again, and it still runs.
    tokio::time::sleep(3 * SOON).await;
    let status = &running.snapshot().root.children[0];
    assert_eq!((status.stuck, status.state.code()), (1, "running"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_awaits_is_restarted_where_that_was_declared() {
    let child = Child::actor("waits", |_cx| (Waits, ()))
        .stuck_after(SOON)
        .on_stuck(OnStuck::Restart);
    let handle = child.handle();
    let (running, mut events) = start(child).await;
    handle.cast(Order::Await).expect("it is up");
    next(&mut events, "restarted").await;
    let status = &running.snapshot().root.children[0];
    let exit = status.last_exit.as_ref().expect("it ended").to_string();
    assert!(exit.contains("stuck: `handle` did not end in"), "{exit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_is_told_of_while_it_does_and_not_restarted() {
    let child = Child::actor("blocks", |_cx| (Waits, ()))
        .stuck_after(SOON)
        .on_stuck(OnStuck::Restart);
    let handle = child.handle();
    let (running, mut events) = start(child).await;
    let (release, released) = mpsc::channel();
    handle.cast(Order::Block(released)).expect("it is up");
    assert_eq!(hook_of(&next(&mut events, "stuck").await), ("handle", true));
    let why = || {
        let readiness = running.readiness();
        let missing = readiness.missing().next();
        missing.and_then(|one| one.failure.clone())
    };
    let expected = "it is stuck: `handle` does not come to its end";
    assert_eq!(why().as_deref(), Some(expected));
    let status = &running.snapshot().root.children[0];
    assert_eq!(status.stuck_in, Some("handle"));
    release.send(()).expect("it waits");
    while why().is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let report = running.stop(Duration::from_secs(60)).await;
    assert!(
        report.is_clean(),
        "the same run went on and stopped: {report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocked_and_then_awaits_is_told_of_once_and_restarted_when_it_can_be() {
    let child = Child::actor("waits", |_cx| (Waits, ()))
        .stuck_after(SOON)
        .on_stuck(OnStuck::Restart);
    let handle = child.handle();
    let (running, mut events) = start(child).await;
    let (release, released) = mpsc::channel();
    let order = Order::BlockThenAwait(released);
    handle.cast(order).expect("it is up");
    assert_eq!(hook_of(&next(&mut events, "stuck").await), ("handle", true));
    release.send(()).expect("it waits");
    next(&mut events, "restarted").await;
    assert_eq!(running.snapshot().root.children[0].stuck, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_stuck_from_a_message_to_the_next_wish_for_one() {
    let child = Child::worker("works", |_cx, mut inbox: Inbox<u8>| async move {
        while let Some(message) = inbox.recv().await {
            if message == 2 {
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    });
    let child = child.stuck_after(SOON);
    let handle = child.handle();
    let (running, mut events) = start(child).await;
    handle.cast(1).expect("it is up");
    // It waits for messages for longer than a handler may take.
    tokio::time::sleep(3 * SOON).await;
    assert_eq!(running.snapshot().root.children[0].stuck, 0);
    handle.cast(2).expect("it is up");
    assert_eq!(
        hook_of(&next(&mut events, "stuck").await),
        ("message", false)
    );
}

/// What keeps the worker from its message is somebody else, who has the only thread.
#[tokio::test]
async fn a_worker_that_waited_long_is_not_stuck_because_it_has_to_wait_for_a_thread() {
    let (handled, mut heard) = tokio::sync::mpsc::channel(2);
    let child = Child::worker("works", move |_cx, mut inbox: Inbox<u8>| {
        let handled = handled.clone();
        async move {
            while let Some(message) = inbox.recv().await {
                handled.send(message).await?;
            }
            Ok(())
        }
    });
    let child = child.stuck_after(SOON);
    let handle = child.handle();
    let (running, _events) = start(child).await;
    handle.cast(1).expect("it is up");
    assert_eq!(heard.recv().await, Some(1));
    tokio::time::sleep(3 * SOON).await;
    handle.cast(2).expect("it is up");
    // Ends by its timeout, some looks of the watchdog later: nobody holds a thread longer on purpose.
    let (_sender, nothing) = mpsc::channel::<()>();
    nothing.recv_timeout(3 * SOON).expect_err("nobody sends");
    assert_eq!(heard.recv().await, Some(2));
    assert_eq!(running.snapshot().root.children[0].stuck, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_watched_once_it_says_that_it_is_alive() {
    let silent = Child::task("silent", |_cx| std::future::pending()).stuck_after(SOON);
    let says = |cx: Context| async move {
        for _ in 0..3 {
            cx.alive();
            tokio::time::sleep(SOON / 4).await;
        }
        std::future::pending::<Result<(), BoxError>>().await
    };
    let tree = Supervisor::one_for_one("app")
        .child(silent)
        .child(Child::task("says", says).stuck_after(SOON));
    let running = tree.start().await.expect("it starts");
    let mut events = running.subscribe("test");
    let event = next(&mut events, "stuck").await;
    assert_eq!(
        (event.path.as_str(), hook_of(&event)),
        ("/app/says", ("alive", false))
    );
    let root = running.snapshot().root;
    assert_eq!(root.children[0].stuck, 0, "one that never said so");
}

#[tokio::test]
async fn a_stuck_child_ends_the_process_where_that_was_declared() {
    let child = Child::actor("waits", |_cx| (Waits, ()))
        .stuck_after(SOON)
        .on_stuck(OnStuck::EndProcess);
    let handle = child.handle();
    let (running, _events) = start(child).await;
    handle.cast(Order::Await).expect("it is up");
    let report = running.wait().await;
    assert_eq!(report.reason, perennial::ShutdownReason::Error);
}

/// The thread that runs everything is the one that is blocked: only one outside of it can say so.
#[test]
fn a_runtime_that_is_blocked_as_a_whole_is_told_of_from_outside() {
    let (told, heard) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let runs = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("it can be made").block_on(async {
            let child = Child::actor("blocks", |_cx| (Waits, ())).stuck_after(SOON);
            let handle = child.handle();
            let (running, _) = start(child).await;
            told.send(running.subscribe("outside"))
                .expect("the test waits");
            handle.cast(Order::Block(released)).expect("it is up");
            running.stop(Duration::from_secs(60)).await
        })
    });
    let mut events = heard.recv().expect("it starts");
    let other = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let event = other
        .expect("it can be made")
        .block_on(next(&mut events, "stuck"));
    assert_eq!(hook_of(&event), ("handle", true));
    release.send(()).expect("it waits");
    runs.join().expect("it ended");
}
