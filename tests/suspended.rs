//! Claims on the watchdog in a process that does not run for a while, or has nothing to watch: nobody is
//! stuck by that.
//!
//! The test binary runs itself again: what is watched, the clock by which it is, and what SIGSTOP stops,
//! are a process' own.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and its other process speaks on stdout"
)]
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child as Process, ChildStdout, Command, Stdio};
use std::thread::park_timeout;
use std::time::Duration;

use perennial::{Child, Handle, Inbox, Running, Supervisor};

const ROLE: &str = "PERENNIAL_TEST_SUSPENDED";

/// How long a handler may await; it awaits far less while the process runs.
const AFTER: Duration = Duration::from_secs(3);

/// Longer than a handler may await.
const GAP: Duration = Duration::from_secs(4);

/// Long enough for some looks of the watchdog.
const LOOKS: Duration = Duration::from_secs(1);

/// Does what the role says, if this process has one.
#[tokio::test]
async fn other_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if role == "twice" {
        let (before, _handle) = start().await;
        drop(before.stop(Duration::from_secs(60)).await);
        tokio::time::sleep(GAP).await;
    }
    let (running, handle) = start().await;
    handle.cast(()).expect("it is up");
    let mut line = String::new();
    // The handler awaits what stands on stdin, too: this thread is not needed for that.
    let read = tokio::task::spawn_blocking(move || {
        std::io::stdin().read_line(&mut line).expect("text");
    });
    read.await.expect("no panic");
    println!("\n@stuck {}", running.snapshot().root.children[0].stuck);
    // The handler never ends: nothing is left to wait for.
    std::process::exit(0);
}

async fn start() -> (Running, Handle<()>) {
    let child = Child::worker("works", |_cx, mut inbox: Inbox<()>| async move {
        if inbox.recv().await.is_some() {
            println!("\n@handles");
            std::future::pending::<()>().await;
        }
        Ok(())
    });
    let child = child.stuck_after(AFTER);
    let handle = child.handle();
    let tree = Supervisor::one_for_one("app").child(child);
    (tree.start().await.expect("it starts"), handle)
}

/// This test in a process of its own, which is killed if it is not done by the end.
struct Other {
    process: Process,
    stdout: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "other_process", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test runs again");
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, stdout }
    }

    fn hears(&mut self, wanted: &str) {
        let mut line = String::new();
        while line.trim_end() != wanted {
            line.clear();
            let read = self.stdout.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended and did not say {wanted}");
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Asks how often its handler was found stuck.
    fn stuck(mut self) -> String {
        let mut stdin = self.process.stdin.take().expect("piped");
        writeln!(stdin, "how often?").expect("it reads");
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).expect("text");
        let lines = said.lines().filter_map(|line| line.strip_prefix("@stuck "));
        lines.collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Both fail for a process that has ended and was waited for.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn a_handler_is_not_stuck_because_the_process_was_suspended() {
    let mut other = Other::start("suspended");
    other.hears("@handles");
    other.signal("STOP");
    park_timeout(GAP);
    other.signal("CONT");
    park_timeout(LOOKS);
    assert_eq!(other.stuck(), "0");
}

#[test]
fn a_handler_is_not_stuck_because_nothing_was_watched_for_a_while() {
    let mut other = Other::start("twice");
    other.hears("@handles");
    park_timeout(LOOKS);
    assert_eq!(other.stuck(), "0");
}
