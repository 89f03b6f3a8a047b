//! A process of its own that is a daemon with one task: from its start until it is ready, and what it keeps.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use perennial::{Child, Daemon, Supervisor};
use tokio::time::Instant;

use super::heat;
use crate::heat::{Effort, Figures, Heat, Must, percentile};

/// What the league says to its own program; the name of a library follows.
pub(crate) const ALONE: &str = "--alone";

/// What a daemon's task says when it runs.
pub(super) const UP: &str = "up";

/// How many processes are started.
const STARTS: usize = 50;

/// Longer than a start takes on any machine; it only ends a run that failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for a daemon to have done all that it does at its start.
const SETTLED: Duration = Duration::from_millis(300);

/// Is a daemon until it is killed.
pub(crate) fn be_alone(library: &str) -> ExitCode {
    match library {
        "perennial" => ours(),
        #[cfg(feature = "peers")]
        "proc-daemon" => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.enable_all().build().expect("a runtime");
            runtime.block_on(super::proc_daemon::live());
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(2),
    }
}

/// With everything that it has by default, on a port that is free.
fn ours() -> ExitCode {
    let task = Child::task("task", |cx| async move {
        println!("{UP}");
        cx.shutdown().await;
        Ok(())
    });
    Daemon::new("alone")
        .arguments([])
        .http(SocketAddr::from(([127, 0, 0, 1], 0)))
        .tree(Supervisor::one_for_one("app").child(task))
        .run()
}

/// The process, which is ended with this.
struct Alone(std::process::Child);

impl Alone {
    /// Starts it; `socket` is where it says that it is ready.
    fn start(library: &str, socket: Option<&str>) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args([ALONE, library]);
        if let Some(socket) = socket {
            command.env("NOTIFY_SOCKET", socket);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().expect("this program runs"))
    }

    /// Waits until its task runs.
    fn is_up(&mut self) {
        let output = self.0.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        let is_up = lines.any(|line| line.is_ok_and(|line| line == UP));
        assert!(is_up, "it ended before it was up");
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn until_its_task_runs(library: &str, effort: Effort) -> Option<Figures> {
    let start = |_| {
        let began = Instant::now();
        let mut alone = Alone::start(library, None);
        alone.is_up();
        // Before it is ended, which is waited for.
        began.elapsed()
    };
    let mut took: Vec<Duration> = (0..effort.of(STARTS)).map(start).collect();
    Some(vec![percentile(&mut took, 0.5)])
}

fn until_ready(effort: Effort) -> Option<Figures> {
    let path = std::env::temp_dir().join(format!("perf-league-{}", std::process::id()));
    let socket = UnixDatagram::bind(&path).expect("it can be bound");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("it can be set");
    let start = |_| {
        let began = Instant::now();
        let _alone = Alone::start("perennial", path.to_str());
        let mut message = [0; 4_096];
        loop {
            let length = socket.recv(&mut message).expect("it says so");
            if message[..length].starts_with(b"READY=1") {
                return began.elapsed();
            }
        }
    };
    let mut took: Vec<Duration> = (0..effort.of(STARTS)).map(start).collect();
    std::fs::remove_file(&path).expect("it is there");
    Some(vec![percentile(&mut took, 0.5)])
}

fn resident(library: &str) -> Option<Figures> {
    let mut alone = Alone::start(library, None);
    alone.is_up();
    std::thread::park_timeout(SETTLED);
    let path = format!("/proc/{}/statm", alone.0.id());
    let text = std::fs::read_to_string(path).expect("Linux");
    let pages: f64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(vec![pages * 4_096.0])
}

pub(super) fn heats() -> Vec<Heat> {
    let peers = |_run: super::Run| -> Vec<(&'static str, super::Run, Must)> {
        vec![
            #[cfg(feature = "peers")]
            ("proc-daemon", _run, Must::Any),
        ]
    };
    vec![
        heat(
            "a process is started, until its first task runs",
            ("p50", "ns"),
            ("perennial", |effort| {
                until_its_task_runs("perennial", effort)
            }),
            peers(|effort| until_its_task_runs("proc-daemon", effort)),
        ),
        heat(
            "a process is started, until it says READY=1",
            ("p50", "ns"),
            ("perennial", until_ready),
            peers_that_are_ours(),
        ),
        heat(
            "a daemon with one idle task, probes and metrics",
            ("resident", "bytes"),
            ("perennial", |_effort| resident("perennial")),
            peers(|_effort| resident("proc-daemon")),
        ),
    ]
}

/// Nobody else says it.
fn peers_that_are_ours() -> Vec<(&'static str, super::Run, Must)> {
    let task = |effort| until_its_task_runs("perennial", effort);
    vec![("perennial, its first task", task, Must::Any)]
}
