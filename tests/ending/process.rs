//! A daemon as a second process: how to tell it something, and how it ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child as Process, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::Instant;

pub(crate) const ROLE: &str = "PERENNIAL_TEST_ENDING";

/// What is set in its configuration, one a line.
pub(crate) const SET: &str = "PERENNIAL_TEST_ENDING_SET";

/// How long a process may take to do what a test waits for; a busy machine needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a process.
const POLL: Duration = Duration::from_millis(5);

/// A daemon in a process of its own; killed if the test ends early.
pub(crate) struct Daemon {
    process: Process,
    stdout: BufReader<ChildStdout>,
    http: String,
}

/// How a daemon ended.
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    /// What stood on stderr.
    pub(crate) log: String,
    /// How long it took, from the call on.
    pub(crate) took: Duration,
}

impl Daemon {
    /// Starts a daemon with a ladder in milliseconds.
    pub(crate) fn start(role: &str, ladder: [u32; 3]) -> Self {
        Self::start_with(role, ladder, &[], &[])
    }

    pub(crate) fn start_with(
        role: &str,
        [graceful, force, kill]: [u32; 3],
        set: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut lines = vec![
            format!("shutdown.graceful_ms={graceful}"),
            format!("shutdown.force_ms={force}"),
            format!("shutdown.kill_ms={kill}"),
        ];
        lines.extend(set.iter().map(|line| (*line).to_owned()));
        let mut process = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "daemon_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .env_remove("RUST_LOG")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env(ROLE, role)
            .env(SET, lines.join("\n"))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the test runs again");
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        let http = String::new();
        Self {
            process,
            stdout,
            http,
        }
    }

    /// Waits for a line that the daemon says.
    pub(crate) fn hears(&mut self, wanted: &str) {
        self.find(|line| (line == format!("@{wanted}")).then_some(()));
    }

    /// Waits until it serves HTTP, and then for a line.
    pub(crate) fn serves_and_says(mut self, wanted: &str) -> Self {
        self.http = self.find(|line| line.strip_prefix("@http ").map(str::to_owned));
        self.hears(wanted);
        self
    }

    fn find<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let mut line = String::new();
        loop {
            line.clear();
            if self.stdout.read_line(&mut line).expect("text") == 0 {
                panic!("the daemon ended: {}", self.read_log());
            }
            if let Some(found) = wanted(line.trim_end()) {
                return found;
            }
        }
    }

    fn read_log(&mut self) -> String {
        let mut log = Vec::new();
        let stderr = self.process.stderr.as_mut().expect("piped");
        stderr.read_to_end(&mut log).expect("it can be read");
        String::from_utf8_lossy(&log).into_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    /// Tells the daemon something on its stdin.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.process.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("it reads");
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).expect("it listens");
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
    pub(crate) fn until(&self, path: &str, wanted: impl Fn(&str) -> bool) -> String {
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

    /// Waits until nothing can be written to the stderr of the daemon any more, which nobody reads.
    pub(crate) fn log_is_full(&mut self) {
        self.hears("full");
    }

    /// Sends a signal again and again until it has ended.
    pub(crate) fn signal_until_end(mut self, name: &str) -> End {
        let began = Instant::now();
        let deadline = began + PATIENCE;
        while self.process.try_wait().expect("it is ours").is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            // Fails when it has ended meanwhile.
            let _sent = Command::new("kill")
                .args(["-s", name, &self.process.id().to_string()])
                .stderr(Stdio::null())
                .status();
            std::thread::park_timeout(POLL);
        }
        self.end_of(began)
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(self, name: &str) -> End {
        let began = Instant::now();
        self.signal(name);
        self.end_of(began)
    }

    pub(crate) fn end(self) -> End {
        self.end_of(Instant::now())
    }

    fn end_of(mut self, began: Instant) -> End {
        let log = self.read_log();
        let status = self.process.wait().expect("it ended");
        end(status, log, began)
    }

    /// The same, of one whose stderr is read after its end only.
    pub(crate) fn end_unread_by(mut self, name: &str) -> End {
        let began = Instant::now();
        self.signal(name);
        let status = self.process.wait().expect("it ended");
        let log = self.read_log();
        end(status, log, began)
    }
}

fn end(status: ExitStatus, log: String, began: Instant) -> End {
    End {
        code: status.code(),
        log,
        took: began.elapsed(),
    }
}

impl End {
    /// Claims the code, that it was gone before an instant of its ladder, in milliseconds, and what its
    /// report says.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, before: u32, says: &[&str]) {
        let log = &self.log;
        assert_eq!(self.code, Some(code), "{log}");
        let before = Duration::from_millis(before.into());
        assert!(
            self.took < before,
            "{:?} and not {before:?}\n{log}",
            self.took
        );
        for text in says {
            let words: Vec<_> = text.split(' ').collect();
            let is_said = log.lines().any(|line| {
                let mut found = line.split_whitespace();
                words.iter().all(|word| found.any(|have| have == *word))
            });
            assert!(is_said, "no line with {text:?}\n{log}");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail for a process that has ended and was waited for.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
