//! Claims on one run without a supervisor: how it drains, and what it leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Child;
use super::launch::{End, Launch, Launched};
use crate::context::{Above, Context, Identity, News, Run};
use crate::exit::Exit;
use crate::handle::inbox::Inbox;
use crate::handle::{CastError, Handle};
use crate::path::Path;
use crate::policy::while_down::WhileDown;
use crate::shutdown::EarlyNotice;
use crate::sync::{Mutex, lock};
use crate::{Actor, ActorProcessingErr, ActorRef};

type Trace = Arc<Mutex<Vec<String>>>;

/// A child with one run.
struct Launching {
    leaf: Arc<dyn Launch>,
    run: Arc<Run>,
    /// What it tells its supervisor, which hears it at once.
    heard: mpsc::Receiver<News>,
    launched: Launched,
}

impl Launching {
    fn of<M: Send + 'static>(child: Child<M>) -> Self {
        let leaf = Arc::new(child.into_declared().launch);
        let identity = Identity {
            path: Path::root("app").join("child"),
            key: 0,
            incarnation: 1,
        };
        let above = Above::new(&EarlyNotice::default(), None);
        let run = Run::new(identity, &above);
        let launched = leaf.launch(&run).expect("it launches");
        let (told, heard) = mpsc::channel(8);
        tokio::spawn(
            async move { while told.send(above.notices().next().await.news).await.is_ok() {} },
        );
        Self {
            leaf,
            run,
            heard,
            launched,
        }
    }

    fn drain(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        self.run.stop().drain(deadline, deadline);
        let control = self.launched.control.as_ref();
        control.expect("it has a mailbox").drain();
    }

    fn stop(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        self.run.stop().request(deadline, deadline);
        let control = self.launched.control.as_ref();
        control.expect("it has a mailbox").stop();
    }

    /// Waits for the end; returns how it ended, and how many messages wait and were lost.
    async fn end(mut self) -> (Exit, usize, u64) {
        match self.launched.end {
            End::Task(task) => drop(task.await),
            _ => while self.heard.recv().await != Some(News::Over) {},
        }
        let reading = self.leaf.address().expect("it has a mailbox").read();
        (self.run.exit(), reading.depth, reading.lost)
    }
}

struct Slow(Trace);

impl Actor for Slow {
    type Msg = u32;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u32>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<u32>,
        message: u32,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        lock(&self.0).push(message.to_string());
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<u32>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let cx = Context::current().expect("a hook of a child");
        let told = if cx.is_stopping() { "told" } else { "not told" };
        lock(&self.0).push(told.to_owned());
        Ok(())
    }
}

fn slow_actor(trace: &Trace) -> Child<u32> {
    let trace = Arc::clone(trace);
    Child::actor("child", move |_cx| (Slow(Arc::clone(&trace)), ()))
}

fn slow_worker(trace: &Trace) -> Child<u32> {
    let trace = Arc::clone(trace);
    Child::worker("child", move |cx, mut inbox: Inbox<u32>| {
        let trace = Arc::clone(&trace);
        async move {
            while let Some(message) = inbox.recv().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
                lock(&trace).push(message.to_string());
            }
            let told = if cx.is_stopping() { "told" } else { "not told" };
            lock(&trace).push(told.to_owned());
            Ok(())
        }
    })
}

/// Starts a child, sends it three messages and lets it begin with the first.
async fn with_three_messages(child: Child<u32>) -> (Launching, Handle<u32>) {
    let handle = child.handle();
    let mut launching = Launching::of(child.while_down(WhileDown::Hold(8)));
    assert_eq!(launching.heard.recv().await, Some(News::Started));
    for n in 1..=3 {
        handle.cast(n).expect("it is up");
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    (launching, handle)
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_was_accepted_and_lets_nothing_in() {
    for child in [slow_actor, slow_worker] {
        let trace = Trace::default();
        let (launching, handle) = with_three_messages(child(&trace)).await;
        launching.drain();
        // Not held either: admission is closed, the child is not down.
        assert!(matches!(handle.cast(4), Err(CastError::Down(4))));
        assert_eq!(launching.end().await, (Exit::Shutdown, 0, 0));
        assert_eq!(*lock(&trace), ["1", "2", "3", "told"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_a_drain_short_after_the_message_in_hand() {
    for child in [slow_actor, slow_worker] {
        let trace = Trace::default();
        let (launching, _handle) = with_three_messages(child(&trace)).await;
        launching.drain();
        launching.stop();
        assert_eq!(launching.end().await, (Exit::Shutdown, 0, 2));
        assert_eq!(*lock(&trace), ["1", "told"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_loses_all_but_the_message_in_hand() {
    for child in [slow_actor, slow_worker] {
        let trace = Trace::default();
        let (launching, handle) = with_three_messages(child(&trace)).await;
        launching.run.kill();
        // The route is down from the kill on: this one is for the next run.
        handle.cast(4).expect("it is held");
        assert_eq!(launching.end().await, (Exit::Killed, 1, 2));
        assert!(lock(&trace).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_while_it_starts_leaves_what_is_held_to_the_next_run() {
    for child in [slow_actor, slow_worker] {
        let trace = Trace::default();
        let child = child(&trace).while_down(WhileDown::Hold(8));
        child.handle().cast(1).expect("it is held");
        let launching = Launching::of(child);
        launching.drain();
        assert_eq!(launching.end().await, (Exit::Shutdown, 1, 0));
        assert_eq!(*lock(&trace), ["told"]);
    }
}

#[test]
fn a_child_is_watched_unless_its_time_is_none_or_endless() {
    let second = Duration::from_secs(1);
    for (after, expected) in [
        (second, Some(second)),
        (Duration::ZERO, None),
        (Duration::MAX, None),
    ] {
        let child = Child::task("child", |_cx| std::future::pending()).stuck_after(after);
        assert_eq!(child.specification.treatment.stuck_after, expected);
    }
}
