//! What the thread that reloads sees of the folders that it watches.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use perennial::config::{Cause, ReloadThread, Reloaded};

use crate::folder::{Folder, Pair, load, pair};

/// How long a change may take to be seen. Less than the 30 s after which everything is looked at in any
/// case: what is claimed here is that events tell of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reloads when something changes, and tells the numbers.
fn watched(folder: &Folder) -> (ReloadThread, Receiver<u64>) {
    let (tell, told) = channel();
    let thread = load(folder).start(true, move |cause, result, snapshot| {
        assert_eq!(cause, Cause::File);
        if let Ok(Reloaded::Changed { .. }) = result {
            let pair: &Pair = snapshot.config();
            // Fails when the test has ended.
            let _is_heard = tell.send(pair.pair.first);
        }
    });
    (thread.expect("there is a thread"), told)
}

/// Waits for a change, again and again, until this number is in force.
fn until(told: &Receiver<u64>, number: u64) {
    while told.recv_timeout(PATIENCE).expect("it is seen") != number {}
}

#[test]
fn a_folder_that_is_replaced_by_another_is_watched_on() {
    let outside = Folder::new("replaced");
    let folder = outside.inside("etc");
    folder.write("app.toml", pair(1));
    let (_thread, told) = watched(&folder);
    folder.write("app.toml", pair(2));
    until(&told, 2);
    for number in [3, 5] {
        // As a new release of the whole folder comes.
        outside.write("next/app.toml", pair(number));
        let old = outside.path(&format!("old-{number}"));
        std::fs::rename(folder.path(""), old).expect("it is there");
        std::fs::rename(outside.path("next"), folder.path("")).expect("there is room");
        until(&told, number);
        // The new one is the one that is watched.
        folder.write("app.toml", pair(number + 1));
        until(&told, number + 1);
    }
}

#[test]
fn a_folder_that_is_removed_and_made_again_is_watched_on_whatever_its_number_is() {
    let outside = Folder::new("remade");
    let folder = outside.inside("etc");
    folder.write("app.toml", pair(1));
    let (_thread, told) = watched(&folder);
    folder.write("app.toml", pair(2));
    until(&told, 2);
    for number in [3, 5, 7] {
        std::fs::remove_dir_all(folder.path("")).expect("it is there");
        // Most file systems give the new one the number of the old one.
        folder.write("app.toml", pair(number));
        until(&told, number);
        folder.write("app.toml", pair(number + 1));
        until(&told, number + 1);
    }
}
