//! Which file is in force once one has appeared.

use super::{Cause, Reloaded, Reloader};
use crate::config::files::rest::Marks;
use crate::config::files::tests::Folder;
use crate::config::{Loader, NoConfig};

/// Loads what was started without a file, and looks for one in two places of the folder.
fn started_without_a_file(folder: &Folder) -> Reloader<NoConfig> {
    let loader = Loader::new("perennial-tests-without-a-file").environment([]);
    let mut reloader = loader.load().expect("nothing is wrong with nothing");
    reloader.layers.searched = ["here/app.toml", "etc/app.toml"]
        .map(|name| folder.0.join(name))
        .to_vec();
    reloader
}

fn level(reloader: &Reloader<NoConfig>) -> String {
    reloader
        .live()
        .snapshot()
        .settings()
        .logging
        .level
        .to_string()
}

#[test]
fn a_file_that_appears_after_the_start_stays_in_force_when_it_is_gone() {
    for appeared in [Cause::File, Cause::Signal] {
        let folder = Folder::new("appears");
        let mut reloader = started_without_a_file(&folder);
        let main = folder.write("etc/app.toml", "[logging]\nlevel = \"debug\"\n");
        let changed = reloader.reload(appeared);
        assert!(matches!(changed, Ok(Reloaded::Changed { .. })));
        std::fs::remove_file(main).expect("it is there");
        for cause in [Cause::File, Cause::Signal, Cause::Admin, Cause::Call] {
            let error = reloader.reload(cause).expect_err("there is none");
            assert!(error.to_string().contains("etc/app.toml"), "{error}");
            assert_eq!(level(&reloader), "debug");
        }
    }
}

#[test]
fn a_file_that_appears_after_the_start_gives_way_to_no_other() {
    let folder = Folder::new("displaces");
    let mut reloader = started_without_a_file(&folder);
    folder.write("etc/app.toml", "[logging]\nlevel = \"debug\"\n");
    reloader.reload(Cause::Call).expect("it is valid");
    folder.write("here/app.toml", "[logging]\nlevel = \"trace\"\n");
    let unchanged = reloader.reload(Cause::Call);
    assert!(matches!(unchanged, Ok(Reloaded::Unchanged { .. })));
    assert_eq!(level(&reloader), "debug");
}

#[test]
fn a_folder_of_parts_is_read_without_a_main_file_and_kept_to() {
    let folder = Folder::new("parts-alone-reload");
    let mut reloader = started_without_a_file(&folder);
    folder.write("etc/conf.d/1.toml", "[logging]\nlevel = \"debug\"\n");
    assert!(matches!(
        reloader.reload(Cause::File),
        Ok(Reloaded::Changed { .. })
    ));
    assert_eq!(level(&reloader), "debug");
    // One that is looked for before it does not take its place.
    folder.write("here/app.toml", "[logging]\nlevel = \"trace\"\n");
    assert!(matches!(
        reloader.reload(Cause::Call),
        Ok(Reloaded::Unchanged { .. })
    ));
    folder.write("etc/app.toml", "[logging]\nmax_files = 2\n");
    assert!(matches!(
        reloader.reload(Cause::File),
        Ok(Reloaded::Changed { .. })
    ));
    let live = reloader.live();
    let snapshot = live.snapshot();
    let logging = &snapshot.settings().logging;
    assert_eq!((&*logging.level, logging.max_files), ("debug", 2));
}

#[test]
fn a_value_that_moved_is_traced_to_where_it_is_now() {
    let folder = Folder::new("moved");
    let main = folder.write("app.toml", "[logging]\nlevel = \"debug\"\nmax_files = 2\n");
    let loader = Loader::new("perennial-tests-moved").environment([]);
    let mut reloader = loader.file(main).load().expect("it is valid");
    let live = reloader.live();
    let origin = |key: &str| live.snapshot().origin(key).to_string();
    let mut cached = live.cached();
    assert!(origin("logging.level").ends_with("app.toml:2:9"));
    folder.write("app.toml", "# one line more\n[logging]\nmax_files = 2\n");
    folder.write("conf.d/1.toml", "[logging]\nlevel = \"debug\"\n");
    let unchanged = reloader.reload(Cause::Call);
    assert!(matches!(unchanged, Ok(Reloaded::Unchanged { version: 1 })));
    assert!(origin("logging.max_files").ends_with("app.toml:3:13"));
    assert!(origin("logging.level").ends_with("conf.d/1.toml:2:9"));
    assert_eq!(live.snapshot().files().len(), 2);
    assert_eq!(cached.get().version(), 1);
    folder.write("app.toml", "# one line more\n");
    assert!(matches!(
        reloader.reload(Cause::Call),
        Ok(Reloaded::Changed { version: 2, .. })
    ));
    assert_eq!(origin("logging.max_files"), "default");
}

#[test]
fn what_was_refused_and_is_taken_back_is_told_once() {
    let folder = Folder::new("taken-back");
    let valid = "[logging]\nlevel = \"debug\"\n";
    let main = folder.write("app.toml", valid);
    let loader = Loader::new("perennial-tests-taken-back").environment([]);
    let mut reloader = loader.file(main).load().expect("it is valid");
    assert!(reloader.look().is_none(), "nothing has happened");
    for _ in 0..2 {
        folder.write("app.toml", "[logging]\nlevel = 7\n");
        assert!(matches!(reloader.look(), Some(Err(_))));
        assert!(reloader.look().is_none(), "it was told");
        folder.write("app.toml", valid);
        assert!(matches!(
            reloader.look(),
            Some(Ok(Reloaded::Unchanged { version: 1 }))
        ));
        assert!(reloader.look().is_none(), "it was told");
    }
    // Whoever asks hears what there is, and after that it is no news.
    folder.write("app.toml", "[logging]\nlevel = 7\n");
    assert!(matches!(reloader.look(), Some(Err(_))));
    folder.write("app.toml", valid);
    assert!(reloader.reload(Cause::Call).is_ok());
    assert!(reloader.look().is_none(), "it was told");
}

/// Loads a file that says this.
fn started(folder: &Folder, text: &str) -> Reloader<NoConfig> {
    let file = folder.write("app.toml", text);
    let loader = Loader::new("app").file(file).environment([]);
    loader.load().expect("it is valid")
}

#[test]
fn a_change_within_one_tick_and_of_the_same_size_is_seen() {
    let folder = Folder::new("same-tick");
    let mut reloader = started(&folder, "[logging]\nlevel = \"debug\"\n");
    for expected in ["trace", "error", "debug"] {
        let unchanged = reloader.reload(Cause::Call);
        assert!(matches!(unchanged, Ok(Reloaded::Unchanged { .. })));
        folder.write("app.toml", format!("[logging]\nlevel = \"{expected}\"\n"));
        reloader.reload(Cause::Call).expect("it is valid");
        assert_eq!(level(&reloader), expected);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_change_of_a_file_at_rest_is_seen() {
    let folder = Folder::new("at-rest");
    let mut reloader = started(&folder, "[logging]\nlevel = \"debug\"\n");
    let now = super::now();
    for ago in [10, 5] {
        let mut marks = Marks::default();
        let files = reloader
            .layers
            .read_files(&mut marks)
            .expect("it can be read");
        assert!(files == reloader.files);
        let then = now - std::time::Duration::from_secs(ago);
        reloader.rest.note(marks, (then, then));
    }
    assert!(reloader.rest.lasts(now));
    let unchanged = reloader.reload(Cause::Call);
    assert!(matches!(unchanged, Ok(Reloaded::Unchanged { .. })));
    folder.next_tick();
    folder.write("app.toml", "[logging]\nlevel = \"trace\"\n");
    reloader.reload(Cause::Call).expect("it is valid");
    assert_eq!(level(&reloader), "trace");
    assert!(!reloader.rest.lasts(now));
    std::fs::remove_file(folder.0.join("app.toml")).expect("it is there");
    reloader.reload(Cause::Call).expect_err("there is none");
    assert_eq!(level(&reloader), "trace");
}

#[test]
fn a_value_that_changes_again_and_again_is_told_with_its_own_place() {
    let folder = Folder::new("again");
    let mut reloader = started(&folder, "[bus]\ncapacity = 1\n[logging]\nlevel = 'info'\n");
    for (version, capacity) in [(2, "22"), (3, "333"), (4, "1")] {
        let text = format!("[bus]\ncapacity = {capacity}\n[logging]\nlevel = 'info'\n");
        folder.write("app.toml", text);
        let Ok(Reloaded::Changed {
            version: found,
            keys,
            ..
        }) = reloader.reload(Cause::Call)
        else {
            panic!("a value is another")
        };
        assert_eq!(
            (found, keys.to_vec()),
            (version, vec!["bus.capacity".to_owned()])
        );
        let snapshot = reloader.live().snapshot();
        assert_eq!(snapshot.settings().bus.capacity.to_string(), capacity);
        let place = snapshot.origin("bus.capacity").to_string();
        assert!(place.ends_with("app.toml:2:12"), "{place}");
    }
    folder.write(
        "app.toml",
        "[bus]\ncapacity = 'x'\n[logging]\nlevel = 'info'\n",
    );
    let error = reloader.reload(Cause::Call).expect_err("it is no number");
    let told = error.to_string();
    assert!(
        told.contains("app.toml:2:12: `bus.capacity`") && told.contains("at `'x'`"),
        "{told}"
    );
}
