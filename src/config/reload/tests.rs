//! Which file is in force once one has appeared.

use super::{Cause, Reloaded, Reloader};
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
