//! Random trees under the paused clock: the invariants hold, and no shutdown is late.
//!
//! One property: a random tree lives for a while with children that misbehave in random ways, while
//! random things are asked of it from outside and from inside; then it is shut down. What must be
//! true of it is in `replay` and `order` (the events), `compare` (snapshots), `limits` (windows), `ending` (the report) and
//! `commands` (the answers).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod commands;
mod compare;
mod ending;
mod grow;
mod leaf;
mod limits;
mod order;
mod print;
mod replay;
mod shape;
mod world;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use perennial::exit::Exit;
use perennial::{ReceiveError, StartError, StopReport, Subscriber, SubsystemEvent};
use proptest::prelude::{ProptestConfig, proptest};
use proptest::test_runner::{RngSeed, TestCaseError};
use tokio::time::{Instant, sleep_until, timeout};

use crate::grow::millis;
use crate::leaf::ON_PURPOSE;
use crate::replay::Replay;
use crate::shape::Case;
use crate::world::{Mark, World};

/// How many random trees: more in the long run.
fn cases() -> u32 {
    if std::env::var_os("PERENNIAL_LONG").is_some() {
        10_000
    } else {
        1_000
    }
}

/// Tells whether a panic was declared: its payload is a literal, or a text that was put together.
fn is_on_purpose(payload: &dyn Any) -> bool {
    payload.downcast_ref::<&str>() == Some(&ON_PURPOSE)
        || payload
            .downcast_ref::<String>()
            .is_some_and(|text| text == ON_PURPOSE)
}

/// Keeps panics that were declared out of the output.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !is_on_purpose(info.payload()) {
                previous(info);
            }
        }));
    });
}

/// Takes all events that wait.
fn drain(events: &mut Subscriber<SubsystemEvent>, replay: &mut Replay<'_>) {
    while let Ok(Some(event)) = events.try_recv() {
        replay.see(event);
    }
}

/// Replays what happens until an instant.
async fn watch_until(
    at: Instant,
    events: &mut Subscriber<SubsystemEvent>,
    replay: &mut Replay<'_>,
) {
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Ok(event) => replay.see(event),
                Err(ReceiveError::Closed) => return sleep_until(at).await,
                Err(lagged) => panic!("the test can't keep up: {lagged}"),
            },
            () = sleep_until(at) => return,
        }
    }
}

/// Checks a start that failed: everything that had started was stopped again.
fn check_failed_start(error: &StartError, world: &World) -> Vec<String> {
    let mut broken = world.seen().broken.clone();
    let is_declared =
        |exit: &Exit| *exit == Exit::StartTimedOut || exit.to_string().contains(ON_PURPOSE);
    if !matches!(error, StartError::Failed { exit, .. } if is_declared(exit)) {
        broken.push(format!("it did not start: {error}"));
    }
    broken.extend(check_first_starts(world));
    broken.extend(ending::check_nothing_left(world, &[]));
    broken
}

/// The first runs of what is declared began in the order of the declaration, each one when all
/// before it were up.
fn check_first_starts(world: &World) -> Option<String> {
    let seen = world.seen();
    let is_first = |(_, path, incarnation): &&(Mark, String, u64)| {
        *incarnation == 1 && !ancestors(path).any(|above| seen.specs[above].is_added)
    };
    let firsts: Vec<_> = seen.starts.iter().filter(is_first).collect();
    let begun: Vec<_> = firsts
        .iter()
        .filter(|(mark, ..)| *mark == Mark::Begins)
        .map(|(_, path, _)| path)
        .collect();
    let mut sorted = begun.clone();
    sorted.sort();
    let is_one_by_one = firsts.chunks(2).all(|pair| match pair {
        [(Mark::Begins, first, _), (Mark::IsUp, second, _)] => first == second,
        // The last one failed.
        [(Mark::Begins, ..)] => true,
        _ => false,
    });
    (begun != sorted || !is_one_by_one).then(|| format!("first starts out of order: {firsts:?}"))
}

/// Returns a node's path, and those of all supervisors above it.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| replay::parent_of(path))
}

async fn run(case: &Case) -> Vec<String> {
    let world = Arc::<World>::default();
    let tree = grow::tree(&case.root, case.seed, &world);
    let running = match tree.start().await {
        Ok(running) => running,
        Err(error) => return check_failed_start(&error, &world),
    };
    let mut events = running.subscribe("test");
    let snapshot = running.snapshot();
    let mut replay = Replay::after(&snapshot, &world, case.is_left_alone());
    replay.broken.extend(check_first_starts(&world));
    drop(world.running.set(running.observer()));
    let mut asking = vec![tokio::spawn(grow::plant(
        Arc::clone(&world),
        "/app".to_owned(),
    ))];
    let (began, mut script) = (Instant::now(), case.script.clone());
    script.sort_by_key(|(at, _)| *at);
    for (number, (at, action)) in script.into_iter().enumerate() {
        watch_until(began + millis(at), &mut events, &mut replay).await;
        drain(&mut events, &mut replay);
        replay.compare(&running.snapshot());
        asking.push(tokio::spawn(commands::act(
            Arc::clone(&world),
            number,
            action,
        )));
    }
    let end = began + millis(case.lives_for);
    watch_until(end.max(Instant::now()), &mut events, &mut replay).await;
    drain(&mut events, &mut replay);
    replay.compare(&running.snapshot());
    let last = running.snapshot();
    let mut report = stop(case, &world, &mut events, &mut replay).await;
    replay.compare(&running.snapshot());
    for asked in asking {
        if timeout(Duration::from_millis(1), asked).await.is_err() {
            replay
                .broken
                .push("somebody still waits for an answer".to_owned());
        }
    }
    let mut broken = world.seen().broken.clone();
    broken.extend(ending::check(&mut report, &last, &replay, &world));
    broken.extend(limits::check(&replay, &world));
    broken.extend(commands::check(&world));
    broken.append(&mut replay.broken);
    broken
}

/// Shuts the tree down, perhaps twice, and watches until it is over.
async fn stop(
    case: &Case,
    world: &World,
    events: &mut Subscriber<SubsystemEvent>,
    replay: &mut Replay<'_>,
) -> (StopReport, Instant) {
    let running = world.running.get().expect("it was set");
    commands::shut_down(world, millis(case.budget));
    let now = Instant::now();
    if let Some((after, budget)) = case.second {
        watch_until(now + millis(after), events, replay).await;
        commands::shut_down(world, millis(budget));
    }
    let report = loop {
        tokio::select! {
            biased;
            Ok(event) = events.recv() => replay.see(event),
            report = running.wait() => break report,
        }
    };
    drain(events, replay);
    let is_last = |event: &&SubsystemEvent| event.kind.code() == "shutdown_ended";
    let last = replay.events.iter().find(is_last).map(|event| event.at);
    // A tree may melt down before anybody can look.
    (report, last.unwrap_or(now))
}

/// The gate runs the same trees each time; the long run looks for others.
fn seed() -> RngSeed {
    match std::env::var_os("PERENNIAL_LONG") {
        Some(_) => RngSeed::Random,
        None => RngSeed::Fixed(20_261_121),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(), rng_seed: seed(), failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default()
    })]

    #[test]
    fn random_trees_keep_the_invariants_and_stop_within_their_deadline(case in shape::case()) {
        quiet_panics();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let mut broken = runtime.block_on(run(&case));
        // What the library spawned has ended, but for what it drops in the background.
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        let left = runtime.metrics().num_alive_tasks();
        if left > 0 {
            broken.push(format!("{left} tasks are left"));
        }
        if !broken.is_empty() {
            broken.truncate(8);
            return Err(TestCaseError::fail(broken.join("\n")));
        }
    }
}
