//! A tree in a program that has named mimalloc as its allocator.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use perennial::allocator::MiMalloc;
use perennial::{Backoff, Child, Inbox, Supervisor};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_lives_on_mimalloc() {
    let keeps = Child::worker("keeps", |_cx, mut inbox: Inbox<Vec<u8>>| async move {
        // What one thread allocated another frees.
        while let Some(bytes) = inbox.recv().await {
            if bytes.is_empty() {
                return Err("nothing in it".into());
            }
        }
        Ok(())
    });
    let keeps = keeps.backoff(Backoff::none());
    let handle = keeps.handle();
    let running = Supervisor::one_for_one("app").child(keeps).start().await;
    let running = running.expect("it starts");
    for size in (0..1_000).rev() {
        handle.send(vec![1; size]).await.expect("it takes them");
    }
    let report = running.stop(Duration::from_secs(60)).await;
    assert!(report.is_clean(), "{report}");
}
