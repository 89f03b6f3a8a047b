//! The test kit: a program's own tests of its tree, then claims on each part of the kit.
//!
//! `collector` is what a user would write: the tree of a small log collector, and tests of how it
//! behaves when something in it fails; `first` is the test that `docs/testing.md` begins with. The other files hold the kit to what it promises.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod chaos;
mod collector;
mod faults;
mod first;
mod order;
mod seeded;
mod waits;

use perennial::{Child, Context, Running, Supervisor};

/// A task that runs until it is asked to stop.
fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

async fn start(tree: Supervisor) -> Running {
    tree.start().await.expect("it starts")
}

/// Starts `/app` with the tasks `a` and `b`.
async fn two() -> Running {
    start(
        Supervisor::one_for_one("app")
            .child(idle("a"))
            .child(idle("b")),
    )
    .await
}
