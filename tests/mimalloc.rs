//! A tree in a program that has named mimalloc as its allocator.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use perennial::allocator::MiMalloc;
use perennial::supervisor::status::State;
use perennial::{Backoff, Child, Inbox, Supervisor};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long the message is that the first run fails of.
const FAILS: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_lives_on_mimalloc() {
    let keeps = Child::worker("keeps", |cx, mut inbox: Inbox<Vec<u8>>| async move {
        // What one thread allocated another frees.
        while let Some(bytes) = inbox.recv().await {
            if bytes.len() == FAILS && cx.incarnation() == 1 {
                return Err("on purpose".into());
            }
        }
        Ok(())
    });
    let keeps = keeps.backoff(Backoff::none());
    let handle = keeps.handle();
    let running = Supervisor::one_for_one("app").child(keeps).start().await;
    let running = running.expect("it starts");
    for size in (1..1_000).rev() {
        handle.send(vec![1; size]).await.expect("it takes them");
    }
    let keeps = || running.node_status("/app/keeps").expect("it is there");
    // A start that is under way would be called off, which is no clean stop.
    while (keeps().incarnation, keeps().state) != (2, State::Running) {
        tokio::task::yield_now().await;
    }
    let report = running.stop(Duration::from_secs(60)).await;
    assert!(report.is_clean(), "{report}");
}
