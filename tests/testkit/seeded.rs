//! Claims on seeded runs: the same again, without waiting, and what a failed one prints.

use std::process::{Command, Output};
use std::time::Duration;

use perennial::testkit::{self, Chaos, Fault, Recorder, RunError};
use perennial::{Actor, ActorProcessingErr, ActorRef, BoxError, Child, Inbox, Supervisor};
use tokio::time::Instant;

use crate::idle;

struct Quiet;

impl Actor for Quiet {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Runs twenty minutes of faults of all kinds in a tree of all asynchronous kinds, and writes it all down.
fn written(seed: u64) -> Result<Vec<String>, BoxError> {
    testkit::run(seed, async {
        let zero = Instant::now();
        let inner = Supervisor::one_for_all("inner")
            .child(Child::actor("actor", |_cx| (Quiet, ())))
            .child(Child::worker(
                "worker",
                |_cx, mut inbox: Inbox<()>| async move {
                    while inbox.recv().await.is_some() {}
                    Ok(())
                },
            ));
        let tree = Supervisor::one_for_one("app")
            .child(idle("task"))
            .child(inner);
        let running = tree.start().await?;
        let mut recorder = Recorder::new(&running);
        let chaos = Chaos::new()
            .faults(Fault::ALL)
            .with_supervisors()
            .every(Duration::from_secs(10))
            .lasting(Duration::from_secs(1_200));
        let report = chaos.start(&running).finished().await;
        let stopped = running.stop(Duration::from_secs(10)).await;
        let line = |event: &perennial::SubsystemEvent| {
            let (after, code) = (event.at - zero, event.kind.code());
            format!("{after:?} {}#{} {code}", event.path, event.incarnation)
        };
        let mut lines: Vec<_> = recorder.events().iter().map(line).collect();
        lines.push(report.to_string());
        lines.push(stopped.to_string());
        Ok(lines)
    })
}

/// Tells whether every run has the one seed of somebody who repeats a failure.
fn is_replay() -> bool {
    std::env::var_os(testkit::SEED_VARIABLE).is_some()
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_another() -> Result<(), BoxError> {
    for seed in 0..5 {
        let first = written(seed)?;
        assert!(first.len() > 100, "{first:#?}");
        assert_eq!(first, written(seed)?, "seed {seed}");
    }
    assert!(is_replay() || written(1)? != written(2)?);
    Ok(())
}

#[test]
fn an_hour_passes_at_once() -> Result<(), BoxError> {
    let passed = testkit::run(1, async {
        let began = Instant::now();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok(began.elapsed())
    })?;
    assert_eq!(passed, Duration::from_secs(3_600));
    Ok(())
}

#[test]
fn a_tree_draws_its_jitter_from_the_run_unless_it_has_a_seed_of_its_own() -> Result<(), BoxError> {
    let delays = |seed: u64, own: Option<u64>| {
        testkit::run(seed, async move {
            let mut tree = Supervisor::one_for_one("app").child(idle("a"));
            if let Some(own) = own {
                tree = tree.seed(own);
            }
            let running = tree.start().await?;
            let mut recorder = Recorder::new(&running);
            let mut delays = Vec::new();
            for _ in 0..5 {
                let exited = Instant::now();
                testkit::crash(&running, "/app/a")?;
                let started = recorder.wait_for_event("/app/a", "restarted").await?;
                delays.push(started.at - exited);
            }
            Ok(delays)
        })
    };
    assert_eq!(delays(1, None)?, delays(1, None)?);
    assert_eq!(delays(1, Some(3))?, delays(2, Some(3))?);
    if !is_replay() {
        assert_ne!(delays(1, None)?, delays(2, None)?);
        assert_eq!(delays(3, None)?, delays(1, Some(3))?);
    }
    Ok(())
}

#[test]
fn the_seed_is_known_inside_of_the_run_and_nowhere_else() -> Result<(), BoxError> {
    assert_eq!(testkit::seed(), None);
    let known = testkit::run(7, async { Ok(testkit::seed()) })?;
    assert!(known == Some(7) || is_replay() && known.is_some());
    assert_eq!(testkit::seed(), None);
    testkit::run(7, async { Err::<(), _>("fails".into()) }).expect_err("it fails");
    assert_eq!(testkit::seed(), None);
    Ok(())
}

#[tokio::test]
async fn a_run_inside_of_a_runtime_is_refused() {
    let error = testkit::run(1, async { Ok(()) }).expect_err("it has one already");
    let error = error.downcast::<RunError>().expect("its own error");
    assert_eq!(error.code(), "inside_runtime");
}

/// What the tests below run in a process of its own.
#[test]
#[ignore = "fails on purpose, for the tests below"]
fn one_that_panics() -> Result<(), BoxError> {
    testkit::run(17, async { panic!("on purpose") })
}

/// What the tests below run in a process of its own.
#[test]
#[ignore = "fails on purpose, for the tests below"]
fn one_that_returns_an_error() -> Result<(), BoxError> {
    testkit::run(17, async { Err("on purpose".into()) })
}

fn in_a_process_of_its_own(test: &str, seed: Option<&str>) -> Output {
    let this = std::env::current_exe().expect("it runs");
    let mut command = Command::new(this);
    command.args([
        "--exact",
        test,
        "--ignored",
        "--nocapture",
        "--test-threads=2",
    ]);
    match seed {
        Some(seed) => command.env(testkit::SEED_VARIABLE, seed),
        None => command.env_remove(testkit::SEED_VARIABLE),
    };
    command.output().expect("it can be run")
}

#[test]
fn a_failed_run_prints_the_command_that_repeats_it() {
    for test in [
        "seeded::one_that_panics",
        "seeded::one_that_returns_an_error",
    ] {
        let output = in_a_process_of_its_own(test, None);
        assert!(!output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        let expected = format!("failed with seed 17; again: PERENNIAL_SEED=17 cargo test {test}");
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn the_variable_replaces_the_seed() {
    let output = in_a_process_of_its_own("seeded::one_that_panics", Some("4"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("failed with seed 4; again"), "{text}");
    let output = in_a_process_of_its_own("seeded::one_that_panics", Some("four"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("InvalidSeed { value: \"four\" }"), "{text}");
    assert!(!text.contains("on purpose"), "it did not begin: {text}");
}
