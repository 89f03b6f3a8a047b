//! Claims on the order of events, and on what a wrong claim prints.

use std::panic::{AssertUnwindSafe, catch_unwind};

use perennial::BoxError;
use perennial::testkit::{self, Recorder};

use crate::two;

/// Returns what an assertion says when it fails.
fn message(assertion: impl FnOnce()) -> String {
    let panicked = catch_unwind(AssertUnwindSafe(assertion));
    let payload = panicked.expect_err("it fails");
    *payload.downcast().expect("an assertion fails with text")
}

/// Records how `a` crashes and comes back.
async fn crashed() -> Result<(perennial::Running, Recorder), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    testkit::crash(&running, "/app/a")?;
    recorder.wait_for_event("/app/a", "restarted").await?;
    Ok((running, recorder))
}

#[tokio::test(start_paused = true)]
async fn an_order_holds_whatever_comes_between() -> Result<(), BoxError> {
    let (_running, mut recorder) = crashed().await?;
    recorder.assert_order(&[]);
    recorder.assert_order(&[("/app/a", "exited"), ("/app/a", "restarted")]);
    recorder.assert_order(&[("/**", "exited: panicked"), ("/app/*", "started")]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wrong_order_shows_how_far_it_fits_and_all_that_came() -> Result<(), BoxError> {
    let (_running, mut recorder) = crashed().await?;
    let text = message(|| {
        recorder.assert_order(&[
            ("/app/a", "started"),
            ("/app/a", "exited"),
            ("/app/a", "restarted"),
        ]);
    });
    let expected = "\
the events did not come in this order:
    /app/a started
        +0.000s    /app/a#2 started
  > /app/a exited
        not after that
    /app/a restarted
what came:
    +0.000s    /app/a#1 exited: panicked (injected by the test kit)
    +0.000s    /app/a#2 starting
    +0.000s    /app/a#2 started
    +0.000s    /app/a#2 restarted";
    assert_eq!(text, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn exactly_these_events_of_one_child() -> Result<(), BoxError> {
    let (_running, mut recorder) = crashed().await?;
    recorder.assert_exactly(
        "/app/a",
        &["exited: panicked", "starting", "started", "restarted"],
    );
    recorder.assert_exactly("/app/b", &[]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn other_events_are_shown_side_by_side() -> Result<(), BoxError> {
    let (_running, mut recorder) = crashed().await?;
    let text = message(|| recorder.assert_exactly("/app/a", &["exited: killed", "starting"]));
    let expected = "\
the events of /app/a are others:
    expected        came
  > exited: killed  exited: panicked
    starting        starting
  > -               started
  > -               restarted";
    assert_eq!(text, expected);
    let text = message(|| recorder.assert_exactly("/app/b", &["started"]));
    assert!(text.ends_with("\n  > started   -"), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_event_has_fails_the_assertion() -> Result<(), BoxError> {
    let (_running, mut recorder) = crashed().await?;
    let unknown = "no event is called `crashed`";
    let text = message(|| recorder.assert_order(&[("/app/a", "crashed")]));
    assert!(text.starts_with(unknown), "{text}");
    let text = message(|| recorder.assert_exactly("/app/a", &["crashed"]));
    assert!(text.starts_with(unknown), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_an_order_in_which_events_are_missing() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    for _ in 0..1_100 {
        running.restart_child("/app/a").await?;
    }
    let text = message(|| recorder.assert_order(&[]));
    assert!(text.contains("events were lost"), "{text}");
    Ok(())
}
