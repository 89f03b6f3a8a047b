//! Values of the user's that misbehave by themselves: errors that can't be shown or dropped, panics
//! that were not raised by `panic!`, messages that panic or block when nobody takes them.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use perennial::exit::Panic;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, BoxError, Child, Context, EventKind, Exit, Inbox, Running,
    StartError, Supervisor,
};

use crate::gate::Gate;
use crate::site::Alive;
use crate::watch::within;

/// An error with a fault of its own.
#[derive(Debug)]
enum Odd {
    /// Can't be shown.
    Mute,
    /// Can't be dropped.
    Sticky,
    /// Is its own source.
    Endless,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mute => panic!("in Display"),
            Self::Sticky => f.write_str("sticky"),
            Self::Endless => f.write_str("endless"),
        }
    }
}

impl std::error::Error for Odd {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Endless => Some(self),
            Self::Mute | Self::Sticky => None,
        }
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        if matches!(self, Self::Sticky) {
            panic!("in drop");
        }
    }
}

/// An actor that fails in `pre_start` with what it is given.
struct Fails;

impl Actor for Fails {
    type Msg = ();
    type State = ();
    type Arguments = fn() -> BoxError;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        error: fn() -> BoxError,
    ) -> Result<(), ActorProcessingErr> {
        Err(error())
    }
}

/// Starts a child that does not start, and returns how that ended.
async fn start_of(child: impl Into<perennial::supervisor::Node>) -> Exit {
    let started = Supervisor::one_for_one("app").child(child).start().await;
    match started {
        Err(StartError::Failed { exit, .. }) => exit,
        other => panic!("{other:?}"),
    }
}

async fn exits_of(error: fn() -> BoxError) -> [String; 4] {
    let task = Child::task("odd", move |_cx| async move { Err(error()) });
    let step = Child::step("odd", move |_cx| async move { Err(error()) });
    let thread = Child::blocking("odd", move |_cx| Err(error())).explicit_ready();
    let actor = Child::actor("odd", move |_cx| (Fails, error));
    [
        start_of(task).await.to_string(),
        start_of(step).await.to_string(),
        start_of(thread).await.to_string(),
        start_of(actor).await.to_string(),
    ]
}

#[tokio::test]
async fn an_error_that_panics_when_it_is_shown_is_a_panic_of_its_child() {
    for exit in exits_of(|| Odd::Mute.into()).await {
        assert!(exit.starts_with("panicked: in Display at "), "{exit}");
    }
}

#[tokio::test]
async fn an_error_that_panics_when_it_is_dropped_is_a_panic_of_its_child() {
    for exit in exits_of(|| Odd::Sticky.into()).await {
        assert!(exit.starts_with("panicked: in drop at "), "{exit}");
    }
}

#[tokio::test]
async fn an_error_that_is_its_own_source_comes_to_an_end() {
    for exit in exits_of(|| Odd::Endless.into()).await {
        assert!(exit.starts_with("failed: endless: endless"), "{exit}");
        assert!(exit.len() < 1_000, "{exit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_no_hook_has_seen_is_still_one() {
    let foreign = Child::task("odd", |_cx| async { resume_unwind(Box::new(7_u32)) });
    let text = Child::task("odd", |_cx| async { resume_unwind(Box::new("carried on")) });
    // The place of this one must not be shown for the next.
    let placed = Child::task("odd", |_cx| async { panic!("with a place") });
    let message = |exit: Exit| match exit {
        Exit::Panicked(Panic { message, location }) => (message.to_string(), location.is_some()),
        other => panic!("{other}"),
    };
    let seen = [
        message(start_of(placed).await),
        message(start_of(foreign).await),
        message(start_of(text).await),
    ];
    let expected = [
        ("with a place", true),
        ("a panic whose payload is not text", false),
        ("carried on", false),
    ];
    assert_eq!(seen, expected.map(|(message, at)| (message.to_owned(), at)));
}

/// A message that blocks or panics when it is dropped.
struct Letter(Option<Arc<Gate>>);

impl Drop for Letter {
    fn drop(&mut self) {
        match &self.0 {
            Some(gate) => {
                gate.on.set();
                gate.block();
            }
            None => panic!("nobody read this"),
        }
    }
}

/// An actor that reads nothing.
struct Reads;

impl Actor for Reads {
    type Msg = Letter;
    type State = Alive;
    type Arguments = (Context, Arc<Gate>);

    async fn pre_start(
        &self,
        _: ActorRef<Letter>,
        (_cx, gate): (Context, Arc<Gate>),
    ) -> Result<Alive, ActorProcessingErr> {
        Ok(Alive::new(&gate))
    }

    async fn post_start(
        &self,
        _: ActorRef<Letter>,
        _: &mut Alive,
    ) -> Result<(), ActorProcessingErr> {
        std::future::pending().await
    }
}

fn actor(gate: &Arc<Gate>) -> Child<Letter> {
    let gate = Arc::clone(gate);
    Child::actor("reader", move |cx| (Reads, (cx, Arc::clone(&gate))))
}

fn worker(gate: &Arc<Gate>) -> Child<Letter> {
    let gate = Arc::clone(gate);
    Child::worker("reader", move |_cx, inbox: Inbox<Letter>| {
        let alive = Alive::new(&gate);
        async move {
            let (_alive, _inbox) = (alive, inbox);
            std::future::pending().await
        }
    })
}

/// A reader that does not read, beside a child that is well.
async fn reading(reader: Child<Letter>, gate: &Arc<Gate>) -> Running {
    let sibling = Child::task_with(
        "sibling",
        Arc::clone(gate),
        |cx: Context, gate| async move {
            let _alive = Alive::new(&gate);
            cx.shutdown().await;
            Ok(())
        },
    );
    let reader = reader.stop_timeout(Duration::from_millis(300));
    let tree = Supervisor::one_for_one("app").child(sibling).child(reader);
    tree.start().await.expect("it starts")
}

async fn drops_letters_that_panic(count: usize, make: fn(&Arc<Gate>) -> Child<Letter>) {
    let gate = Arc::new(Gate::new());
    let reader = make(&gate);
    let handle = reader.handle();
    let running = reading(reader, &gate).await;
    for _ in 0..count {
        handle.cast(Letter(None)).map_err(forget).expect("it is up");
    }
    let mut events = running.subscribe("test");
    // Killed with its letters, it comes back, and the supervisor has seen nothing of them.
    let restarted = within("a restart", running.restart_child("/app/reader")).await;
    assert_eq!(restarted.expect("an answer"), Ok(()));
    let report = within("the report", running.stop(Duration::from_secs(5))).await;
    let report = report.expect("it ends");
    assert_eq!(report.exit, Exit::Shutdown, "{report}");
    assert!(report.hung().is_empty(), "{report}");
    assert_eq!(*gate.alive.borrow(), 0);
    while let Ok(Some(event)) = events.try_recv() {
        assert!(!matches!(event.kind, EventKind::Meltdown));
    }
}

/// Keeps a letter that came back from being dropped.
fn forget(refused: perennial::CastError<Letter>) -> &'static str {
    let code = refused.code();
    std::mem::forget(refused);
    code
}

#[tokio::test(start_paused = true)]
async fn messages_that_panic_when_nobody_reads_them_cost_an_actor_nothing_more() {
    // One: with a second the drop of ractor's own queue would end the process.
    drops_letters_that_panic(1, actor).await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_panic_when_nobody_reads_them_cost_a_worker_nothing_more() {
    drops_letters_that_panic(3, worker).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_over_messages_that_panic_too_costs_only_itself() {
    let worker = Child::worker(
        "reader",
        |cx: Context, mut inbox: Inbox<Letter>| async move {
            let Some(letter) = inbox.recv().await else {
                return Ok(());
            };
            std::mem::forget(letter);
            panic!("run {}", cx.incarnation())
        },
    );
    let handle = worker.handle();
    let running = reading(worker, &Arc::new(Gate::new())).await;
    let mut events = running.subscribe("test");
    for _ in 0..3 {
        handle.cast(Letter(None)).map_err(forget).expect("it is up");
    }
    loop {
        let event = within("an event", events.recv()).await.expect("one comes");
        match event.expect("the tree lives").kind {
            EventKind::Exited { exit, .. } => {
                assert!(exit.to_string().starts_with("panicked: run 1"), "{exit}");
            }
            EventKind::Restarted { .. } => break,
            _ => {}
        }
    }
    let report = within("the report", running.stop(Duration::from_secs(5))).await;
    assert!(report.expect("it ends").is_clean());
}

async fn drops_a_letter_that_blocks(make: fn(&Arc<Gate>) -> Child<Letter>) {
    let gate = Arc::new(Gate::new());
    let reader = make(&gate);
    let handle = reader.handle();
    let running = reading(reader, &gate).await;
    let letter = Letter(Some(Arc::clone(&gate)));
    handle.cast(letter).map_err(forget).expect("it is up");
    let stopping = running.observer();
    let stopped = tokio::spawn(async move { stopping.stop_child("/app/reader").await });
    within("the drop", gate.on.wait()).await.expect("it comes");
    let app = running.supervisor("/app").expect("the root");
    let nobody = within("an answer", app.stop_child("nobody")).await;
    let code = nobody.expect("it answers").map_err(|error| error.code());
    let stopped = within("the answer", stopped).await.expect("it answers");
    let hung = stopped.expect("no panic").map_err(|error| error.code());
    let report = within("the report", running.stop(Duration::from_secs(5))).await;
    gate.release();
    assert_eq!((code, hung), (Err("not_found"), Err("hung")));
    let report = report.expect("it ends");
    let hung: Vec<_> = report.hung().iter().map(ToString::to_string).collect();
    assert_eq!(hung, ["/app", "/app/reader"], "{report}");
    within("the end", gate.nothing_left())
        .await
        .expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_message_that_blocks_when_nobody_reads_it_holds_up_its_actor_alone() {
    drops_a_letter_that_blocks(actor).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_message_that_blocks_when_nobody_reads_it_holds_up_its_worker_alone() {
    drops_a_letter_that_blocks(worker).await;
}
