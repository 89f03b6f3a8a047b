//! Claims on messages in a running tree: what is handled, held, lost, turned away, and known of it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::child::Kind;
use perennial::policy::stop::Stop;
use perennial::policy::while_down::WhileDown;
use perennial::supervisor::status::NodeStatus;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, BoxError, CallError, CastError, Child, Context,
    Handle, Inbox, Reply, Restart, Running, ShutdownReason, SupervisionEvent, Supervisor,
};
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);

enum Msg {
    Note(u32),
    Ask(Reply<u32>),
    /// Takes 100 ms, then is noted.
    Slow(u32),
    /// Waits until it is told to go on, then ends by a panic.
    Wait(Arc<Notify>),
    Hang,
    Panic,
}

/// What a child of either kind does with its messages.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<u32>>>);

impl Notes {
    async fn handle(&self, message: Msg) {
        match message {
            Msg::Note(n) => self.0.lock().expect("no panic holds it").push(n),
            Msg::Slow(n) => {
                tokio::time::sleep(SECOND / 10).await;
                self.0.lock().expect("no panic holds it").push(n);
            }
            Msg::Ask(reply) => drop(reply.send(42)),
            Msg::Wait(go_on) => {
                go_on.notified().await;
                panic!("told to")
            }
            Msg::Hang => std::future::pending().await,
            Msg::Panic => panic!("asked to"),
        }
    }

    fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().expect("no panic holds it"))
    }
}

impl Actor for Notes {
    type Msg = Msg;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Msg>,
        message: Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Notes::handle(self, message).await;
        Ok(())
    }
}

fn actor(notes: &Notes) -> Child<Msg> {
    let notes = notes.clone();
    Child::actor("child", move |_cx| (notes.clone(), ()))
}

fn worker(notes: &Notes) -> Child<Msg> {
    let notes = notes.clone();
    Child::worker("child", move |_cx, mut inbox: Inbox<Msg>| {
        let notes = notes.clone();
        async move {
            while let Some(message) = inbox.recv().await {
                notes.handle(message).await;
            }
            Ok(())
        }
    })
}

/// Every claim that does not depend on the kind of child is checked for both.
const KINDS: [fn(&Notes) -> Child<Msg>; 2] = [actor, worker];

async fn start(child: Child<Msg>) -> (Running, Handle<Msg>) {
    let handle = child.handle();
    let tree = Supervisor::one_for_one("app").child(child);
    (tree.start().await.expect("it starts"), handle)
}

fn status(running: &Running) -> NodeStatus {
    running.which_children("/app").expect("the root").remove(0)
}

/// Waits until the run that is up has ended.
async fn down(running: &Running, handle: &Handle<Msg>) {
    let mut events = running.subscribe("down");
    handle.cast(Msg::Panic).expect("it is up");
    while events.recv().await.expect("the tree lives").kind.code() != "exited" {}
}

/// Says that it is up in the middle of its start, before it can be sent to.
struct Hasty;

impl Actor for Hasty {
    type Msg = u32;
    type State = ();
    type Arguments = Context;

    async fn pre_start(&self, _: ActorRef<u32>, cx: Context) -> Result<(), ActorProcessingErr> {
        cx.ready();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_says_early_that_it_is_up_is_ready_for_its_handle() {
    let actor = || Child::actor("child", |cx| (Hasty, cx));
    let worker = || {
        Child::worker("child", |cx: Context, mut inbox: Inbox<u32>| async move {
            cx.ready();
            while inbox.recv().await.is_some() {}
            Ok(())
        })
    };
    for child in [
        actor(),
        actor().explicit_ready(),
        worker(),
        worker().explicit_ready(),
    ] {
        let handle = child.handle();
        let tree = Supervisor::one_for_one("app").child(child);
        let _running = tree.start().await.expect("it starts");
        let ready = tokio::time::timeout(SECOND, handle.ready()).await;
        assert_eq!(ready, Ok(Ok(())), "{handle:?}");
    }
}

/// Whoever holds the inbox when the task of its run has ended hears that no more comes.
#[tokio::test(start_paused = true)]
async fn an_inbox_that_outlives_its_run_ends_with_it() {
    for fails in [false, true] {
        let (sender, mut inboxes) = tokio::sync::mpsc::channel(1);
        let child = Child::worker("child", move |cx: Context, inbox: Inbox<u32>| {
            let sender = sender.clone();
            async move {
                sender.send(inbox).await?;
                if fails {
                    // Fails the run, which is then dropped at its await.
                    cx.spawn(async { panic!("a subtask") });
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        });
        let supervisor = Supervisor::one_for_one("app");
        let begun = supervisor.child(child.restart(Restart::Temporary)).start();
        let running = begun.await.expect("it starts");
        let mut inbox = inboxes.recv().await.expect("it ran");
        let ended = tokio::time::timeout(SECOND, inbox.recv()).await;
        assert_eq!(ended, Ok(None), "fails: {fails}");
        drop(running);
    }
}

/// It says so before its first await, and is sent to by whoever waited for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_says_at_once_that_it_is_up_can_be_sent_to_at_once() {
    let supervisor = Supervisor::dynamic("app");
    let group = supervisor.handle();
    let running = supervisor.start().await.expect("it starts");
    for _ in 0..200 {
        let child = Child::worker("", |cx: Context, mut inbox: Inbox<u32>| async move {
            cx.ready();
            while inbox.recv().await.is_some() {}
            Ok(())
        });
        let handle = child.handle();
        group.start_child(child).await.expect("it starts");
        handle.cast(1).expect("it is up");
    }
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_held_message_reaches_the_next_incarnation_before_later_ones() {
    for kind in KINDS {
        let notes = Notes::default();
        let child = kind(&notes)
            .backoff(Backoff::fixed(SECOND))
            .while_down(WhileDown::Hold(3));
        let early = child.handle();
        early.cast(Msg::Note(0)).expect("held before the start");
        let (running, handle) = start(child).await;
        down(&running, &handle).await;
        assert_eq!(notes.take(), [0]);
        handle.cast(Msg::Note(1)).expect("it is held");
        handle.cast(Msg::Note(2)).expect("it is held");
        let asked = tokio::spawn({
            let handle = handle.clone();
            async move { handle.call(Msg::Ask).await }
        });
        tokio::task::yield_now().await;
        assert!(matches!(
            handle.cast(Msg::Note(3)),
            Err(CastError::Full(Msg::Note(3)))
        ));
        handle.ready().await.expect("another run follows");
        handle.cast(Msg::Note(4)).expect("it is up");
        handle.call(Msg::Ask).await.expect("it answers");
        assert_eq!(notes.take(), [1, 2, 4]);
        assert_eq!(asked.await.expect("no panic"), Ok(42));
        let status = status(&running);
        assert_eq!((status.messages_lost, status.messages_rejected), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn held_messages_are_lost_and_their_calls_fail_when_the_tree_ends() {
    for kind in KINDS {
        let notes = Notes::default();
        let child = kind(&notes)
            .backoff(Backoff::fixed(SECOND))
            .while_down(WhileDown::Hold(8));
        let (running, handle) = start(child).await;
        down(&running, &handle).await;
        let stop = async {
            tokio::task::yield_now().await;
            running.stop(SECOND).await
        };
        let (answer, waiting, _report) = tokio::join!(
            handle.call(Msg::Ask),
            async {
                // Admitted again only after the hold is full.
                for n in 0..7 {
                    handle.cast(Msg::Note(n)).expect("it is held");
                }
                handle.send(Msg::Note(7)).await
            },
            stop
        );
        assert_eq!(answer, Err(CallError::Lost));
        assert!(matches!(waiting, Err(CastError::Gone(Msg::Note(7)))));
        assert!(notes.take().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ends_loses_what_waits_and_fails_the_calls() {
    for kind in KINDS {
        let notes = Notes::default();
        let (running, handle) = start(kind(&notes)).await;
        let go_on = Arc::new(Notify::new());
        handle.cast(Msg::Wait(Arc::clone(&go_on))).expect("room");
        handle.cast(Msg::Note(1)).expect("room");
        let (first, second, ()) =
            tokio::join!(handle.call(Msg::Ask), handle.call(Msg::Ask), async {
                go_on.notify_one();
            });
        assert_eq!(
            (first, second),
            (Err(CallError::Lost), Err(CallError::Lost))
        );
        handle.ready().await.expect("another run follows");
        handle.call(Msg::Ask).await.expect("it answers");
        // The message in hand is not one that nobody handled.
        assert_eq!(status(&running).messages_lost, 3);
        assert!(notes.take().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_killed_loses_what_waits_and_fails_the_calls() {
    for kind in KINDS {
        let notes = Notes::default();
        let (running, handle) = start(kind(&notes).stop_timeout(SECOND)).await;
        handle.cast(Msg::Hang).expect("room");
        handle.cast(Msg::Note(1)).expect("room");
        let (answer, report) = tokio::join!(handle.call(Msg::Ask), async {
            tokio::time::timeout(10 * SECOND, running.stop(5 * SECOND)).await
        });
        assert_eq!(answer, Err(CallError::Lost));
        assert!(!report.expect("it ends").is_clean());
        assert!(matches!(
            handle.cast(Msg::Note(2)),
            Err(CastError::Gone(Msg::Note(2)))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn depth_and_age_of_the_oldest_and_bound_can_be_read() {
    for kind in KINDS {
        let notes = Notes::default();
        let (running, handle) = start(kind(&notes).mailbox(3)).await;
        handle.cast(Msg::Hang).expect("room");
        tokio::task::yield_now().await;
        let empty = status(&running);
        assert_eq!((empty.mailbox_depth, empty.mailbox_oldest), (Some(0), None));
        for n in 0..3 {
            handle.cast(Msg::Note(n)).expect("room");
            tokio::time::advance(SECOND).await;
        }
        assert!(matches!(
            handle.cast(Msg::Panic),
            Err(CastError::Full(Msg::Panic))
        ));
        let full = status(&running);
        assert_eq!(full.mailbox_depth, Some(3));
        assert_eq!(full.mailbox_oldest, Some(3 * SECOND));
        assert_eq!(full.mailbox_capacity, Some(3));
        assert_eq!(full.messages_rejected, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_that_ended_is_gone_and_its_supervisor_keeps_its_counts() {
    for kind in KINDS {
        let notes = Notes::default();
        let pool = Supervisor::dynamic("pool");
        let to_pool = pool.handle();
        let tree = Supervisor::one_for_one("app").child(pool);
        let running = tree.start().await.expect("it starts");
        let child = kind(&notes).mailbox(2);
        let handle = child.handle();
        to_pool.start_child(child).await.expect("there is room");
        handle.cast(Msg::Panic).expect("room");
        handle.cast(Msg::Note(1)).expect("room");
        handle.cast(Msg::Note(2)).expect_err("it is full");
        while handle.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            handle.cast(Msg::Note(3)),
            Err(CastError::Gone(Msg::Note(3)))
        ));
        let pool = status(&running);
        assert!(pool.children.is_empty());
        assert_eq!((pool.messages_lost, pool.messages_rejected), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_never_ran_is_gone_when_its_declaration_is() {
    let notes = Notes::default();
    let child = worker(&notes);
    let handle = child.handle();
    drop(child);
    assert!(matches!(
        handle.send(Msg::Panic).await,
        Err(CastError::Gone(_))
    ));
    // Refused by its supervisor: the name is taken.
    let pool = Supervisor::dynamic("app");
    let to_pool = pool.handle();
    let _running = pool.start().await.expect("it starts");
    to_pool.start_child(worker(&notes)).await.expect("room");
    let second = worker(&notes);
    let handle = second.handle();
    to_pool.start_child(second).await.expect_err("same name");
    assert!(matches!(
        handle.send(Msg::Panic).await,
        Err(CastError::Gone(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_handle_taken_before_another_was_given_leads_nowhere() {
    let notes = Notes::default();
    let (first, given) = (worker(&notes), Handle::unbound());
    let stale = first.handle();
    let (_running, handle) = start(first.address(&given)).await;
    assert!(matches!(stale.cast(Msg::Panic), Err(CastError::Gone(_))));
    assert_eq!(given.call(Msg::Ask).await, Ok(42));
    assert_eq!(handle.call(Msg::Ask).await, Ok(42));
}

#[tokio::test(start_paused = true)]
async fn a_declared_child_that_was_removed_is_reached_again_when_its_supervisor_restarts() {
    for kind in KINDS {
        let notes = Notes::default();
        let child = kind(&notes).restart(Restart::Temporary);
        let handle = child.handle();
        let inner = Supervisor::one_for_one("inner").child(child);
        let tree = Supervisor::one_for_one("app").child(inner);
        let running = tree.start().await.expect("it starts");
        handle.cast(Msg::Note(1)).expect("it is up");
        handle.cast(Msg::Panic).expect("it is up");
        handle.cast(Msg::Note(2)).expect("it is up");
        while handle.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(status(&running).messages_lost, 1, "its supervisor has it");
        running.restart_child("/app/inner").await.expect("it can");
        assert_eq!(handle.call(Msg::Ask).await, Ok(42));
        let inner = status(&running);
        let lost = (inner.messages_lost, inner.children[0].messages_lost);
        assert_eq!(lost, (0, 1), "it has its own again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_drains_handles_what_waits_before_it_ends() {
    for kind in KINDS {
        let notes = Notes::default();
        let child = kind(&notes).stop(Stop::Drain).stop_timeout(10 * SECOND);
        let (running, handle) = start(child).await;
        for n in 1..=3 {
            handle.cast(Msg::Note(n)).expect("room");
        }
        let report = running.stop(10 * SECOND).await;
        assert!(report.is_clean(), "{report}");
        assert_eq!(notes.take(), [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_takes_too_long_becomes_a_stop() {
    for kind in KINDS {
        let notes = Notes::default();
        let child = kind(&notes).stop(Stop::Drain).stop_timeout(SECOND);
        let (running, handle) = start(child).await;
        for n in 1..=30 {
            handle.cast(Msg::Slow(n)).expect("room");
        }
        let report = running.stop(10 * SECOND).await;
        assert!(report.is_clean(), "{report}");
        // 100 ms each, and 100 ms are reserved for the stop.
        assert_eq!(notes.take().len(), 9);
    }
}

/// Notes who asks for the context where, and which run answers.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<Vec<Place>>>);

/// Where the code ran, and whose context it saw there.
type Place = (&'static str, Option<String>);

impl Places {
    fn see(&self, place: &'static str) {
        let context = Context::current().map(|cx| format!("{}#{}", cx.path(), cx.incarnation()));
        let mut places = self.0.lock().expect("no panic holds it");
        places.push((place, context));
    }

    fn seen(&self, place: &str) -> Vec<Option<String>> {
        let places = self.0.lock().expect("no panic holds it");
        let here = places.iter().filter(|(seen, _)| *seen == place);
        here.map(|(_, context)| context.clone()).collect()
    }
}

/// An actor, or what an actor holds, that notes its context wherever its code runs.
struct Curious(Places);

impl Drop for Curious {
    fn drop(&mut self) {
        self.0.see("drop");
    }
}

impl Actor for Curious {
    type Msg = u32;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u32>, (): ()) -> Result<(), ActorProcessingErr> {
        self.0.see("pre_start");
        Ok(())
    }

    async fn post_start(&self, _: ActorRef<u32>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        tokio::task::yield_now().await;
        self.0.see("post_start");
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<u32>,
        _: u32,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        tokio::task::yield_now().await;
        self.0.see("handle");
        let (below, task) = Bystander::spawn(None, Bystander, ()).await?;
        below.link(myself.get_cell());
        below.stop(None);
        Ok(task.await?)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<u32>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.0.see("handle_supervisor_evt");
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<u32>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.0.see("post_stop");
        Ok(())
    }
}

/// An actor below another, of no interest but for its end.
struct Bystander;

impl Actor for Bystander {
    type Msg = u32;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u32>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_may_ask_for_its_own_restart_and_wait_for_the_answer() {
    let (pool, asked) = (Supervisor::one_for_one("app"), Arc::new(Notify::new()));
    let (above, accepted) = (pool.handle(), Arc::clone(&asked));
    let child = Child::task("child", move |cx| {
        let (above, accepted) = (above.clone(), Arc::clone(&accepted));
        async move {
            if cx.incarnation() == 1 {
                tokio::task::yield_now().await;
                above.restart_child("child").await?;
                accepted.notify_one();
            }
            cx.shutdown().await;
            Ok(())
        }
    });
    let running = pool.child(child).start().await.expect("it starts");
    asked.notified().await;
    while status(&running).incarnation < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_current_context_is_known_in_every_hook_of_an_actor() {
    let places = Places::default();
    let child = Child::actor("curious", {
        let places = places.clone();
        move |_cx| {
            places.see("factory");
            (Curious(places.clone()), ())
        }
    });
    let handle = child.handle();
    let tree = Supervisor::one_for_one("app").child(child);
    let running = tree.start().await.expect("it starts");
    handle.cast(1).expect("it is up");
    while places.seen("handle_supervisor_evt").is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.stop(SECOND).await;
    let all = [
        "factory",
        "pre_start",
        "post_start",
        "handle",
        "handle_supervisor_evt",
        "post_stop",
        "drop",
    ];
    for place in all {
        let seen = places.seen(place);
        assert!(!seen.is_empty(), "{place} was not reached");
        for context in seen {
            assert_eq!(context.as_deref(), Some("/app/curious#1"), "in {place}");
        }
    }
    places.see("outside");
    assert_eq!(places.seen("outside"), [None]);
}

// On the real clock: a paused one runs ahead while a thread starts.
#[tokio::test]
async fn the_current_context_is_known_in_every_body_and_subtask() {
    let places = Places::default();
    let body = |places: &Places| {
        let places = places.clone();
        move |cx: Context| {
            let places = places.clone();
            async move {
                tokio::task::yield_now().await;
                let (subtask, done) = (places.clone(), Arc::new(Notify::new()));
                let finished = Arc::clone(&done);
                cx.spawn(async move {
                    tokio::task::yield_now().await;
                    subtask.see("subtask");
                    finished.notify_one();
                });
                done.notified().await;
                places.see("body");
                // By other means: it belongs to no run.
                tokio::spawn(async move { places.see("stranger") }).await?;
                Ok::<(), BoxError>(())
            }
        }
    };
    let (in_worker, in_thread) = (body(&places), places.clone());
    let tree = Supervisor::one_for_one("app")
        .child(Child::step("a", body(&places)))
        .child(Child::task("b", body(&places)).restart(Restart::Transient))
        .child(
            Child::worker("c", move |cx, _inbox: Inbox<u32>| in_worker(cx))
                .restart(Restart::Transient),
        )
        .child(
            Child::blocking("d", move |_cx| {
                in_thread.see("thread");
                Ok(())
            })
            .restart(Restart::Transient),
        );
    let running = tree.start().await.expect("it starts");
    while places.seen("stranger").len() < 3 || places.seen("thread").is_empty() {
        tokio::task::yield_now().await;
    }
    running.stop(SECOND).await;
    for place in ["body", "subtask"] {
        let mut seen = places.seen(place);
        seen.sort();
        assert_eq!(
            seen,
            ["/app/a#1", "/app/b#1", "/app/c#1"].map(|at| Some(at.to_owned()))
        );
    }
    assert_eq!(places.seen("thread"), [Some("/app/d#1".to_owned())]);
    assert_eq!(places.seen("stranger"), [None, None, None]);
}

/// What the senders and the child of a storm count.
#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    returned: AtomicU64,
    handled: AtomicU64,
    /// How many arrived after one that their sender had sent later.
    overtaken: AtomicU64,
}

const SENDERS: usize = 4;

/// What a child of a storm is sent: which sender, and its how manieth.
type Numbered = (usize, u64);

/// Counts a message, and panics at every hundredth.
fn handle_in_storm(counts: &Counts, last: &Mutex<[u64; SENDERS]>, (sender, n): Numbered) {
    let before = std::mem::replace(&mut last.lock().expect("no panic holds it")[sender], n);
    counts
        .overtaken
        .fetch_add(u64::from(before >= n), Ordering::Relaxed);
    let handled = counts.handled.fetch_add(1, Ordering::Relaxed);
    assert!(
        handled % 100 != 99,
        "every hundredth message is one too many"
    );
}

struct Stormy(Arc<Counts>, Arc<Mutex<[u64; SENDERS]>>);

impl Actor for Stormy {
    type Msg = Numbered;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Numbered>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Numbered>,
        message: Numbered,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        handle_in_storm(&self.0, &self.1, message);
        Ok(())
    }
}

fn stormy_actor(counts: &Arc<Counts>) -> Child<Numbered> {
    let (counts, last) = (Arc::clone(counts), Arc::default());
    Child::actor("child", move |_cx| {
        (Stormy(Arc::clone(&counts), Arc::clone(&last)), ())
    })
}

fn stormy_worker(counts: &Arc<Counts>) -> Child<Numbered> {
    let (counts, last) = (Arc::clone(counts), Arc::<Mutex<_>>::default());
    Child::worker("child", move |_cx, mut inbox: Inbox<Numbered>| {
        let (counts, last) = (Arc::clone(&counts), Arc::clone(&last));
        async move {
            while let Some(message) = inbox.recv().await {
                handle_in_storm(&counts, &last, message);
            }
            Ok(())
        }
    })
}

/// Sends from a thread of its own, by a cast or, every fourth time, by a send that waits.
fn send_in_storm(
    sender: usize,
    handle: &Handle<Numbered>,
    counts: &Counts,
    runtime: &tokio::runtime::Handle,
) {
    for n in 1..=5_000 {
        counts.sent.fetch_add(1, Ordering::Relaxed);
        let accepted = match n % 4 {
            0 => runtime.block_on(handle.send_timeout((sender, n), Duration::from_millis(2))),
            _ => handle.cast((sender, n)),
        };
        if let Err(refused) = accepted {
            assert_eq!(refused.message(), &(sender, n));
            counts.returned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

type Declare = fn(&Arc<Counts>) -> Child<Numbered>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_every_message_is_handled_or_lost_or_comes_back() {
    let kinds: [Declare; 2] = [stormy_actor, stormy_worker];
    for (kind, while_down) in kinds
        .into_iter()
        .flat_map(|kind| [WhileDown::Reject, WhileDown::Hold(16)].map(|hold| (kind, hold)))
    {
        let counts = Arc::<Counts>::default();
        let child = kind(&counts)
            .mailbox(64)
            .backoff(Backoff::fixed(Duration::from_micros(100)))
            .while_down(while_down);
        let handle = child.handle();
        let tree = Supervisor::one_for_one("app")
            .intensity(u32::MAX, SECOND)
            .child(child);
        let running = tree.start().await.expect("it starts");
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (handle, counts) = (handle.clone(), Arc::clone(&counts));
                let runtime = tokio::runtime::Handle::current();
                std::thread::spawn(move || send_in_storm(sender, &handle, &counts, &runtime))
            })
            .collect();
        let joined = tokio::task::spawn_blocking(|| {
            senders
                .into_iter()
                .for_each(|sender| sender.join().expect("no panic"));
        });
        joined.await.expect("no panic");
        // Nothing is sent any more; what still waits is worked off, over as many runs as it takes.
        while status(&running).mailbox_depth != Some(0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        running.shutdown(ShutdownReason::Requested, SECOND);
        running.wait().await;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let status = status(&running);
        assert_eq!(
            of(&counts.sent),
            of(&counts.handled) + status.messages_lost + of(&counts.returned),
        );
        assert_eq!(of(&counts.returned), status.messages_rejected);
        assert_eq!(
            of(&counts.overtaken),
            0,
            "one sender's messages keep their order"
        );
        assert!(status.restart_count() > 10 && status.messages_lost > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_handled_is_counted_across_runs_and_a_sample_of_it_timed() {
    for kind in KINDS {
        let notes = Notes::default();
        let (running, handle) = start(kind(&notes).backoff(Backoff::none())).await;
        for number in 0..128 {
            handle.send(Msg::Note(number)).await.expect("it is up");
        }
        while status(&running).messages_handled < 128 {
            tokio::task::yield_now().await;
        }
        let durations = || status(&running).handler_durations.expect("some were timed");
        // A worker has taken a while for its message when it asks for the next.
        while durations().counts.iter().sum::<u64>() < 2 {
            tokio::task::yield_now().await;
            if status(&running).kind == Kind::Worker {
                handle.send(Msg::Note(0)).await.expect("it is up");
            }
        }
        let before = status(&running).messages_handled;
        down(&running, &handle).await;
        assert!(
            status(&running).messages_handled > before,
            "the panic was one"
        );
    }
}
