//! Panics on order: nothing that was acknowledged is lost or doubled, and the counters tell what happened.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::{Client, assert_stored_once};
use crate::collector::{Collector, PATIENCE, STATIC_PATHS, Scratch, query, until};
use crate::report::Report;
use crate::watch::{count, panicked, restarts, settled, total};

/// What can be crashed, and where it stands; `connections` are the children of that path.
const SUBSYSTEMS: [(&str, &str); 5] = [
    ("store", "/syslogd/store"),
    ("parser", "/syslogd/parser"),
    ("connections", "/syslogd/connections"),
    ("udp", "/syslogd/listeners/udp"),
    ("tcp", "/syslogd/listeners/tcp"),
];

const CRASH_EVERY: Duration = Duration::from_millis(100);

/// The orders that were heard, by subsystem: each ended one run by a panic, or several of `connections`.
type Crashes = BTreeMap<&'static str, u64>;

/// A conversation with the chaos port.
pub(crate) struct Chaos {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Chaos {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the chaos port is open");
        let patient = stream.set_read_timeout(Some(PATIENCE));
        patient.expect("a timeout that is not 0");
        let answers = BufReader::new(stream.try_clone().expect("a second handle"));
        Self { stream, answers }
    }

    /// Gives an order; returns the answer: `ok` once the subsystem heard it.
    pub(crate) fn order(&mut self, command: &str) -> String {
        let line = format!("{command}\n");
        let written = self.stream.write_all(line.as_bytes());
        written.expect("the chaos port stays");
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        read.expect("the chaos port answers");
        answer.trim_end().to_owned()
    }
}

/// Crashes a random subsystem again and again until told to stop.
fn crash(chaos: SocketAddr, stop: &mpsc::Receiver<()>) -> Crashes {
    let mut random = fastrand::Rng::with_seed(7);
    let mut chaos = Chaos::connect(chaos);
    let mut crashes = Crashes::new();
    while stop.recv_timeout(CRASH_EVERY) == Err(RecvTimeoutError::Timeout) {
        let (name, _) = SUBSYSTEMS[random.usize(..SUBSYSTEMS.len())];
        // One that is down already can't crash.
        let heard = chaos.order(&format!("panic {name}")) == "ok";
        *crashes.entry(name).or_default() += u64::from(heard);
    }
    crashes
}

/// Crashes each declared subsystem once more while nothing else happens, and sees it counted: so each has
/// been crashed, however short the run was.
fn crash_each(collector: &Collector, crashes: &mut Crashes) {
    let mut chaos = Chaos::connect(collector.address("chaos"));
    for (name, path) in SUBSYSTEMS {
        if name == "connections" {
            continue;
        }
        settled(collector);
        let before = panicked(&restarts(collector), path);
        assert_eq!(chaos.order(&format!("panic {name}")), "ok", "{name}");
        *crashes.entry(name).or_default() += 1;
        until("the restart is counted", || {
            (panicked(&restarts(collector), path) == before + 1).then_some(())
        });
    }
}

/// Compares what the collector counted with the orders it heard.
///
/// A panic ends one run that was up. The store comes back by restarts of its own alone. The parser comes
/// back by its own or with the store, and when two crashes fall together once for both; the reason is that
/// of its last end, which is `killed` when a crash of the store cut its start short.
fn assert_restarts_add_up(collector: &Collector, crashes: &Crashes) {
    let incarnations = settled(collector);
    let restarts = restarts(collector);
    let heard = |name| crashes.get(name).copied().unwrap_or_default();
    let (stores, parsers) = (heard("store"), heard("parser"));
    println!("heard {crashes:?}, restarts {restarts:?}");

    let store = "/syslogd/store";
    assert_eq!(panicked(&restarts, store), stores, "{restarts:?}");
    assert_eq!(total(&restarts, store), stores, "{restarts:?}");
    assert_eq!(incarnations[store], 1 + stores);

    let parser = "/syslogd/parser";
    let possible = parsers + 1..=parsers + stores;
    assert!(possible.contains(&total(&restarts, parser)), "{restarts:?}");
    let by_panic = panicked(&restarts, parser);
    let cut_short = count(&restarts, parser, "killed");
    assert!((1..=parsers).contains(&by_panic), "{restarts:?}");
    assert!(parsers - by_panic <= cut_short, "{restarts:?}");

    for group in ["/syslogd/connections", "/syslogd/listeners"] {
        assert_eq!(panicked(&restarts, group), 0, "{restarts:?}");
        let together = total(&restarts, group);
        assert!((1..=stores + parsers).contains(&together), "{restarts:?}");
    }
    for untouched in ["/syslogd", "/syslogd/chaos"] {
        assert_eq!(total(&restarts, untouched), 0, "{restarts:?}");
    }
    let began_anew = incarnations["/syslogd/listeners"] - 1;
    for name in ["udp", "tcp"] {
        let path = format!("/syslogd/listeners/{name}");
        let counted = panicked(&restarts, &path);
        assert_eq!(
            total(&restarts, &path),
            incarnations[&path] - 1,
            "{restarts:?}"
        );
        assert_listener_adds_up(heard(name), counted, (incarnations[&path] - 1, began_anew));
    }
}

/// A child of `listeners` comes back by a restart of its own, unless `listeners` as a whole is restarted
/// first: that begins its children anew, after a stop.
fn assert_listener_adds_up(heard: u64, counted: u64, (began, began_anew): (u64, u64)) {
    let numbers = format!("{heard} heard, {counted} counted, {began} runs, {began_anew} anew");
    assert!((1..=heard).contains(&counted), "{numbers}");
    assert!(heard - counted <= began_anew, "{numbers}");
    assert!((heard..=heard + began_anew).contains(&began), "{numbers}");
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
    ];
    let options = [&options[..], &["--chaos", "127.0.0.1:0"]].concat();
    let collector = Collector::start(&scratch.0, &options);
    let chaos = collector.address("chaos");
    let (stop, stopped) = mpsc::channel();
    let crashing = thread::spawn(move || crash(chaos, &stopped));

    let began = Instant::now();
    let mut client = Client::new(collector.address("tcp"));
    client.insist(
        lines,
        began + Duration::from_secs(if long { 600 } else { 120 }),
    );
    let took = began.elapsed();
    drop(stop);
    let mut crashes = crashing.join().expect("the crashing goes on to the end");
    println!("{lines} lines in {took:?}, {client:?}, {crashes:?}");
    crash_each(&collector, &mut crashes);
    assert_restarts_add_up(&collector, &crashes);

    let (status, log) = collector.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let report = Report::read(&log);
    assert_eq!(report.title, "shutdown (SIGTERM): root shut down");
    report.assert_adds_up();
    report.assert_in_budget();
    assert_eq!(report.paths("hung"), [""; 0]);
    assert_eq!(report.paths("stopped"), STATIC_PATHS);

    let counts = query(&scratch.0);
    let totals = (counts["lines"].as_u64(), counts["malformed"].as_u64());
    assert_eq!(totals, (Some(lines), Some(0)));
    assert_stored_once(&counts, lines);
}

#[test]
fn an_order_that_nobody_can_follow_is_refused_with_its_reason() {
    let scratch = Scratch::new("orders");
    let collector = Collector::start(&scratch.0, &["--chaos", "127.0.0.1:0"]);
    let mut chaos = Chaos::connect(collector.address("chaos"));
    for (order, why) in [
        ("panic connections", "nothing is up that could fail"),
        ("panic nobody", "no such subsystem"),
        ("tickle udp", "a fault is panic, hang or block"),
        ("panic", "a command is a fault and a subsystem"),
    ] {
        assert_eq!(chaos.order(order), format!("error: {why}"));
    }
    assert_eq!(chaos.order("panic /syslogd/listeners/udp"), "ok");
    assert_eq!(collector.terminate().0.code(), Some(0));
}
