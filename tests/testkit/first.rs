//! The first test that `docs/testing.md` shows, verbatim: it compiles and passes as it stands there.

use perennial::testkit::{self, Recorder};
use perennial::{BoxError, Child, Context, Supervisor};

// Stands for the program's own tree.
fn tree() -> Supervisor {
    let idle = |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    };
    Supervisor::rest_for_one("collector")
        .child(Child::task("store", idle))
        .child(Child::task("parser", idle))
}

#[test]
fn a_store_that_fails_takes_the_parser_along() -> Result<(), BoxError> {
    testkit::run(1, async {
        let running = tree().start().await?;
        let mut recorder = Recorder::new(&running);

        testkit::fail(&running, "/collector/store")?;
        recorder
            .wait_for_event("/collector/parser", "started")
            .await?;
        recorder.assert_order(&[
            ("/collector/store", "exited: failed"),
            ("/collector/parser", "stopped"),
            ("/collector/store", "started"),
            ("/collector/parser", "started"),
        ]);
        Ok(())
    })
}

#[test]
fn the_page_shows_this_test_verbatim() {
    let (_, shown) = include_str!("../../docs/testing.md")
        .split_once("\n```rust\n")
        .expect("a block of Rust");
    let (shown, _) = shown.split_once("\n```\n").expect("its end");
    let own = include_str!("first.rs");
    assert!(own.contains(shown), "copy first.rs into docs/testing.md");
    assert!(shown.starts_with("use ") && shown.contains("#[test]"));
}
