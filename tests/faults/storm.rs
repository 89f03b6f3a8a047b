//! A child that blocks its thread in the middle of a storm of crashes, and a supervisor that panics over
//! children that end: on the real clock and on several threads, because it is about who runs where.

use std::sync::Arc;
use std::time::Duration;

use perennial::command::CommandError;
use perennial::testkit::{Fault, inject};
use perennial::{Actor, ActorProcessingErr, ActorRef, Backoff, Child, Supervisor};
use tokio::runtime::Builder;

use crate::gate::Gate;
use crate::watch::{Watch, within};

const CHILDREN: usize = 1_000;

/// A supervisor that waited for the blocked child was seen in one round of five.
const ROUNDS: usize = 12;

/// Crashes when it is told to; one of them blocks its thread as soon as it is back.
struct Crasher(Option<Arc<Gate>>);

impl Actor for Crasher {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_start(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        if let Some(gate) = &self.0 {
            gate.on.set();
            gate.block();
        }
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        Err("on purpose".into())
    }
}

/// Lets go whatever is blocked, however the test ends: a blocked thread would keep the runtime.
struct Release(Arc<Gate>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.release();
    }
}

async fn storm(round: usize) {
    let gate = Arc::new(Gate::new());
    let _release = Release(Arc::clone(&gate));
    let blocks = round * 37 % CHILDREN;
    let mut tree = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(1_000_000, Duration::from_secs(1));
    let mut handles = Vec::new();
    for number in 0..CHILDREN {
        let gate = (number == blocks).then(|| Arc::clone(&gate));
        let child = Child::actor(number.to_string(), move |cx| {
            let gate = gate.as_ref().filter(|_| cx.incarnation() > 1);
            (Crasher(gate.cloned()), ())
        });
        handles.push(child.handle());
        tree = tree.child(child);
    }
    let running = tree.start().await.expect("it starts");
    for handle in &handles {
        handle.cast(()).expect("it is up");
    }
    within("the blocked thread", gate.on.wait())
        .await
        .expect("it came back");
    let answer = within("an answer", running.stop_child("/app/nobody")).await;
    assert!(
        matches!(answer, Ok(Err(CommandError::NotFound { .. }))),
        "round {round}: {answer:?}"
    );
    gate.release();
    running.stop(Duration::from_secs(10)).await;
}

#[test]
fn a_child_that_blocks_its_thread_in_a_storm_of_crashes_does_not_hold_up_its_supervisor() {
    for round in 0..ROUNDS {
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(storm(round));
    }
}

#[tokio::test]
async fn a_supervisor_that_panics_over_children_that_end_leaves_nothing_hung() {
    let below = Supervisor::dynamic("below");
    let handle = below.handle();
    let tree = Supervisor::one_for_one("app").child(below);
    let running = tree.start().await.expect("it starts");
    for name in ["a", "b", "c"] {
        let child = Child::task(name, |cx| async move {
            cx.shutdown().await;
            Ok(())
        });
        handle.start_child(child).await.expect("there is room");
    }
    let mut watch = Watch::new(&running, "/app/below");
    inject(&running, "/app/below", Fault::Panic).expect("it runs");
    let expected = ["exited: panicked", "starting", "started", "restarted"].map(str::to_owned);
    watch
        .until(&expected)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(watch.seen, expected);
    running.stop(Duration::from_secs(10)).await;
}
