//! The daemon as a second process, and how to talk to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child as Process, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use perennial::config::Invalid;
use perennial::metrics::Registry;
use perennial::{Bus, Child, Daemon, Supervisor};
use tokio::time::Instant;

use crate::folder::{Folder, Pair};

const ROLE: &str = "PERENNIAL_TEST_ROLE";

/// The arguments, one a line.
const ARGUMENTS: &str = "PERENNIAL_TEST_ARGUMENTS";

/// How long a process may take to do what a test waits for; a busy machine needs a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How much is logged by a daemon that does not start; the queue has room for it.
pub(crate) const LINES_BEFORE_THE_END: usize = 1_000;

/// How many lines a daemon logs that logs as fast as it can: more than wait for a writer.
pub(crate) const LINES_OF_A_FLOOD: usize = 20_000;

/// Between two looks at a file.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// Runs the daemon if this process is one.
pub(crate) fn run_role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if role == "own-subscriber" {
        let own = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_target(false);
        own.with_writer(std::io::stdout)
            .try_init()
            .expect("nobody was first");
    }
    let lines = std::env::var(ARGUMENTS).unwrap_or_default();
    let arguments: Vec<_> = lines.lines().map(Into::into).collect();
    let registry = Registry::new();
    registry
        .counter("own_total", "The program's own.")
        .expect("new")
        .increment(7);
    let bus = Bus::new(8);
    let daemon = Daemon::new("app")
        .config::<Pair>()
        .arguments(arguments)
        .set("http.listen=127.0.0.1:0")
        .metrics(&registry)
        .reload_on(&bus)
        .validate(|_, new: &Pair| match new.pair.first == new.pair.last {
            true => Ok(()),
            false => Err(Invalid::at("pair.last", "differs from `pair.first`")),
        })
        .on_limit(|excess| {
            say(&format!(
                "limit {} {}",
                excess.resource.code(),
                excess.is_hard
            ))
        })
        .on_http_bound(|address| say(&format!("http {address}")))
        .tree_live(move |live| match role.as_str() {
            "no-tree" => {
                // Far more than the thread that writes gets done before the process could end.
                for number in 1..=LINES_BEFORE_THE_END {
                    tracing::info!("line {number} before the end");
                }
                Err("there is no tree".into())
            }
            "logs-much" => {
                for number in 0..3_000 {
                    tracing::info!("flood {number} {} done", "x".repeat(100));
                }
                Ok(tree(live.clone(), bus))
            }
            "floods" => {
                for number in 0..LINES_OF_A_FLOOD {
                    tracing::info!("flood {number} {} done", "x".repeat(100));
                }
                Ok(tree(live.clone(), bus))
            }
            "blocks" => Ok(blocks(tree(live.clone(), bus))),
            _ => Ok(tree(live.clone(), bus)),
        });
    std::process::exit(number_of(daemon.run()));
}

fn tree(live: perennial::config::Live<Pair>, bus: Bus<()>) -> Supervisor {
    let shows = Child::task_with("shows", live, |cx, live| async move {
        let mut section = live.section("pair");
        say(&format!("pair {}", section.seen().config().pair.first));
        loop {
            tokio::select! {
                now = section.changed() => say(&format!("pair {}", now.config().pair.first)),
                _by = cx.shutdown() => return Ok(()),
            }
        }
    });
    let hears = Child::blocking("hears", move |_cx| {
        for line in std::io::stdin().lines() {
            match line?.as_str() {
                "reload" => drop(bus.publish(())),
                "debug" => tracing::debug!("a detail"),
                line => tracing::info!("{line}"),
            }
        }
        Ok(())
    });
    Supervisor::one_for_one("app")
        .child(shows)
        .child(hears.restart(perennial::Restart::Temporary))
}

/// Adds what blocks both threads of the runtime once the file `block` is there.
fn blocks(tree: Supervisor) -> Supervisor {
    let blocks = |name: &str| {
        Child::task(name, |_cx| async {
            while !Path::new("block").exists() {
                tokio::time::sleep(POLL).await;
            }
            loop {
                std::thread::park();
            }
        })
    };
    tree.child(blocks("one")).child(blocks("other"))
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n@{line}").expect("the test reads");
    stdout.flush().expect("the test reads");
}

/// Reads a code out of its debug form: `ExitCode` has no other way.
fn number_of(code: ExitCode) -> i32 {
    let digits: String = format!("{code:?}")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("an exit code is a number")
}

/// A daemon in a process of its own, in a folder of the test's; killed if the test ends early.
pub(crate) struct Running {
    process: Process,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Self {
        Self::start_with("plain", folder, arguments, &[])
    }

    pub(crate) fn start_with(
        role: &str,
        folder: &Folder,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::start_to(role, folder, (arguments, variables), Stdio::piped())
    }

    /// Starts a daemon whose stderr goes somewhere else.
    pub(crate) fn start_to(
        role: &str,
        folder: &Folder,
        (arguments, variables): (&[&str], &[(&str, &str)]),
        stderr: Stdio,
    ) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "daemon_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .current_dir(AsRef::<Path>::as_ref(folder))
            .env_remove("RUST_LOG")
            .env(ROLE, role)
            .env(ARGUMENTS, arguments.join("\n"))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the test runs again");
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, stdout }
    }

    /// Ends the daemon by SIGTERM and reads nothing that it says before it has ended.
    pub(crate) fn stop_unread(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        self.signal("TERM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().expect("it is ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::park_timeout(POLL);
        }
    }

    /// Waits for a line that the daemon says.
    pub(crate) fn hears(&mut self, wanted: &str) {
        self.find(|line| (line == format!("@{wanted}")).then_some(()));
    }

    /// Waits for a line that begins so, and returns the rest.
    pub(crate) fn hears_of(&mut self, begin: &str) -> String {
        let begin = format!("@{begin} ");
        self.find(|line| line.strip_prefix(&begin).map(str::to_owned))
    }

    /// Waits for a line with this text anywhere in it.
    pub(crate) fn hears_within(&mut self, text: &str) {
        self.find(|line| line.contains(text).then_some(()));
    }

    fn find<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let mut line = String::new();
        loop {
            line.clear();
            if self.stdout.read_line(&mut line).expect("text") == 0 {
                let mut log = String::new();
                self.process
                    .stderr
                    .take()
                    .expect("piped")
                    .read_to_string(&mut log)
                    .expect("text");
                panic!("the daemon ended: {log}");
            }
            if let Some(found) = wanted(line.trim_end()) {
                return found;
            }
        }
    }

    /// Reads the log until it shows a text; what is read is returned and not read again.
    pub(crate) fn log_until(mut self, text: &str) -> (Self, String) {
        let stderr = self.process.stderr.as_mut().expect("piped");
        let (mut log, mut line) = (Vec::new(), Vec::new());
        let mut byte = [0];
        // Byte by byte: what comes after belongs to whoever reads next.
        while !(line.ends_with(b"\n") && String::from_utf8_lossy(&line).contains(text)) {
            if line.ends_with(b"\n") {
                log.append(&mut line);
            }
            assert_eq!(
                stderr.read(&mut byte).expect("it can be read"),
                1,
                "the daemon ended: {}",
                String::from_utf8_lossy(&log)
            );
            line.push(byte[0]);
        }
        log.append(&mut line);
        (self, String::from_utf8_lossy(&log).into_owned())
    }

    /// Starts the daemon as systemd does that sends its stderr to the journal.
    pub(crate) fn start_as_journal(folder: &Folder) -> Self {
        // The name of the stream is known once there is one: a shell looks at its own.
        let mut process = Command::new("sh")
            .args([
                "-c",
                "export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2); exec \"$@\"",
                "sh",
            ])
            .arg(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "daemon_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .current_dir(AsRef::<Path>::as_ref(folder))
            .env(ROLE, "plain")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the test runs again");
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, stdout }
    }

    /// Tells the daemon something on its stdin.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.process.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("it reads");
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn get(&self, address: &str, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Ends the daemon by SIGTERM.
    pub(crate) fn stop(mut self) -> (ExitStatus, String, String) {
        // What reads it ends with it.
        drop(self.process.stdin.take());
        self.signal("TERM");
        self.end()
    }

    /// Waits for the end that somebody else asked for.
    pub(crate) fn end_by_itself(mut self) -> (ExitStatus, String, String) {
        drop(self.process.stdin.take());
        self.end()
    }

    /// Waits for the end; returns the code and what stood on stdout and stderr.
    pub(crate) fn end(mut self) -> (ExitStatus, String, String) {
        let (mut said, mut log) = (String::new(), String::new());
        self.stdout.read_to_string(&mut said).expect("text");
        self.process
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut log)
            .expect("text");
        (self.process.wait().expect("it ended"), said, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended and was waited for.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Looks at a file until it is as wanted.
pub(crate) fn until_file(path: &Path, wanted: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if wanted(&text) {
            return text;
        }
        assert!(
            Instant::now() < deadline,
            "not in time: {}\n{text}",
            path.display()
        );
        std::thread::park_timeout(POLL);
    }
}

/// Asks again until the answer is as wanted.
pub(crate) fn until_answer(
    running: &Running,
    address: &str,
    path: &str,
    wanted: impl Fn(&str) -> bool,
) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = running.get(address, path);
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "not in time: {path}\n{answer}");
        std::thread::park_timeout(POLL);
    }
}
