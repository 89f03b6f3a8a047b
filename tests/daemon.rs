//! Claims on a daemon as a process: real signals, real HTTP, its exit code.
//!
//! The test binary runs itself again: with `PERENNIAL_TEST_DAEMON` set, [`daemon_process`] is the
//! daemon, and without it does nothing.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]
#![cfg(all(unix, feature = "daemon"))]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use perennial::policy::stop::OnHung;
use perennial::{Backoff, BoxError, Child, Daemon, Supervisor};
use tokio::sync::Notify;
use tokio::time::Instant;

const ROLE: &str = "PERENNIAL_TEST_DAEMON";

/// How long a process may take to do what a test waits for; a busy machine needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a process.
const POLL: Duration = Duration::from_millis(10);

/// What the second process does, by the role it was given.
fn tree(role: &str) -> Supervisor {
    let idle = Child::task("idle", |cx| async move {
        cx.shutdown().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app").child(idle);
    match role {
        "crashing" => tree.child(Child::task("crash", |cx| async move {
            if cx.incarnation() <= 3 {
                tokio::task::yield_now().await;
                return Err::<(), BoxError>("not yet".into());
            }
            cx.shutdown().await;
            Ok(())
        })),
        "deaf" => tree.child(
            Child::blocking("deaf", |_cx| {
                loop {
                    std::thread::park();
                }
            })
            .stop_timeout(Duration::from_secs(60)),
        ),
        "melting" => tree
            .intensity(2, Duration::from_secs(60))
            .backoff(Backoff::none())
            .child(Child::task("crash", |_cx| async {
                tokio::task::yield_now().await;
                Err("always".into())
            })),
        "stuck" => stuck(tree),
        "unstartable" => tree.child(Child::step("migrate", |_cx| async {
            Err("no schema".into())
        })),
        _ => tree,
    }
}

/// A child that hangs ends the process; in the shutdown that follows every thread is blocked.
fn stuck(tree: Supervisor) -> Supervisor {
    let block = || loop {
        std::thread::park();
    };
    let root = tree.handle();
    let blocks = Arc::new(Notify::new());
    let hangs = Child::task_with(
        "hangs",
        Arc::clone(&blocks),
        move |_cx, blocks| async move {
            tokio::task::yield_now().await;
            // From another thread: a wake-up by the one that blocks would stay with it.
            std::thread::spawn(move || blocks.notify_one());
            block()
        },
    );
    let asks = Child::task("asks", move |_cx| {
        let (root, blocks) = (root.clone(), Arc::clone(&blocks));
        async move {
            blocks.notified().await;
            // Never answered in time: what it asks for ends the process.
            drop(root.stop_child("hangs").await);
            Ok(())
        }
    });
    let hangs = hangs.stop_timeout(Duration::ZERO);
    let mut tree = tree
        .shutdown_budget(Duration::from_millis(100))
        .child(hangs.on_hung(OnHung::EndProcess))
        .child(asks);
    for number in 0..8 {
        let child = Child::task(format!("blocks{number}"), move |cx| async move {
            cx.shutdown_began().await;
            block()
        });
        tree = tree.child(child);
    }
    tree
}

#[test]
fn daemon_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let graceful = if role == "deaf" {
        Duration::from_secs(60)
    } else {
        Duration::from_secs(5)
    };
    let code = Daemon::new("test")
        .tree(tree(&role))
        .graceful(graceful)
        .http(SocketAddr::from(([127, 0, 0, 1], 0)))
        .on_http_bound(|address| println!("\nhttp={address}"))
        .run();
    // The harness would turn the code into its own.
    std::process::exit(if code == std::process::ExitCode::SUCCESS {
        0
    } else {
        exit_code(code)
    });
}

/// Reads a code out of its debug form: `ExitCode` has no other way.
fn exit_code(code: std::process::ExitCode) -> i32 {
    let digits: String = format!("{code:?}")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("an exit code is a number")
}

/// A daemon in a process of its own; killed if the test ends early.
struct Running {
    process: Process,
    http: SocketAddr,
}

impl Running {
    fn start(role: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "daemon_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the test runs again");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let line = lines.find_map(|line| line.ok()?.strip_prefix("http=").map(str::to_owned));
        let http = line
            .expect("it says where it listens")
            .parse()
            .expect("an address");
        Self { process, http }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.http).expect("it listens");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Asks again until the answer is as wanted.
    fn until(&self, path: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "not in time: {path}\n{answer}");
            std::thread::park_timeout(POLL);
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    /// Lets nobody read what the process logs from now on.
    fn close_stderr(&mut self) {
        drop(self.process.stderr.take());
    }

    /// Waits for the end; returns the code and what stood on stderr.
    fn end(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            stderr.read_to_string(&mut log).expect("text");
        }
        (self.process.wait().expect("it ended"), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended and was waited for.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn sigterm_ends_a_healthy_daemon_with_code_0_and_a_report() {
    let daemon = Running::start("healthy");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 200"));
    assert!(daemon.get("/livez").starts_with("HTTP/1.1 200"));
    daemon.signal("TERM");
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("shutdown (SIGTERM): root shut down"), "{log}");
}

#[test]
fn a_daemon_outlives_the_reader_of_its_log() {
    let mut daemon = Running::start("healthy");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 200"));
    daemon.close_stderr();
    // The beginning of the shutdown is logged, and the report is printed.
    daemon.signal("TERM");
    let (status, _nobody_read_it) = daemon.end();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn restarts_are_scraped_by_path_and_reason() {
    let daemon = Running::start("crashing");
    let wanted = "perennial_restarts_total{path=\"/app/crash\",reason=\"failed\"} 3";
    let metrics = daemon.until("/metrics", |answer| answer.contains(wanted));
    assert!(
        metrics
            .to_lowercase()
            .contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n")
    );
    assert!(
        metrics.contains("perennial_child_up{path=\"/app/crash\"} 1"),
        "{metrics}"
    );
    let tree = daemon.get("/tree");
    assert!(tree.contains("\"/app/crash\""), "{tree}");
    daemon.signal("INT");
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_second_signal_forces_the_end_and_names_what_is_alive() {
    let daemon = Running::start("deaf");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 200"));
    daemon.signal("TERM");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 503"));
    daemon.signal("INT");
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(128 + 2), "{log}");
    assert!(log.contains("/app/deaf"), "{log}");
}

#[test]
fn a_shutdown_that_no_signal_asked_for_ends_the_process_though_every_thread_is_blocked() {
    let (status, log) = Running::start("stuck").end();
    assert_eq!(status.code(), Some(70), "{log}");
    assert!(log.contains("/app/blocks0"), "{log}");
}

#[test]
fn a_meltdown_of_the_root_ends_with_code_70() {
    let (status, log) = Running::start("melting").end();
    assert_eq!(status.code(), Some(70), "{log}");
    assert!(log.contains("restarted its children too often"), "{log}");
}

#[test]
fn a_failed_initial_start_ends_with_code_70_and_names_the_child() {
    let (status, log) = Running::start("unstartable").end();
    assert_eq!(status.code(), Some(70), "{log}");
    assert!(
        log.contains("/app/migrate did not start: failed: no schema"),
        "{log}"
    );
}
