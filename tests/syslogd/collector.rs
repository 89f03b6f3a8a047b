//! The collector as a process: started, watched from outside, and ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// Between two looks at something in another process.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// How long another process may take to do what a test waits for; a busy machine needs a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Every child that is declared, in the order of the stop report, with `--chaos`.
pub(crate) const STATIC_PATHS: [&str; 8] = [
    "/syslogd",
    "/syslogd/listeners",
    "/syslogd/listeners/tcp",
    "/syslogd/listeners/udp",
    "/syslogd/connections",
    "/syslogd/parser",
    "/syslogd/store",
    "/syslogd/chaos",
];

pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its file");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("a test lies in target/PROFILE/deps");
    let binary = profile.join("examples").join("syslogd");
    assert!(
        binary.is_file(),
        "{} is missing: run `cargo build --example syslogd`",
        binary.display()
    );
    binary
}

/// A directory that is removed at the end of a test that passed.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("perennial-syslogd-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !thread::panicking() {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}

/// A running collector; killed if a test fails before its end.
pub(crate) struct Collector {
    process: Child,
    addresses: BTreeMap<String, SocketAddr>,
    log: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collector {
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(binary());
        Self::run(&mut command, dir, more)
    }

    /// Starts it by a command of one's own that ends in the program.
    pub(crate) fn run(command: &mut Command, dir: &Path, more: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let mut process = command
            .args(["--udp", any, "--tcp", any, "--http", any, "--dir"])
            .arg(dir)
            .args(more)
            // What is blocked holds a worker thread, and a machine may have but one or two.
            .env("TOKIO_WORKER_THREADS", "4")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let (log, reader) = collect(process.stderr.take().expect("it is piped"));
        let announced = lines_of(process.stdout.take().expect("it is piped"));
        let mut collector = Self {
            process,
            addresses: BTreeMap::new(),
            log,
            reader: Some(reader),
        };
        let expected = 3 + usize::from(more.contains(&"--chaos"));
        while collector.addresses.len() < expected {
            let line = announced.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{error}\n{}", collector.log()));
            let (what, address) = line
                .strip_prefix("syslogd: ")
                .and_then(|rest| rest.split_once(" listening on "))
                .expect("an announcement");
            let address = address.parse().expect("an address");
            collector.addresses.insert(what.to_owned(), address);
        }
        collector
    }

    pub(crate) fn address(&self, what: &str) -> SocketAddr {
        self.addresses[what]
    }

    /// What stands on its stderr by now.
    pub(crate) fn log(&self) -> String {
        let bytes = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Asks over HTTP; returns status line, headers and body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("http")).expect("HTTP is open");
        let patient = stream.set_read_timeout(Some(PATIENCE));
        patient.expect("a timeout that is not 0");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        response
    }

    /// Sends SIGTERM; returns how the process ended and what stood on its stderr.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        let kill = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .expect("kill runs");
        assert!(kill.success());
        let status = until("the collector ends", || {
            self.process.try_wait().expect("it is our child")
        });
        let reader = self.reader.take().expect("taken once");
        reader.join().expect("the reader ends");
        (status, self.log())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Reads to the end, so that the process never waits for a full pipe.
fn collect(mut output: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let log = Arc::<Mutex<Vec<u8>>>::default();
    let filled = Arc::clone(&log);
    let reader = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            let mut log = filled.lock().unwrap_or_else(PoisonError::into_inner);
            log.extend_from_slice(&buffer[..length]);
        }
    });
    (log, reader)
}

/// Asks again and again, as another process sends no event.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::park_timeout(POLL);
    }
}

fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    // Reads to the end, so that the process never waits for a full pipe.
    thread::spawn(move || {
        BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .for_each(|line| drop(sender.send(line)))
    });
    lines
}

pub(crate) fn query(dir: &Path) -> Value {
    let output = Command::new(binary())
        .args(["--query", "--json", "--dir"])
        .arg(dir)
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("a JSON object")
}

/// Reads one of the lists that a query makes, such as `by_program`.
pub(crate) fn lines_by<'a>(list: &str, counts: &'a Value) -> BTreeMap<&'a str, u64> {
    let rows = counts[list].as_array().expect("a list");
    rows.iter()
        .map(|row| {
            (
                row["name"].as_str().expect("a name"),
                row["lines"].as_u64().expect("a count"),
            )
        })
        .collect()
}
