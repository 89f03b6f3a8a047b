//! Claims on waits: what comes, what does not, and what the error shows.

use std::time::Duration;

use perennial::supervisor::status::State;
use perennial::testkit::{self, Recorder, WaitError};
use perennial::{BoxError, Supervisor};
use tokio::time::Instant;

use crate::{idle, start, two};

#[tokio::test(start_paused = true)]
async fn each_wait_goes_on_behind_the_event_that_the_last_returned() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    testkit::crash(&running, "/app/a")?;
    testkit::crash(&running, "/app/b")?;
    let first = recorder
        .wait_for_event("/app/*", "exited: panicked")
        .await?;
    let second = recorder.wait_for_event("/app/*", "exited").await?;
    assert_eq!((first.path.name(), second.path.name()), ("a", "b"));
    assert!(second.seq > first.seq);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_vain_says_for_what_how_long_what_came_and_how_the_tree_is()
-> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running).wait_timeout(Duration::from_secs(30));
    testkit::crash(&running, "/app/a")?;
    running.stop_child("/app/b").await?;
    let began = Instant::now();
    let error = recorder.wait_for_event("/app/b", "restarted").await;
    let error = error.expect_err("nobody restarts it");
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert_eq!(error.code(), "timed_out");
    let text = error.to_string();
    for part in [
        "waited 30s in vain for /app/b restarted",
        "/app/a#1 exited: panicked (injected by the test kit)",
        "/app/a#2 started",
        "/app/b#1 stopped: stopped",
        "\n  /app#1 running",
        "\n    a#2 running, last exit: panicked: injected by the test kit",
        "\n    b#1 down, last exit: shut down",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(format!("{error:?}"), text, "which is what unwrap prints");
    // What a wait in vain has seen is still there for the next one.
    recorder.wait_for_event("/app/a", "exited").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_tree() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    running.stop(Duration::from_secs(1)).await;
    let error = recorder.wait_for_event("/app/a", "restarted").await;
    assert_eq!(error.expect_err("it is over").code(), "ended");
    let error = recorder.wait_for_state("/app/a", State::Running).await;
    let error = error.expect_err("it is over");
    assert_eq!(error.code(), "ended");
    let text = error.to_string();
    let expected = "the tree ended after 0ns without /app/a to be running; what came instead:";
    assert!(text.starts_with(expected), "{text}");
    recorder.wait_for_event("/app", "shutdown_ended").await?;
    recorder.wait_for_state("/app", State::Down).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_event_has_is_refused_at_once() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    let began = Instant::now();
    let error = recorder.wait_for_event("/app/a", "restart").await;
    let error = error.expect_err("it is called restarted");
    assert_eq!(
        (error.code(), began.elapsed()),
        ("unknown_event", Duration::ZERO)
    );
    let text = error.to_string();
    assert!(
        text.starts_with("no event is called `restart`; there are: starting, "),
        "{text}"
    );
    assert!(text.contains(", exited: panicked, "), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_state_that_holds_is_returned_at_once_another_when_it_comes() -> Result<(), BoxError> {
    let app = Supervisor::one_for_one("app").child(idle("a"));
    let handle = app.handle();
    let running = start(app).await;
    let mut recorder = Recorder::new(&running);
    let began = Instant::now();
    let status = recorder.wait_for_state("/app/a", State::Running).await?;
    assert_eq!((status.incarnation, began.elapsed()), (1, Duration::ZERO));
    let adding = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        handle.start_child(idle("late")).await
    });
    recorder.wait_for_state("/app/late", State::Running).await?;
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    adding.await??;
    // A wait for a state takes no event away from the next wait for one.
    recorder.wait_for_event("/app/late", "starting").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_state_that_never_comes_times_out() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    let error = recorder.wait_for_state("/app/c", State::Running).await;
    let error = error.expect_err("there is no c");
    let text = error.to_string();
    let expected =
        "waited 120s in vain for /app/c to be running; nothing came instead\nthe tree now:";
    assert!(text.starts_with(expected), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_was_read_too_late_says_what_it_lost() -> Result<(), BoxError> {
    let running = two().await;
    let mut late = Recorder::new(&running);
    let mut recorder = Recorder::new(&running);
    // Four events each: more than the bus keeps.
    for _ in 0..1_100 {
        running.restart_child("/app/a").await?;
        recorder.wait_for_event("/app/a", "started").await?;
    }
    let error: WaitError = late
        .wait_for_event("/app/b", "exited")
        .await
        .expect_err("it may be among them");
    assert_eq!(error.code(), "lagged");
    let text = error.to_string();
    assert!(
        text.contains("events were lost before /app/b exited"),
        "{text}"
    );
    late.wait_for_state("/app/a", State::Running).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_loses_nothing() -> Result<(), BoxError> {
    let running = two().await;
    let mut recorder = Recorder::new(&running);
    testkit::crash(&running, "/app/a")?;
    let waiting = recorder.wait_for_event("/app/a", "quarantined");
    let second = Duration::from_secs(1);
    tokio::time::timeout(second, waiting)
        .await
        .expect_err("it is not");
    recorder.wait_for_event("/app/a", "exited").await?;
    recorder.wait_for_event("/app/a", "restarted").await?;
    Ok(())
}
