//! Rotation by size and age, what is kept, and what happens when it can't be done.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileOptions, RotatingFile};

/// A log in a folder of its own, which is removed with it.
struct Log(PathBuf);

impl Deref for Log {
    type Target = PathBuf;

    fn deref(&self) -> &PathBuf {
        &self.0
    }
}

impl AsRef<Path> for Log {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        drop(self.0.parent().map(fs::remove_dir_all));
    }
}

fn path(name: &str) -> Log {
    let folder =
        std::env::temp_dir().join(format!("perennial-rotate-{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("a folder");
    Log(folder.join("app.log"))
}

fn files(path: &Path) -> Vec<(String, String)> {
    let folder = fs::read_dir(path.parent().expect("a folder")).expect("it is there");
    let mut found: Vec<_> = folder
        .map(|entry| {
            let path = entry.expect("it is there").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(path).expect("text"))
        })
        .collect();
    found.sort();
    found
}

fn named(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn a_full_file_is_put_aside_and_only_so_many_are_kept() {
    let path = path("size");
    let mut file =
        RotatingFile::open(FileOptions::new(&*path).max_bytes(4).max_files(3)).expect("it opens");
    for line in ["1\n", "2\n", "3\n", "4\n", "5\n", "6\n", "7\n"] {
        file.write(line.as_bytes()).expect("there is room");
    }
    assert_eq!(
        files(&path),
        named(&[
            ("app.log", "7\n"),
            ("app.log.1", "5\n6\n"),
            ("app.log.2", "3\n4\n")
        ])
    );
}

#[test]
fn what_was_there_before_counts() {
    let path = path("append");
    fs::write(&path, "old\n").expect("a file");
    let mut file = RotatingFile::open(FileOptions::new(&*path).max_bytes(6)).expect("it opens");
    file.write(b"new\n").expect("there is room");
    assert_eq!(
        files(&path),
        named(&[("app.log", "new\n"), ("app.log.1", "old\n")])
    );
}

#[test]
fn an_old_file_is_put_aside() {
    let path = path("age");
    let options = FileOptions::new(&*path).max_age(Some(Duration::from_nanos(1)));
    let mut file = RotatingFile::open(options).expect("it opens");
    file.write(b"1\n").expect("there is room");
    file.write(b"2\n").expect("there is room");
    assert_eq!(
        files(&path),
        named(&[("app.log", "2\n"), ("app.log.1", "1\n")])
    );
}

#[test]
fn one_file_alone_begins_anew() {
    let path = path("one");
    let mut file =
        RotatingFile::open(FileOptions::new(&*path).max_bytes(2).max_files(1)).expect("it opens");
    file.write(b"1\n").expect("there is room");
    file.write(b"2\n").expect("there is room");
    assert_eq!(files(&path), named(&[("app.log", "2\n")]));
}

#[test]
fn a_line_larger_than_a_file_is_whole_in_one() {
    let path = path("large");
    let mut file = RotatingFile::open(FileOptions::new(&*path).max_bytes(4)).expect("it opens");
    file.write(b"longer than that\n").expect("there is room");
    assert_eq!(files(&path), named(&[("app.log", "longer than that\n")]));
}

#[test]
fn a_file_that_was_moved_away_is_written_on_until_it_is_opened_again() {
    let path = path("reopen");
    let mut file = RotatingFile::open(FileOptions::new(&*path)).expect("it opens");
    file.write(b"1\n").expect("there is room");
    fs::rename(&path, path.with_extension("old")).expect("it is there");
    file.write(b"2\n").expect("there is room");
    file.reopen().expect("it opens");
    file.write(b"3\n").expect("there is room");
    assert_eq!(
        files(&path),
        named(&[("app.log", "3\n"), ("app.old", "1\n2\n")])
    );
}

#[tokio::test(start_paused = true)]
async fn a_removed_file_is_made_again_within_a_second() {
    let path = path("removed");
    let mut file = RotatingFile::open(FileOptions::new(&*path)).expect("it opens");
    file.write(b"1\n").expect("there is room");
    fs::remove_file(&path).expect("it is there");
    tokio::time::sleep(super::CHECK_PERIOD).await;
    file.write(b"2\n").expect("there is room");
    assert_eq!(files(&path), named(&[("app.log", "2\n")]));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_can_t_be_put_aside_is_written_on_and_tried_again() {
    let path = path("aside");
    // A folder that is not empty is where the file would go.
    let obstacle = path.with_extension("log.1");
    fs::create_dir_all(obstacle.join("x")).expect("a folder");
    let mut file =
        RotatingFile::open(FileOptions::new(&*path).max_bytes(2).max_files(2)).expect("it opens");
    file.write(b"1\n").expect("there is room");
    file.write(b"2\n").expect("it is written on");
    assert_eq!(fs::read_to_string(&path).expect("text"), "1\n2\n");
    fs::remove_dir_all(&obstacle).expect("it is there");
    tokio::time::sleep(super::RETRY_PERIOD).await;
    file.write(b"3\n").expect("there is room");
    assert_eq!(
        files(&path),
        named(&[("app.log", "3\n"), ("app.log.1", "1\n2\n")])
    );
}

#[test]
fn a_file_that_can_t_be_opened_is_named() {
    let error =
        RotatingFile::open(FileOptions::new("/nonexistent/app.log")).expect_err("no such folder");
    assert_eq!(
        error.to_string(),
        "cannot open the log file /nonexistent/app.log"
    );
}

/// Runs this test again in a process of its own under a limit of the shell's; `true` in that process.
#[cfg(target_os = "linux")]
fn is_under(limit: &str, name: &str) -> bool {
    const INSIDE: &str = "PERENNIAL_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    // A write beyond the limit is refused where the signal for it is ignored.
    let script = format!("trap '' XFSZ; ulimit {limit}; exec \"$0\" \"$@\"");
    let ended = std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            &format!("logging::rotate::tests::{name}"),
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .output()
        .expect("a shell is there");
    let said = String::from_utf8_lossy(&ended.stdout);
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}{log}"
    );
    false
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn rotations_that_fail_lose_neither_a_line_nor_a_file_that_is_kept() {
    if !is_under(
        "-n 64",
        "rotations_that_fail_lose_neither_a_line_nor_a_file_that_is_kept",
    ) {
        return;
    }
    let path = path("no-descriptors");
    fs::write(path.with_extension("log.1"), "1\n").expect("a file");
    fs::write(path.with_extension("log.2"), "2\n").expect("a file");
    let mut file =
        RotatingFile::open(FileOptions::new(&*path).max_bytes(2).max_files(3)).expect("it opens");
    let open = || fs::File::open("/dev/null");
    let held: Vec<_> = std::iter::from_fn(|| open().ok()).collect();
    for _ in 0..5 {
        tokio::time::sleep(super::RETRY_PERIOD).await;
        file.write(b"x\n").expect("it is written on");
    }
    drop(held);
    assert_eq!(
        files(&path),
        named(&[
            ("app.log", "x\nx\nx\nx\nx\n"),
            ("app.log.1", "1\n"),
            ("app.log.2", "2\n")
        ])
    );
    tokio::time::sleep(super::RETRY_PERIOD).await;
    file.write(b"y\n").expect("there is room");
    assert_eq!(
        files(&path),
        named(&[
            ("app.log", "y\n"),
            ("app.log.1", "x\nx\nx\nx\nx\n"),
            ("app.log.2", "1\n")
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn a_gap_among_the_files_that_are_kept_is_filled_before_one_is_lost() {
    let path = path("gap");
    for number in [2, 3] {
        let aside = path.with_extension(format!("log.{number}"));
        fs::write(aside, format!("{number}\n")).expect("a file");
    }
    let mut file =
        RotatingFile::open(FileOptions::new(&*path).max_bytes(2).max_files(4)).expect("it opens");
    file.write(b"a\n").expect("there is room");
    file.write(b"b\n").expect("there is room");
    assert_eq!(
        files(&path),
        named(&[
            ("app.log", "b\n"),
            ("app.log.1", "a\n"),
            ("app.log.2", "2\n"),
            ("app.log.3", "3\n")
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_is_written_to_the_file_that_was_moved_when_no_other_can_be_opened() {
    let path = path("no-other");
    let mut file = RotatingFile::open(FileOptions::new(&*path)).expect("it opens");
    file.write(b"1\n").expect("there is room");
    let moved = path.with_extension("old");
    fs::rename(&path, &moved).expect("it is there");
    // Nobody can open a folder to write to it.
    fs::create_dir(&path).expect("a folder");
    tokio::time::sleep(super::CHECK_PERIOD).await;
    file.write(b"2\n").expect("it is written on");
    assert_eq!(fs::read_to_string(&moved).expect("text"), "1\n2\n");
    assert!(
        file.trouble().is_some() && file.trouble().is_none(),
        "told once"
    );
    fs::remove_file(&moved).expect("it is there");
    tokio::time::sleep(super::RETRY_PERIOD).await;
    for _ in 0..2 {
        assert!(
            file.write(b"3\n").is_err(),
            "it would be written to nowhere"
        );
    }
    fs::remove_dir(&path).expect("it is there");
    file.write(b"4\n").expect("there is room");
    assert_eq!(files(&path), named(&[("app.log", "4\n")]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_of_which_there_is_room_for_half_is_taken_back_and_the_next_is_whole() {
    if !is_under(
        "-f 8",
        "a_line_of_which_there_is_room_for_half_is_taken_back_and_the_next_is_whole",
    ) {
        return;
    }
    let path = path("half");
    let mut file = RotatingFile::open(FileOptions::new(&*path).max_bytes(0)).expect("it opens");
    let line = [&[b'x'; 2_999][..], b"\n"].concat();
    file.write(&line).expect("there is room");
    assert!(file.write(&line).is_err(), "the limit is 4 KiB");
    file.write(b"short\n").expect("there is room");
    let text = fs::read_to_string(&path).expect("text");
    assert_eq!(text.len(), 3_006);
    assert!(text.ends_with("x\nshort\n"));
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo is there").success());
}

#[cfg(unix)]
#[test]
fn behind_a_link_the_file_is_put_aside_and_the_link_stays() {
    let target = path("behind-link");
    let link = target.with_file_name("link");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    let mut file = RotatingFile::open(FileOptions::new(&link).max_bytes(8)).expect("it opens");
    for line in ["first\n", "second\n"] {
        file.write(line.as_bytes()).expect("there is room");
    }
    assert_eq!(fs::read_link(&link).expect("it is a link"), *target);
    assert_eq!(
        files(&target),
        named(&[
            ("app.log", "second\n"),
            ("app.log.1", "first\n"),
            ("link", "second\n")
        ])
    );
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_pipe_is_never_put_aside_and_nobody_waits_for_its_reader() {
    use std::io::Read;
    use std::os::unix::fs::FileTypeExt;

    let path = path("pipe");
    make_pipe(&path);
    let options = FileOptions::new(&*path).max_bytes(8);
    let open = fs::File::options().read(true).write(true).open(&path);
    let mut reader = open.expect("a pipe");
    let mut file = RotatingFile::open(options).expect("somebody reads");
    for line in ["first\n", "second\n"] {
        tokio::time::sleep(super::RETRY_PERIOD).await;
        file.write(line.as_bytes()).expect("there is room");
    }
    let mut read = [0; 13];
    reader.read_exact(&mut read).expect("it was written");
    assert_eq!(&read, b"first\nsecond\n");
    let found = fs::symlink_metadata(&path).expect("it is there");
    assert!(found.file_type().is_fifo());
    assert!(fs::symlink_metadata(path.with_extension("log.1")).is_err());
    // Not the same one: a process that another test starts has our descriptors until its own program begins.
    let unread = self::path("unread-pipe");
    make_pipe(&unread);
    RotatingFile::open(FileOptions::new(&*unread)).expect_err("nobody reads");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_link_that_takes_the_file_s_place_is_not_followed() {
    let path = path("swapped");
    let mut file = RotatingFile::open(FileOptions::new(&*path)).expect("it opens");
    file.write(b"1\n").expect("there is room");
    let (moved, precious) = (path.with_extension("old"), path.with_extension("secret"));
    fs::write(&precious, "precious").expect("a file");
    fs::rename(&path, &moved).expect("it is there");
    std::os::unix::fs::symlink(&precious, &path).expect("a link");
    file.reopen().expect_err("it is a link now");
    tokio::time::sleep(super::CHECK_PERIOD).await;
    file.write(b"2\n").expect("the old one is written on");
    assert!(file.trouble().is_some());
    assert_eq!(fs::read_to_string(&precious).expect("text"), "precious");
    assert_eq!(fs::read_to_string(&moved).expect("text"), "1\n2\n");
}

#[cfg(unix)]
#[test]
fn a_new_file_may_be_read_by_whom_the_old_one_could() {
    use std::os::unix::fs::PermissionsExt;

    let path = path("mode");
    for max_files in [1, 2] {
        let options = FileOptions::new(&*path).max_bytes(2).max_files(max_files);
        let mut file = RotatingFile::open(options).expect("it opens");
        file.write(b"1\n").expect("there is room");
        let odd = fs::Permissions::from_mode(0o640);
        fs::set_permissions(&path, odd).expect("it is ours");
        file.write(b"2\n").expect("there is room");
        let found = fs::metadata(&path).expect("it is there");
        assert_eq!(found.permissions().mode() & 0o777, 0o640);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
}

#[cfg(unix)]
#[test]
fn one_file_alone_is_another_so_that_its_age_begins_anew_for_the_next_process_too() {
    use std::os::unix::fs::MetadataExt;

    let path = path("one-age");
    let number = || fs::metadata(&path).expect("it is there").ino();
    let mut file =
        RotatingFile::open(FileOptions::new(&*path).max_bytes(2).max_files(1)).expect("it opens");
    file.write(b"1\n").expect("there is room");
    let before = number();
    file.write(b"2\n").expect("there is room");
    assert_ne!(number(), before, "a file is as old as it has been there");
    assert_eq!(files(&path), named(&[("app.log", "2\n")]));
}
