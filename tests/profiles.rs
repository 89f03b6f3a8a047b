//! Profiles of a daemon, asked for on its admin socket. In a program of its own: its allocator counts.
#![cfg(unix)]
#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use perennial::profile::heap::Allocator;
use perennial::{Child, Daemon, Supervisor};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// How large the pieces are that the child keeps.
const KEPT_BYTES: usize = 100_000;

/// How many it keeps at most.
const MOST_KEPT: usize = 2_000;

/// Between two looks for the socket.
const POLL: Duration = Duration::from_millis(5);

struct Socket(PathBuf);

impl Socket {
    fn new(name: &str) -> Self {
        let name = format!("perennial-tests-profiles-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name).join("admin.sock"))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        drop(self.0.parent().map(std::fs::remove_dir_all));
    }
}

/// Connects as soon as somebody listens.
fn connect(socket: &Path) -> UnixStream {
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return stream,
            Err(_nobody_yet) => std::thread::park_timeout(POLL),
        }
    }
}

/// Asks for these at once, each on a connection of its own, and returns the answers.
fn ask<const N: usize>(socket: &Path, requests: [Value; N]) -> [Value; N] {
    let asked = requests.map(|request| {
        let mut stream = connect(socket);
        writeln!(stream, "{request}").expect("it reads");
        stream
    });
    asked.map(|stream| {
        let mut line = String::new();
        let read = BufReader::new(stream).read_line(&mut line);
        read.expect("it answers");
        serde_json::from_str(&line).expect("an answer is JSON")
    })
}

/// A daemon with a child that works, and keeps some memory once in a while.
fn daemon(socket: &Path) -> Daemon {
    let works = Child::blocking("works", |cx| {
        let mut kept = Vec::new();
        while !cx.is_stopping() {
            busy();
            if kept.len() < MOST_KEPT {
                kept.push(vec![1_u8; KEPT_BYTES]);
            }
        }
        Ok(())
    });
    Daemon::new("profiles")
        .without_http()
        .without_signals()
        .set(format!("admin.socket={}", socket.display()))
        .tree(Supervisor::one_for_one("app").child(works))
}

#[inline(never)]
fn busy() {
    let mut sum = 0_u64;
    for number in 0..1_000_000_u64 {
        sum = std::hint::black_box(sum.wrapping_mul(31) ^ number);
    }
}

/// In one test: of each kind there is one profile at a time in a process.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_shows_where_its_time_goes_and_its_memory_comes_from() {
    let socket = Socket::new("both");
    let running = tokio::spawn(daemon(&socket.0).run_async());
    let path = socket.0.clone();
    let talk = tokio::task::spawn_blocking(move || {
        let asks = |command: &str| json!({ "command": command, "seconds": 2 });
        let answers = ask(
            &path,
            [asks("profile"), asks("profile"), asks("heap"), asks("heap")],
        );
        let [shut] = ask(&path, [json!({ "command": "shutdown" })]);
        assert_eq!(shut["ok"], Value::Null);
        answers
    });
    let [profile, other_profile, heap, other_heap] = talk.await.expect("it is asked");
    let (report, _exit) = running.await.expect("it runs").expect("it starts");
    assert!(report.is_clean(), "{report}");
    for (one, other) in [(&profile, &other_profile), (&heap, &other_heap)] {
        let words = [one, other].map(|answer| answer["error"]["word"].clone());
        assert!(
            words.contains(&json!("in_progress")) && words.contains(&Value::Null),
            "one of two is taken: {words:?}"
        );
    }
    check_profile(done(&profile, &other_profile));
    check_heap(done(&heap, &other_heap));
}

/// Returns what the one that was not refused came to.
fn done<'a>(one: &'a Value, other: &'a Value) -> &'a Value {
    [one, other]
        .into_iter()
        .find_map(|answer| answer.get("ok"))
        .expect("one of them was taken")
}

fn check_profile(profile: &Value) {
    let folded = profile["folded"].as_str().expect("text");
    let counts = folded.lines().map(|line| {
        let (stack, count) = line.rsplit_once(' ').expect("a count behind each stack");
        assert!(!stack.is_empty(), "{line}");
        count.parse::<u64>().expect("a number")
    });
    assert_eq!(Some(counts.sum()), profile["samples"].as_u64());
    // A thread has the first 15 bytes of its child's path as its name.
    assert!(
        folded.lines().any(|line| line.contains("works")),
        "the child that works is seen: {folded}"
    );
}

fn check_heap(heap: &Value) {
    let number = |name: &str| heap[name].as_u64().expect("a number");
    assert!(number("kept_bytes") >= KEPT_BYTES as u64, "{heap:.200}");
    assert!(number("allocated_bytes") >= number("kept_bytes"));
    assert!(number("allocations") >= number("kept_allocations"));
    let dhat: Value = serde_json::from_str(heap["dhat"].as_str().expect("text")).expect("JSON");
    assert_eq!(dhat["mode"], "rust-heap");
}
