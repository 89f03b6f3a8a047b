//! What a reload does and what it leaves alone, without a thread: each step is a call.

use std::sync::Arc;

use perennial::config::{Cause, Loader, ReloadError, Reloaded};

use crate::folder::{Folder, Pair, load, loader, pair};

fn number(live: &perennial::config::Live<Pair>) -> u64 {
    live.snapshot().config().pair.first
}

#[test]
fn a_reload_swaps_as_one_and_names_the_keys_and_those_that_need_a_restart() {
    let folder = Folder::new("swap");
    folder.write("app.toml", pair(1));
    let mut reloader = load(&folder);
    let live = reloader.live();
    let before = live.snapshot();
    folder.write(
        "app.toml",
        format!("{}[logging]\nlevel = \"debug\"\nmax_files = 3\n", pair(2)),
    );
    let Ok(Reloaded::Changed {
        version,
        keys,
        needs_restart,
        ..
    }) = reloader.reload(Cause::Call)
    else {
        panic!("it has changed")
    };
    assert_eq!(version, 2);
    assert_eq!(
        *keys,
        [
            "logging.level",
            "logging.max_files",
            "pair.first",
            "pair.last"
        ]
    );
    assert_eq!(*needs_restart, ["logging.max_files"]);
    assert_eq!(
        (before.version(), before.config().pair.first),
        (1, 1),
        "a snapshot never changes"
    );
    assert_eq!((live.snapshot().version(), number(&live)), (2, 2));
}

#[test]
fn what_means_the_same_is_no_change() {
    let folder = Folder::new("same");
    folder.write("app.toml", pair(1));
    let mut reloader = load(&folder);
    assert!(matches!(
        reloader.reload(Cause::Call),
        Ok(Reloaded::Unchanged { version: 1, .. })
    ));
    folder.write("app.toml", format!("# a comment\n{}", pair(1)));
    assert!(matches!(
        reloader.reload(Cause::Call),
        Ok(Reloaded::Unchanged { .. })
    ));
    assert_eq!(reloader.live().snapshot().version(), 1);
}

#[test]
fn a_bad_one_of_any_kind_leaves_everything_as_it_was() {
    let folder = Folder::new("bad");
    folder.write("app.toml", pair(1));
    let mut reloader = load(&folder);
    let live = reloader.live();
    for (text, expected) in [
        (&b"[pair\n"[..], "app.toml:1:"),
        (
            b"[pair]\nfirst = \"x\"\n",
            "app.toml:2:9: `pair.first`: invalid type",
        ),
        (b"[pair]\nfrist = 1\n", "did you mean `first`?"),
        (
            b"[pair]\nfirst = 1\nlast = 2\n",
            "app.toml:3:8: `pair.last`: differs from `pair.first`",
        ),
        (
            b"[shutdown]\nkill = \"1s\"\n",
            "app.toml:2:8: `shutdown.kill`: must be later",
        ),
        (b"a = \"\xff\"\n", "not UTF-8"),
    ] {
        folder.write("app.toml", text);
        let error = reloader
            .reload(Cause::Call)
            .expect_err("it is bad")
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(
            (live.snapshot().version(), number(&live)),
            (1, 1),
            "{error}"
        );
    }
    folder.write("app.toml", pair(3));
    assert!(reloader.reload(Cause::Call).is_ok());
    assert_eq!(number(&live), 3);
}

#[test]
fn a_file_that_is_gone_or_empty_never_brings_defaults_back() {
    let folder = Folder::new("gone");
    let main = folder.write("app.toml", pair(7));
    folder.write("conf.d/1.toml", "[other]\ntext = \"part\"\n");
    let mut reloader = load(&folder);
    let live = reloader.live();
    std::fs::remove_file(&main).expect("it is there");
    for cause in [Cause::File, Cause::Call, Cause::Signal] {
        let error = reloader
            .reload(cause)
            .expect_err("there is nothing to read");
        assert!(error.to_string().contains("app.toml"), "{error}");
    }
    folder.write("app.toml", "");
    for cause in [Cause::File, Cause::Signal, Cause::Admin, Cause::Call] {
        let error = reloader.reload(cause).expect_err("nobody has meant that");
        assert!(error.to_string().contains("is empty"), "{error}");
    }
    assert_eq!((live.snapshot().version(), number(&live)), (1, 7));
    folder.write("app.toml", pair(7));
    std::fs::remove_file(folder.path("conf.d/1.toml")).expect("it is there");
    assert!(reloader.reload(Cause::File).is_err());
    assert_eq!(
        (number(&live), live.snapshot().config().other.text.as_str()),
        (7, "part")
    );
    // Who asks for it means it.
    assert!(reloader.reload(Cause::Call).is_ok());
    assert_eq!(
        (number(&live), live.snapshot().config().other.text.as_str()),
        (7, "")
    );
}

#[test]
fn a_vote_or_a_panic_in_one_refuses_a_change_until_it_is_withdrawn() {
    let folder = Folder::new("vote");
    folder.write("app.toml", pair(1));
    let mut reloader = load(&folder);
    let live = reloader.live();
    let against = live.vote("store", |old, new| {
        assert_eq!(old.config().pair.first, 1);
        Err(format!("not {}", new.config().pair.first).into())
    });
    folder.write("app.toml", pair(2));
    let error = reloader.reload(Cause::Call).expect_err("it is refused");
    assert!(
        error.to_string().contains("`store` refuses: not 2"),
        "{error}"
    );
    drop(against);
    let panics = live.vote("index", |_, _| panic!("on purpose"));
    let error = reloader.reload(Cause::Call).expect_err("it is refused");
    assert!(
        error.to_string().contains("the vote panicked: on purpose"),
        "{error}"
    );
    drop(panics);
    assert!(reloader.reload(Cause::Call).is_ok());
    assert_eq!(number(&live), 2);
}

/// Panics where it is read or dropped, as its text says.
#[derive(serde::Serialize, serde::Deserialize)]
struct Touchy {
    #[serde(deserialize_with = "read_touchy")]
    text: String,
}

fn read_touchy<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text: String = serde::Deserialize::deserialize(deserializer)?;
    assert_ne!(text, "read", "on purpose");
    Ok(text)
}

impl Drop for Touchy {
    fn drop(&mut self) {
        assert_ne!(self.text, "drop", "on purpose");
    }
}

#[tokio::test]
async fn a_panic_where_it_is_read_told_or_dropped_does_not_end_the_thread_that_reloads() {
    let folder = Folder::new("panics");
    let main = folder.write("app.toml", "text = \"begin\"");
    let loader = Loader::new("app").config::<Touchy>().file(main);
    let reloader = loader.environment([]).load().expect("it is valid");
    let live = reloader.live();
    let told = |_, _: &_, _: &_| panic!("told on purpose");
    let _reloads = reloader.start(false, told).expect("there is a thread");
    folder.write("app.toml", "text = \"read\"");
    let refused = live.reload().await;
    let Err(ReloadError::Rejected(error)) = refused else {
        panic!("a panic is a refusal: {refused:?}")
    };
    assert!(
        error.to_string().contains("to read it panicked: ")
            && error.to_string().contains("on purpose"),
        "{error}"
    );
    assert_eq!(live.snapshot().version(), 1);
    for (text, version) in [("drop", 2), ("after", 3), ("end", 4)] {
        folder.write("app.toml", format!("text = \"{text}\""));
        let changed = live.reload().await;
        assert!(
            matches!(&changed, Ok(Reloaded::Changed { version: now, .. }) if *now == version),
            "{text}: {changed:?}"
        );
        assert_eq!(live.snapshot().config().text, text);
    }
}

#[test]
fn a_validation_sees_the_old_and_the_new() {
    let folder = Folder::new("validate");
    folder.write("app.toml", pair(5));
    let never_down = loader(&folder).validate(|old: Option<&Pair>, new: &Pair| {
        let old = old.map_or(0, |old| old.pair.first);
        match new.pair.first < old {
            true => Err("numbers never fall".into()),
            false => Ok(()),
        }
    });
    let mut reloader = never_down.load().expect("it is valid");
    folder.write("app.toml", pair(4));
    assert!(reloader.reload(Cause::Call).is_err());
    folder.write("app.toml", pair(6));
    assert!(reloader.reload(Cause::Call).is_ok());
}

#[tokio::test]
async fn a_section_hears_of_its_own_changes_alone() {
    let folder = Folder::new("section");
    folder.write("app.toml", pair(1));
    let mut reloader = load(&folder);
    let live = reloader.live();
    let mut ours = live.section("other");
    let mut all = live.section("");
    let mut waiting = polled_once(ours.changed());
    assert!(waiting.is_none());
    folder.write("app.toml", pair(2));
    reloader.reload(Cause::Call).expect("it is valid");
    waiting = polled_once(ours.changed());
    assert!(waiting.is_none(), "another section has changed");
    assert_eq!(all.changed().await.version(), 2);
    folder.write("app.toml", format!("{}[other]\ntext = \"x\"\n", pair(2)));
    reloader.reload(Cause::Call).expect("it is valid");
    assert_eq!(ours.changed().await.config().other.text, "x");
    assert_eq!(ours.seen().version(), 3);
}

/// Polls a future once.
fn polled_once<T>(future: impl Future<Output = Arc<T>>) -> Option<Arc<T>> {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_cached_reader_sees_each_change() {
    let folder = Folder::new("cached");
    folder.write("app.toml", pair(1));
    let mut reloader = load(&folder);
    let mut cached = reloader.live().cached();
    assert_eq!(cached.get().config().pair.first, 1);
    folder.write("app.toml", pair(2));
    reloader.reload(Cause::Call).expect("it is valid");
    assert_eq!(cached.get().config().pair.first, 2);
}

#[test]
fn ten_megabytes_are_loaded_or_refused_with_their_place() {
    let folder = Folder::new("large");
    let mut text = pair(1);
    text.push_str("[other]\ntext = \"");
    text.push_str(&"x".repeat(10 * 1024 * 1024));
    text.push_str("\"\n");
    folder.write("app.toml", &text);
    let mut reloader = load(&folder);
    assert_eq!(
        reloader.live().snapshot().config().other.text.len(),
        10 * 1024 * 1024
    );
    text.push_str("bad = 1\n");
    folder.write("app.toml", text);
    let error = reloader
        .reload(Cause::Call)
        .expect_err("nobody knows the key")
        .to_string();
    assert!(error.contains("app.toml:6:1: `other.bad`: unknown key") && error.len() < 1_000);
}
