//! When files are known to be as they were: by instants that are made up, and files that are not.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::{LONGEST_TICK, LONGEST_TRUST, Marks, Rest};
use crate::config::files::tests::Folder;

fn marks(paths: &[PathBuf]) -> Marks {
    let mut marks = Marks::default();
    paths.iter().for_each(|path| marks.note(path));
    marks
}

#[cfg(target_os = "linux")]
#[test]
fn files_rest_once_they_were_read_a_tick_after_they_were_seen_and_not_for_ever() {
    let folder = Folder::new("rest");
    let paths = [folder.write("a.toml", "x = 1"), folder.0.join("conf.d")];
    let start = Instant::now();
    let at = |after: Duration| start + after;
    let moment = Duration::from_millis(1);
    for (reads, asked, expected) in [
        (&[][..], Duration::ZERO, false),
        // Read once: a second change within the tick may follow.
        (&[Duration::ZERO], LONGEST_TICK * 2, false),
        (
            &[Duration::ZERO, LONGEST_TICK - moment],
            LONGEST_TICK * 2,
            false,
        ),
        (&[Duration::ZERO, LONGEST_TICK], LONGEST_TICK, true),
        (
            &[Duration::ZERO, LONGEST_TICK],
            LONGEST_TICK + LONGEST_TRUST - moment,
            true,
        ),
        (
            &[Duration::ZERO, LONGEST_TICK],
            LONGEST_TICK + LONGEST_TRUST,
            false,
        ),
        // Read again: trusted again.
        (
            &[Duration::ZERO, LONGEST_TICK, LONGEST_TICK * 2],
            LONGEST_TICK + LONGEST_TRUST,
            true,
        ),
    ] {
        let mut rest = Rest::default();
        for read in reads {
            rest.note(marks(&paths), (at(*read), at(*read)));
        }
        assert_eq!(
            rest.lasts(at(asked)),
            expected,
            "{reads:?}, asked after {asked:?}"
        );
        rest.disturb();
        assert!(!rest.lasts(at(asked)), "it was disturbed");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_is_done_to_a_file_ends_its_rest() {
    type Deed = fn(&Folder);
    let deeds: [(&str, Deed); 7] = [
        ("the same size, in place", |folder| {
            drop(folder.write("a.toml", "x = 2"))
        }),
        ("the same bytes, another file", |folder| {
            let other = folder.write("b", "x = 1");
            std::fs::rename(other, folder.0.join("a.toml")).expect("it can be renamed");
        }),
        ("its old time put back", |folder| {
            let path = folder.0.join("a.toml");
            let time = std::fs::metadata(&path).and_then(|found| found.modified());
            let time = time.expect("it has one");
            let file = std::fs::File::options()
                .write(true)
                .open(folder.write("a.toml", "x = 2"));
            let set = file.expect("it can be opened").set_modified(time);
            set.expect("it can be set");
        }),
        ("removed", |folder| {
            std::fs::remove_file(folder.0.join("a.toml")).expect("it is there")
        }),
        ("a folder of parts", |folder| {
            drop(folder.write("conf.d/1.toml", ""))
        }),
        ("a part", |folder| drop(folder.write("parts/1.toml", ""))),
        ("a link to another", |folder| {
            let link = folder.0.join("link");
            std::fs::remove_file(&link).expect("it is there");
            std::os::unix::fs::symlink(folder.write("b", "x = 1"), link).expect("it can be made");
        }),
    ];
    for (name, deed) in deeds {
        let folder = Folder::new("rest-ends");
        folder.write("a.toml", "x = 1");
        folder.write("parts/0.toml", "");
        std::os::unix::fs::symlink(folder.0.join("a.toml"), folder.0.join("link"))
            .expect("it can be made");
        let paths = ["a.toml", "conf.d", "parts", "link"].map(|name| folder.0.join(name));
        let before = marks(&paths);
        assert!(before.hold(), "nothing has happened");
        folder.next_tick();
        deed(&folder);
        assert!(!before.hold(), "{name}");
    }
}

#[test]
fn what_has_no_mark_never_rests() {
    let marks = Marks {
        found: vec![(PathBuf::from("a.toml"), None)],
    };
    assert!(!marks.hold());
}
