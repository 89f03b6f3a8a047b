//! The example `syslogd` as a process: what it acknowledged is stored exactly once, whatever crashes.
//!
//! 10 000 lines, or 100 000 when `PERENNIAL_LONG` is set.
#![cfg(all(unix, feature = "daemon"))]
#![allow(
    clippy::expect_used,
    reason = "the helpers of a test may fail by panicking, as the test may"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::Instant;

const SUBSYSTEMS: [&str; 5] = ["store", "parser", "udp", "tcp", "connections"];

/// How many lines the client sends ahead of the last ACK: enough to fill batches, few enough that a run
/// lasts through many crashes.
const WINDOW: u64 = 200;

const CRASH_EVERY: Duration = Duration::from_millis(100);

/// Between two looks at something in another process.
const POLL: Duration = Duration::from_millis(10);

const PATIENCE: Duration = Duration::from_secs(20);

fn binary() -> PathBuf {
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
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
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
struct Collector {
    process: Child,
    addresses: BTreeMap<String, SocketAddr>,
    stderr: Option<JoinHandle<String>>,
}

impl Collector {
    fn start(dir: &Path, more: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let mut process = Command::new(binary())
            .args(["--udp", any, "--tcp", any, "--http", any, "--dir"])
            .arg(dir)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut stderr = process.stderr.take().expect("it is piped");
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(stderr.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let announced = lines_of(process.stdout.take().expect("it is piped"));
        let mut collector = Self {
            process,
            addresses: BTreeMap::new(),
            stderr: Some(stderr),
        };
        let expected = 3 + usize::from(more.contains(&"--chaos"));
        while collector.addresses.len() < expected {
            let line = announced
                .recv_timeout(PATIENCE)
                .expect("the collector says where it listens");
            let (what, address) = line
                .strip_prefix("syslogd: ")
                .and_then(|rest| rest.split_once(" listening on "))
                .expect("an announcement");
            collector
                .addresses
                .insert(what.to_owned(), address.parse().expect("an address"));
        }
        collector
    }

    fn address(&self, what: &str) -> SocketAddr {
        self.addresses[what]
    }

    /// Sends SIGTERM; returns how the process ended and what stood on its stderr.
    fn terminate(mut self) -> (ExitStatus, String) {
        let kill = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .expect("kill runs");
        assert!(kill.success());
        let status = until("the collector ends", || {
            self.process.try_wait().expect("it is our child")
        });
        let stderr = self
            .stderr
            .take()
            .expect("taken once")
            .join()
            .expect("the reader ends");
        (status, stderr)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Asks again and again, as another process sends no event.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
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

fn query(dir: &Path) -> serde_json::Value {
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

fn by_program(counts: &serde_json::Value) -> BTreeMap<&str, u64> {
    let rows = counts["by_program"].as_array().expect("a list");
    rows.iter()
        .map(|row| {
            (
                row["name"].as_str().expect("a name"),
                row["lines"].as_u64().expect("a count"),
            )
        })
        .collect()
}

/// An acknowledged client that comes back after every loss.
struct Client {
    address: SocketAddr,
    lines: u64,
    acknowledged: u64,
    connections: u64,
    silences: u64,
}

impl Client {
    fn send_all(&mut self, deadline: Instant) {
        while self.acknowledged < self.lines {
            assert!(
                Instant::now() < deadline,
                "only {} of {} lines acknowledged",
                self.acknowledged,
                self.lines
            );
            if let Err(error) = self.converse() {
                self.silences += u64::from(error.kind() == std::io::ErrorKind::WouldBlock);
                thread::park_timeout(POLL);
            }
        }
    }

    /// Sends until all is acknowledged or the connection ends.
    fn converse(&mut self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"HELLO web-1\n")?;
        let mut answers = BufReader::new(stream.try_clone()?);
        self.hear(&mut answers)?;
        self.connections += 1;
        let mut sent = self.acknowledged;
        while self.acknowledged < self.lines {
            let mut batch = String::new();
            while sent < self.lines.min(self.acknowledged + WINDOW) {
                sent += 1;
                // Each line has a program of its own, so that a query tells how often it is there.
                batch.push_str(&format!("{sent} <13>1 - web p{sent} - - - line {sent}\n"));
            }
            stream.write_all(batch.as_bytes())?;
            self.hear(&mut answers)?;
        }
        Ok(())
    }

    fn hear(&mut self, answers: &mut impl BufRead) -> std::io::Result<()> {
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        let Some(number) = answer
            .strip_prefix("ACK ")
            .and_then(|rest| rest.strip_suffix('\n'))
        else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let number = number.parse().expect("a number");
        assert!(
            number >= self.acknowledged,
            "ACK {number} takes back ACK {}",
            self.acknowledged
        );
        self.acknowledged = number;
        Ok(())
    }
}

/// Crashes a random subsystem again and again until told to stop; returns how often each one.
fn crash(chaos: SocketAddr, stop: &mpsc::Receiver<()>) -> BTreeMap<&'static str, u64> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut stream = TcpStream::connect(chaos).expect("the chaos port is open");
    let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut crashes = BTreeMap::new();
    while stop.recv_timeout(CRASH_EVERY) == Err(RecvTimeoutError::Timeout) {
        let name = SUBSYSTEMS[random.usize(..SUBSYSTEMS.len())];
        stream
            .write_all(format!("panic {name}\n").as_bytes())
            .expect("the chaos port stays");
        let mut answer = String::new();
        answers
            .read_line(&mut answer)
            .expect("the chaos port answers");
        // A subsystem that is down already can't crash.
        *crashes.entry(name).or_default() += u64::from(answer == "ok\n");
    }
    crashes
}

fn scrape(http: SocketAddr) -> String {
    let mut stream = TcpStream::connect(http).expect("HTTP is open");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    response
}

/// Adds up the restarts of one path over all reasons.
fn restarts(metrics: &str, path: &str) -> u64 {
    let label = format!("path=\"{path}\"");
    let of_path = metrics
        .lines()
        .filter(|line| line.starts_with("perennial_restarts_total{") && line.contains(&label));
    of_path
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[test]
fn every_acknowledged_line_is_stored_exactly_once_while_subsystems_crash() {
    let long = std::env::var_os("PERENNIAL_LONG").is_some();
    let lines = if long { 100_000 } else { 10_000 };
    let scratch = Scratch::new("chaos");
    let options = [
        "--ack",
        "--fsync",
        "interval=20",
        "--segment-bytes",
        "200000",
        "--chaos",
        "127.0.0.1:0",
    ];
    let collector = Collector::start(&scratch.0, &options);
    let chaos = collector.address("chaos");
    let (stop, stopped) = mpsc::channel();
    let crashing = thread::spawn(move || crash(chaos, &stopped));

    let began = Instant::now();
    let mut client = Client {
        address: collector.address("tcp"),
        lines,
        acknowledged: 0,
        connections: 0,
        silences: 0,
    };
    client.send_all(began + Duration::from_secs(if long { 600 } else { 120 }));
    let took = began.elapsed();
    drop(stop);
    let crashes = crashing.join().expect("the crashing goes on to the end");

    let metrics = scrape(collector.address("http"));
    let restarted = ["store", "parser", "listeners/udp", "listeners/tcp"]
        .map(|path| (path, restarts(&metrics, &format!("/syslogd/{path}"))));
    println!(
        "{lines} lines in {took:?}, {} connections, {} silences, crashes {crashes:?}, restarts {restarted:?}",
        client.connections, client.silences
    );
    assert!(
        crashes.values().sum::<u64>() >= 3,
        "too few crashes to prove anything: {crashes:?}"
    );
    let total: u64 = restarted.iter().map(|(_, count)| count).sum();
    assert!(total > 0, "no restart was counted:\n{metrics}");

    let (status, stderr) = collector.terminate();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(
        stderr.contains("shutdown (") && stderr.contains("allotted"),
        "no report:\n{stderr}"
    );
    let counts = query(&scratch.0);
    let stored = by_program(&counts);
    assert_eq!(
        (counts["lines"].as_u64(), counts["malformed"].as_u64()),
        (Some(lines), Some(0))
    );
    for number in 1..=lines {
        assert_eq!(
            stored.get(format!("p{number}").as_str()),
            Some(&1),
            "line {number}"
        );
    }
}

#[test]
fn the_logger_of_util_linux_is_understood_over_udp_and_tcp() {
    if Command::new("logger").arg("--version").output().is_err() {
        println!("skipped: logger is not installed");
        return;
    }
    let scratch = Scratch::new("logger");
    let collector = Collector::start(&scratch.0, &[]);
    for transport in ["udp", "tcp"] {
        for format in ["rfc5424", "rfc3164"] {
            let port = collector.address(transport).port().to_string();
            let status = Command::new("logger")
                .args([
                    "--server",
                    "127.0.0.1",
                    "--port",
                    &port,
                    &format!("--{transport}"),
                    &format!("--{format}"),
                ])
                .args(["--tag", &format!("{transport}-{format}"), "hello"])
                .status()
                .expect("logger runs");
            assert!(status.success(), "logger over {transport} as {format}");
        }
    }
    let counts = until("four lines are stored", || {
        Some(query(&scratch.0)).filter(|counts| counts["lines"].as_u64() >= Some(4))
    });
    assert_eq!(
        (counts["lines"].as_u64(), counts["malformed"].as_u64()),
        (Some(4), Some(0)),
        "{counts}"
    );
    let expected =
        ["tcp-rfc3164", "tcp-rfc5424", "udp-rfc3164", "udp-rfc5424"].map(|name| (name, 1));
    assert_eq!(by_program(&counts), BTreeMap::from(expected));
    assert_eq!(collector.terminate().0.code(), Some(0));
}

#[test]
fn a_wrong_command_line_exits_with_64() {
    let output = Command::new(binary())
        .arg("--nonsense")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--nonsense"));
}
