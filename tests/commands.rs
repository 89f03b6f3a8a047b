//! Claims on commands by hand: who may ask what of which child, and what the answer is.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use perennial::{Child, Context, Running, Supervisor};

/// A task that runs until it is asked to stop.
fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

/// A task whose start fails, each time.
fn broken(name: &str) -> Child {
    Child::task(name, |_cx| async { Err("broken".into()) })
}

async fn start(tree: Supervisor) -> Running {
    tree.start().await.expect("it starts")
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_first_start_fails_is_answered_with_the_cause_and_removed() {
    let running = start(Supervisor::one_for_one("app")).await;
    let app = running.supervisor("/app").expect("the root");
    let error = app.start_child(broken("a")).await.expect_err("broken");
    assert_eq!(error.to_string(), "/app/a did not start: failed: broken");
    assert!(app.which_children().expect("started").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_child_is_gone_when_the_answer_comes() {
    let running = start(Supervisor::one_for_one("app").child(idle("a"))).await;
    running.stop_child("/app/a").await.expect("it is up");
    running.delete_child("/app/a").await.expect("it is down");
    let error = running.stop_child("/app/a").await.expect_err("gone");
    assert_eq!(error.to_string(), "there is no /app/a");
}
