//! Logs of a process: where they go, how they look, what happens to a file.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::folder::Folder;
use crate::harness::{LINES_BEFORE_THE_END, LINES_OF_A_FLOOD, Running, until_file};

#[test]
fn json_lines_go_to_a_file_that_is_opened_anew_on_sigusr1_and_is_whole_at_the_end() {
    let folder = Folder::new("json");
    folder.write(
        "app.toml",
        "[logging]\nformat = \"json\"\nfile = \"app.log\"\n",
    );
    let mut running = Running::start(&folder, &[]);
    running.hears("pair 0");
    running.tell("before");
    let log = folder.path("app.log");
    until_file(&log, |text| text.contains("before"));
    std::fs::rename(&log, folder.path("moved.log")).expect("it is there");
    running.signal("USR1");
    until_file(&log, |_| log.exists());
    running.tell("after");
    until_file(&log, |text| text.contains("after"));
    assert_eq!(running.stop().0.code(), Some(0));
    let moved = std::fs::read_to_string(folder.path("moved.log")).expect("it is there");
    let new = std::fs::read_to_string(&log).expect("it is there");
    for line in moved.lines().chain(new.lines()) {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(line["level"].is_string() && line["fields"]["message"].is_string());
    }
    assert!(moved.contains("before") && !moved.contains("after"));
}

#[test]
fn the_log_says_that_a_shutdown_began_before_the_first_child_has_stopped() {
    let folder = Folder::new("began");
    let mut running = Running::start(&folder, &[]);
    running.hears("pair 0");
    let (running, _started) = running.log_until("the tree is up");
    running.signal("TERM");
    // Its turn is first, and it goes on until nobody writes to its stdin any more.
    let (running, before) = running.log_until("shutdown began");
    assert!(before.contains("reason=SIGTERM"), "{before}");
    let (status, _said, log) = running.end_by_itself();
    assert!(status.success(), "{log}");
    // It had the time that it is given to hear of that.
    assert!(log.contains("killed=0 hung=0"), "{log}");
    assert!(!log.contains("shutdown began path=/app"), "{log}");
}

#[test]
fn a_full_file_is_put_aside() {
    let folder = Folder::new("rotate");
    folder.write(
        "app.toml",
        "[logging]\nfile = \"app.log\"\nmax_file_size_bytes = 4096\nmax_files = 3\n",
    );
    let mut running = Running::start(&folder, &[]);
    running.hears("pair 0");
    // Nothing but the lines is logged after that.
    until_file(&folder.path("app.log"), |text| {
        text.contains("the tree is up")
    });
    for number in 0..200 {
        running.tell(&format!("line {number} {}", "x".repeat(100)));
    }
    until_file(&folder.path("app.log"), |text| text.contains("line 199 "));
    assert_eq!(running.stop().0.code(), Some(0));
    let sizes = ["app.log", "app.log.1", "app.log.2"].map(|name| {
        std::fs::metadata(folder.path(name))
            .expect("it is there")
            .len()
    });
    assert!(sizes.iter().all(|size| *size <= 4_096), "{sizes:?}");
    assert!(!folder.path("app.log.3").exists());
}

#[test]
fn the_level_of_the_environment_stands_below_the_program_s_own_variable() {
    let folder = Folder::new("level");
    for (variables, is_shown) in [
        (&[("RUST_LOG", "debug")][..], true),
        (
            &[("RUST_LOG", "debug"), ("APP__LOGGING__LEVEL", "info")],
            false,
        ),
        (&[], false),
    ] {
        let mut running = Running::start_with("plain", &folder, &[], variables);
        running.hears("pair 0");
        running.tell("debug");
        running.tell("the end");
        let (status, log) = stop_after(running, "the end");
        assert_eq!(status, Some(0), "{log}");
        assert_eq!(log.contains("a detail"), is_shown, "{variables:?}: {log}");
        assert!(!log.contains('\u{1b}'), "no colours where no terminal is");
    }
}

/// Stops a daemon whose stderr has shown a text.
fn stop_after(running: Running, text: &str) -> (Option<i32>, String) {
    let (running, before) = running.log_until(text);
    let (status, _, log) = running.stop();
    (status.code(), before + &log)
}

#[test]
fn lines_in_the_journal_begin_with_their_priority() {
    let folder = Folder::new("journal");
    let running = Running::start_as_journal(&folder);
    let (running, log) = running.log_until("the tree is up");
    assert!(
        log.lines()
            .any(|line| line.starts_with("<6>") && line.contains("the tree is up")),
        "{log}"
    );
    assert_eq!(running.stop().0.code(), Some(0));
}

#[test]
fn a_subscriber_of_the_program_s_own_is_left_alone_and_said_so() {
    let folder = Folder::new("own-subscriber");
    let mut running = Running::start_with("own-subscriber", &folder, &[], &[]);
    running.hears_within("the program has a subscriber of its own, which stays");
    running.hears_within("the tree is up");
    let (status, _, log) = running.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("the tree is up"), "{log}");
}

#[test]
fn what_was_logged_before_a_start_that_failed_is_written() {
    let folder = Folder::new("not-started");
    folder.write("app.toml", "[logging]\nfile = \"app.log\"\n");
    let (status, _, log) = Running::start_with("no-tree", &folder, &[], &[]).end();
    assert!(
        !status.success() && log.contains("there is no tree"),
        "{log}"
    );
    let written = std::fs::read_to_string(folder.path("app.log")).expect("it is there");
    let last = format!("line {LINES_BEFORE_THE_END} before the end");
    assert!(
        written.trim_end().ends_with(&last),
        "{} bytes",
        written.len()
    );
}

#[test]
fn a_stderr_that_nobody_reads_holds_neither_the_start_nor_the_end() {
    let folder = Folder::new("unread");
    let mut running = Running::start_with("floods", &folder, &[], &[]);
    running.hears("pair 0");
    assert_eq!(running.stop_unread().code(), Some(0));
}

#[test]
fn that_lines_were_dropped_is_told_while_others_still_wait() {
    let folder = Folder::new("dropped");
    let mut running = Running::start_with("floods", &folder, &[], &[]);
    running.hears("pair 0");
    // There is room again once this is read.
    let (mut running, mut log) = running.log_until("log lines were dropped");
    running.tell("the end");
    let (running, rest) = running.log_until("the end");
    log.push_str(&rest);
    let told = log.find("log lines were dropped").expect("it was told");
    assert!(rest.contains(" flood "), "the queue was not empty then");
    let before = log[..told]
        .lines()
        .filter(|line| line.contains(" flood "))
        .count();
    assert!(
        before < LINES_OF_A_FLOOD / 2,
        "{before} lines were written first"
    );
    drop(running);
}

#[test]
fn a_stderr_that_does_not_block_and_is_read_slowly_gets_each_line_whole() {
    let folder = Folder::new("nonblocking");
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    theirs.set_nonblocking(true).expect("it can be set");
    let stderr = OwnedFd::from(theirs).into();
    let mut running = Running::start_to("logs-much", &folder, (&[], &[]), stderr);
    running.hears("pair 0");
    let reading = std::thread::spawn(move || {
        let (mut ours, mut log) = (ours, String::new());
        ours.read_to_string(&mut log).map(|_| log)
    });
    assert_eq!(running.stop_unread().code(), Some(0));
    let log = reading.join().expect("it reads").expect("text");
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" flood "))
        .collect();
    assert_eq!(
        lines.len(),
        3_000,
        "{}",
        &log[log.len().saturating_sub(2_000)..]
    );
    assert!(lines.iter().all(|line| line.ends_with(" done")));
}
