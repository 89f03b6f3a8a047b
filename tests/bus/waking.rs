//! Claims on who is woken, by whom, and how often.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use perennial::bus::{Bus, Start};
use perennial::{ReceiveError, Subscriber};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

/// Enough for everything here on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once, in vain.
fn wait<T: Clone>(subscriber: &mut Subscriber<T>, woken: &Arc<Woken>) {
    let waker = Waker::from(Arc::clone(woken));
    let mut waits = pin!(subscriber.recv());
    assert!(
        waits
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
}

fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Receives until the bus closes, and counts.
async fn count(mut subscriber: Subscriber<u64>) -> u64 {
    let mut received = 0;
    while subscriber.recv().await.is_ok() {
        received += 1;
    }
    received
}

/// Publishes now and then, so that everybody falls asleep in between.
async fn publish_slowly(bus: Bus<u64>) {
    for value in 0..50 {
        bus.publish(value);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn the_publisher_wakes_the_relay_and_nobody_else() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let bus = Bus::new(8);
    let mut waiting: Vec<_> = (0..8).map(|_| bus.subscribe("waiting")).collect();
    let woken = Arc::new(Woken::default());
    runtime.block_on(async {
        waiting.iter_mut().for_each(|one| wait(one, &woken));
        // The relay gets its first turn.
        tokio::task::yield_now().await;
        bus.publish(1);
        assert_eq!(woken.times(), 0);
        tokio::task::yield_now().await;
        assert_eq!(woken.times(), 8);
    });
}

#[test]
fn a_single_subscriber_is_woken_by_the_publisher() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let bus = Bus::new(8);
    let mut only = bus.subscribe("only");
    let woken = Arc::new(Woken::default());
    let _inside = runtime.enter();
    wait(&mut only, &woken);
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    bus.publish(1);
    assert_eq!(woken.times(), 1);
}

#[test]
fn outside_a_runtime_the_publisher_wakes_everybody() {
    let bus = Bus::new(8);
    let mut waiting: Vec<_> = (0..8).map(|_| bus.subscribe("waiting")).collect();
    let woken = Arc::new(Woken::default());
    waiting.iter_mut().for_each(|one| wait(one, &woken));
    bus.publish(1);
    assert_eq!(woken.times(), 8);
    bus.publish(2);
    assert_eq!(woken.times(), 8);
}

#[test]
fn a_runtime_that_went_down_holds_up_nobody() {
    let bus = Bus::new(8);
    let mut waiting: Vec<_> = (0..4).map(|_| bus.subscribe("waiting")).collect();
    let woken = Arc::new(Woken::default());
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { waiting.iter_mut().for_each(|one| wait(one, &woken)) });
    // The relay is called, and has no turn any more.
    bus.publish(1);
    assert_eq!(woken.times(), 0);
    drop(runtime);
    assert_eq!(woken.times(), 4);
    for one in &mut waiting {
        assert_eq!(one.try_recv(), Ok(Some(1)));
        wait(one, &woken);
    }
    bus.publish(2);
    assert_eq!(woken.times(), 8);
}

#[test]
fn a_blocked_runtime_holds_up_no_other() {
    let bus = Bus::new(64);
    let blocked = Builder::new_current_thread().build().expect("a runtime");
    let mut there: Vec<_> = (0..2).map(|_| bus.subscribe("there")).collect();
    let woken = Arc::new(Woken::default());
    // Nobody runs this runtime after this line.
    blocked.block_on(async { there.iter_mut().for_each(|one| wait(one, &woken)) });
    let runtime = multi_thread();
    let here = [0; 4].map(|_| runtime.spawn(count(bus.subscribe("here"))));
    let mut thread = bus.subscribe("thread");
    let thread = thread::spawn(move || {
        let mut received = 0;
        while thread.recv_blocking().is_ok() {
            received += 1;
        }
        received
    });
    runtime.block_on(async {
        timeout(PATIENCE, publish_slowly(bus))
            .await
            .expect("nothing blocks it");
        for one in here {
            let received = timeout(PATIENCE, one).await.expect("it is woken");
            assert_eq!(received.expect("it ends"), 50);
        }
    });
    assert_eq!(thread.join().expect("it ends"), 50);
    assert_eq!(woken.times(), 2);
}

#[test]
fn a_publisher_may_stand_anywhere() {
    let runtime = multi_thread();
    let bus = Bus::new(1_000);
    let tasks = [0; 8].map(|_| runtime.spawn(count(bus.subscribe("task"))));
    let other = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    other.block_on(publish_slowly(bus.clone()));
    runtime
        .block_on(runtime.spawn(publish_slowly(bus.clone())))
        .expect("publishes");
    for value in 0..100 {
        bus.publish(value);
    }
    drop(bus);
    runtime.block_on(async {
        for task in tasks {
            let received = timeout(PATIENCE, task).await.expect("it is woken");
            assert_eq!(received.expect("it ends"), 200);
        }
    });
}

#[tokio::test]
async fn the_relay_ends_with_the_last_but_one_subscriber() {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let bus = Bus::<u64>::new(8);
    let woken = Arc::new(Woken::default());
    let mut waiting: Vec<_> = (0..3).map(|_| bus.subscribe("waiting")).collect();
    waiting.iter_mut().for_each(|one| wait(one, &woken));
    assert_eq!(alive(), before + 1);
    waiting.truncate(1);
    while alive() > before {
        tokio::task::yield_now().await;
    }
    bus.publish(1);
    assert_eq!(woken.times(), 1);
}

#[tokio::test]
async fn a_filter_is_asked_before_the_subscriber_is_woken() {
    let bus = Bus::new(8);
    let woken = Arc::new(Woken::default());
    let even = |value: &u64| value.is_multiple_of(2);
    let mut only: Vec<_> = (0..2)
        .map(|_| bus.subscribe_where("even", Start::Next, even))
        .collect();
    only.iter_mut().for_each(|one| wait(one, &woken));
    // Far more than the capacity: a subscriber that sleeps does not lag behind what it does not want.
    for value in 0..100 {
        bus.publish(value * 2 + 1);
        tokio::task::yield_now().await;
    }
    assert_eq!(woken.times(), 0);
    bus.publish(8);
    while woken.times() < 2 {
        tokio::task::yield_now().await;
    }
    for one in &mut only {
        assert_eq!(one.try_recv(), Ok(Some(8)));
    }
    let counted = bus.statistics();
    let sums: Vec<_> = counted
        .subscribers
        .iter()
        .map(|one| (one.received, one.lagged, one.depth))
        .collect();
    assert_eq!(sums, [(1, 0, 0), (1, 0, 0)]);
}

#[tokio::test]
async fn a_future_that_is_dropped_loses_nothing() {
    let bus = Bus::new(8);
    let woken = Arc::new(Woken::default());
    let mut reader = bus.subscribe("reader");
    let mut picky = bus.subscribe_where("picky", Start::Next, |value: &u64| *value > 1);
    wait(&mut reader, &woken);
    wait(&mut picky, &woken);
    bus.publish(1);
    bus.publish(2);
    assert_eq!(reader.recv().await, Ok(1));
    assert_eq!(reader.recv().await, Ok(2));
    assert_eq!(picky.recv().await, Ok(2));
}

#[tokio::test]
async fn a_task_that_never_runs_out_of_values_lets_others_run() {
    let bus = Bus::new(1);
    let mut reader = bus.subscribe("reader");
    let others = tokio::spawn(async {});
    let turns = async {
        loop {
            bus.publish(1_u64);
            assert_eq!(reader.recv().await, Ok(1));
        }
    };
    tokio::select! {
        biased;
        ended = others => ended.expect("it gets its turn"),
        () = turns => {}
    }
}

#[tokio::test]
async fn closing_wakes_everybody() {
    let bus = Bus::<u64>::new(8);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut reader = bus.subscribe("reader");
        tasks.push(tokio::spawn(async move { reader.recv().await }));
    }
    tokio::task::yield_now().await;
    drop(bus);
    for task in tasks {
        let ended = timeout(PATIENCE, task).await.expect("it is woken");
        assert_eq!(ended.expect("no panic"), Err(ReceiveError::Closed));
    }
}
