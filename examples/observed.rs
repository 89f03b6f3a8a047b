//! A daemon to look at: some of everything that probes, metrics and the page can show.
//!
//! It does no work. What is typed on its stdin happens to it, a word a line: `crash`, `group`, `melt`,
//! `degrade`, `fail`, `well`, `spawn 100`, `flood`, `bus 100000`, `rest 10`, `count`, `hang`, `block 15`,
//! `stick 10`.
//! Look at <http://127.0.0.1:9600/> meanwhile. The tests of `.ci/operations` drive it so.
#![allow(clippy::print_stderr, reason = "an example talks to whoever runs it")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use perennial::health::{Health, HealthCheck};
use perennial::{
    Backoff, BoxError, Bus, Child, Context, Daemon, Handle, Inbox, ReceiveError, Restart,
    Supervisor, SupervisorHandle, WhileDown,
};
use tokio::runtime;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

/// What the commands reach.
#[derive(Clone)]
struct Strings {
    crash: Arc<Notify>,
    group: Arc<Notify>,
    melt: Arc<AtomicBool>,
    hang: Arc<AtomicBool>,
    health: Arc<Mutex<Health>>,
    store: Handle<u64>,
    connections: SupervisorHandle,
    root: SupervisorHandle,
    sticky: Handle<Duration>,
    bus: Bus<u64>,
    rate: Arc<AtomicU64>,
    /// For how many milliseconds it rests between two bursts; tokio makes one or two more of it.
    rest: Arc<AtomicU64>,
    bursts: Arc<AtomicU64>,
}

fn main() -> ExitCode {
    Daemon::new("observed")
        .config::<perennial::config::NoConfig>()
        .tree(tree())
        .run()
}

fn tree() -> Supervisor {
    let store = Child::worker("store", store)
        .mailbox(1_000)
        .while_down(WhileDown::Hold(100));
    let connections = Supervisor::dynamic("connections").max_children(20_000);
    let root = Supervisor::one_for_one("observed");
    let sticky = Child::worker("sticky", sticky).stuck_after(Duration::from_secs(2));
    let sticky = sticky.stable_after(Duration::from_secs(3));
    let strings = Strings {
        crash: Arc::default(),
        group: Arc::default(),
        melt: Arc::default(),
        hang: Arc::default(),
        health: Arc::default(),
        store: store.handle(),
        connections: connections.handle(),
        root: root.handle(),
        sticky: sticky.handle(),
        bus: Bus::new(4_096),
        rate: Arc::default(),
        rest: Arc::new(AtomicU64::new(5)),
        bursts: Arc::default(),
    };
    let with = || strings.clone();
    let pipeline = Supervisor::rest_for_one("pipeline")
        .intensity(4, Duration::from_secs(60))
        .child(store)
        .child(Child::task_with("ingest", with(), ingest))
        .child(Child::task_with("index", with(), |cx, of| {
            until(cx, of.group)
        }));
    let melting = Supervisor::one_for_one("melting")
        .intensity(2, Duration::from_secs(60))
        .backoff(Backoff::none())
        .child(Child::task_with("metal", with(), metal));
    let database = Child::task_with("database", with(), database).health_check(
        HealthCheck::new(|| async { Ok::<(), BoxError>(()) }).interval(Duration::from_secs(1)),
    );
    let crash = Child::task_with("crash", with(), |cx, of| until(cx, of.crash));
    let crash = crash.backoff(Backoff::fixed(Duration::from_secs(2)));
    let stubborn = Child::blocking_with("stubborn", with(), stubborn);
    root.child(pipeline)
        .child(database)
        .child(crash)
        .child(Child::task("replica-a", idle).one_of("replicas"))
        .child(Child::task("replica-b", idle).one_of("replicas"))
        .child(melting)
        .child(sticky.unready_until_stable())
        .child(connections)
        .child(stubborn.optional().stop_timeout(Duration::from_millis(200)))
        .child(Child::task("slow", slow))
        .child(Child::task_with("publisher", with(), publisher).optional())
        .child(Child::task_with("console", with(), console).optional())
        .child(crowd())
}

/// As many idle workers as the variable `OBSERVED_CROWD` says, each with series of its own.
fn crowd() -> Supervisor {
    let size = std::env::var("OBSERVED_CROWD").ok();
    let size: u32 = size.and_then(|size| size.parse().ok()).unwrap_or(0);
    (0..size).fold(
        Supervisor::one_for_one("crowd").optional(),
        |crowd, number| crowd.child(Child::worker(number.to_string(), store)),
    )
}

async fn store(_cx: Context, mut inbox: Inbox<u64>) -> Result<(), BoxError> {
    while inbox.recv().await.is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Takes as long for a message as that says.
async fn sticky(_cx: Context, mut inbox: Inbox<Duration>) -> Result<(), BoxError> {
    while let Some(time) = inbox.recv().await {
        tokio::time::sleep(time).await;
    }
    Ok(())
}

async fn ingest(cx: Context, of: Strings) -> Result<(), BoxError> {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            _tick = ticks.tick() => drop(of.store.cast(0)),
            _by = cx.shutdown() => return Ok(()),
        }
    }
}

/// Fails when it is told to.
async fn until(cx: Context, told: Arc<Notify>) -> Result<(), BoxError> {
    tokio::select! {
        () = told.notified() => Err("it was told to".into()),
        _by = cx.shutdown() => Ok(()),
    }
}

async fn metal(cx: Context, of: Strings) -> Result<(), BoxError> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            _by = cx.shutdown() => return Ok(()),
        }
        // Three times make a meltdown; the run after that is calm.
        if of.melt.load(Ordering::Relaxed) {
            if cx.incarnation().is_multiple_of(3) {
                of.melt.store(false, Ordering::Relaxed);
            }
            return Err("too hot".into());
        }
    }
}

async fn database(cx: Context, of: Strings) -> Result<(), BoxError> {
    loop {
        cx.health().set(of.health.lock().await.clone());
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            _by = cx.shutdown() => return Ok(()),
        }
    }
}

async fn idle(cx: Context) -> Result<(), BoxError> {
    cx.shutdown().await;
    Ok(())
}

/// Takes a while to stop, so that the end can be watched.
async fn slow(cx: Context) -> Result<(), BoxError> {
    cx.shutdown().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(())
}

/// Does not stop once it was told to hang.
fn stubborn(cx: Context, of: Strings) -> Result<(), BoxError> {
    while !cx.wait_for_shutdown(Duration::from_millis(50)) || of.hang.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Ok(())
}

/// Publishes as many numbers a second as was asked for, in bursts.
async fn publisher(cx: Context, of: Strings) -> Result<(), BoxError> {
    let readers: Vec<_> = (0..2)
        .map(|number| of.bus.subscribe(format!("reader-{number}")))
        .collect();
    for mut reader in readers {
        cx.spawn(async move {
            let mut batch = Vec::new();
            // Goes on after a loss: without readers there is nothing to look at.
            while !matches!(
                reader.recv_many(&mut batch, 1_024).await,
                Err(ReceiveError::Closed)
            ) {
                batch.clear();
            }
        });
    }
    let mut published = 0;
    let mut due = 0.0;
    let (mut last, mut last_rate) = (Instant::now(), 0);
    let pause = || match of.rate.load(Ordering::Relaxed) {
        0 => Duration::from_millis(50),
        _ => Duration::from_millis(of.rest.load(Ordering::Relaxed)),
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause()) => {}
            _by = cx.shutdown() => return Ok(()),
        }
        let now = Instant::now();
        let rate = of.rate.load(Ordering::Relaxed);
        // Nothing is due for the time that it has rested.
        due += rate.min(last_rate) as f64 * (now - last).as_secs_f64();
        (last, last_rate) = (now, rate);
        // What was not published for so long is not made up for.
        due = due.min(rate as f64);
        of.bursts
            .fetch_add(u64::from(due >= 1.0), Ordering::Relaxed);
        while due >= 1.0 {
            of.bus.publish(published);
            published += 1;
            due -= 1.0;
        }
    }
}

/// Hears commands on a thread of its own, which nobody waits for: a read of stdin can't be ended.
async fn console(cx: Context, of: Strings) -> Result<(), BoxError> {
    static HEARS: Once = Once::new();
    let runtime = runtime::Handle::current();
    HEARS.call_once(|| {
        drop(std::thread::spawn(move || {
            if let Err(error) = commands(&runtime, &of) {
                eprintln!("{error}");
            }
        }));
    });
    idle(cx).await
}

fn commands(runtime: &runtime::Handle, of: &Strings) -> Result<(), BoxError> {
    for line in std::io::stdin().lines() {
        let line = line?;
        let (word, number) = line.split_once(' ').unwrap_or((&line, "1"));
        let health = |health| *of.health.blocking_lock() = health;
        match word {
            "crash" => of.crash.notify_one(),
            "group" => of.group.notify_one(),
            "melt" => of.melt.store(true, Ordering::Relaxed),
            "degrade" => health(Health::Degraded("slower than it should be".into())),
            "fail" => health(Health::Failed("it does not answer".into())),
            "well" => health(Health::Ok),
            "bus" => of.rate.store(number.parse()?, Ordering::Relaxed),
            "rest" => of
                .rest
                .store(number.parse::<u64>()?.max(1), Ordering::Relaxed),
            "count" => {
                let bus = of.bus.statistics();
                let received: u64 = bus.subscribers.iter().map(|reader| reader.received).sum();
                let (published, lost) = (bus.published, bus.lost);
                let bursts = of.bursts.load(Ordering::Relaxed);
                eprintln!(
                    "bursts {bursts}, published {published}, received {received}, lost {lost}."
                );
            }
            "flood" => (0..2_000).for_each(|number| drop(of.store.cast(number))),
            "spawn" => runtime.block_on(spawn(&of.connections, number.parse()?)),
            "hang" => {
                of.hang.store(true, Ordering::Relaxed);
                runtime.block_on(async { drop(of.root.stop_child("stubborn").await) });
            }
            "stick" => drop(of.sticky.cast(Duration::from_secs(number.parse()?))),
            "block" => block(runtime, Duration::from_secs(number.parse()?)),
            other => eprintln!("{other} is no command"),
        }
    }
    Ok(())
}

/// Blocks every thread of the runtime for a while.
fn block(runtime: &runtime::Handle, time: Duration) {
    let until = Instant::now() + time;
    for _ in 0..runtime.metrics().num_workers() {
        drop(runtime.spawn(async move {
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(left);
            }
        }));
    }
}

async fn spawn(connections: &SupervisorHandle, count: u32) {
    for _ in 0..count {
        let child = Child::worker("", store).restart(Restart::Temporary);
        if let Err(error) = connections.start_child(child).await {
            eprintln!("{error}");
            return;
        }
    }
}
