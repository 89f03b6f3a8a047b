//! A subsystem that hangs and one that blocks its thread: what was acknowledged stays, the rest goes on, and
//! a shutdown ends in time and says who did not.

use std::process::ExitStatus;

use crate::chaos::Chaos;
use crate::client::{Client, assert_stored_once};
use crate::collector::{Collector, Scratch, query};
use crate::report::Report;

/// GNU `timeout`'s code, for a tree that did not end as a whole.
const LATE: i32 = 124;

fn start(scratch: &Scratch) -> (Collector, Client, Chaos) {
    let options = ["--ack", "--fsync", "interval=20", "--chaos", "127.0.0.1:0"];
    let collector = Collector::start(&scratch.0, &options);
    let client = Client::new(collector.address("tcp"));
    let chaos = Chaos::connect(collector.address("chaos"));
    (collector, client, chaos)
}

fn read_late(status: ExitStatus, log: &str) -> Report {
    assert_eq!(status.code(), Some(LATE), "{log}");
    let report = Report::read(log);
    report.assert_adds_up();
    report.assert_in_budget();
    report
}

#[test]
fn with_one_listener_hanging_and_one_blocked_a_connection_goes_on_and_the_blocked_one_is_named() {
    let scratch = Scratch::new("listeners");
    let (collector, mut client, mut chaos) = start(&scratch);
    let mut conversation = client.connect().expect("a connection");
    client.send(&mut conversation, 500).expect("answers");
    assert_eq!(chaos.order("hang udp"), "ok");
    assert_eq!(chaos.order("block tcp"), "ok");
    client.send(&mut conversation, 1_000).expect("answers");
    assert!(collector.get("/livez").starts_with("HTTP/1.1 200"));

    let (status, log) = collector.terminate();
    let report = read_late(status, &log);
    let hung = ["/syslogd", "/syslogd/listeners", "/syslogd/listeners/tcp"];
    assert_eq!(report.paths("hung"), hung, "{log}");
    assert_eq!(report.outcome("/syslogd/listeners/udp"), "killed", "{log}");
    assert_eq!(report.outcome("/syslogd/store"), "stopped", "{log}");
    let counts = query(&scratch.0);
    assert_eq!(counts["lines"].as_u64(), Some(1_000));
    assert_stored_once(&counts, 1_000);
}

#[test]
fn with_the_parser_hanging_and_the_store_blocked_what_was_acknowledged_is_stored_once() {
    let scratch = Scratch::new("store");
    let (collector, mut client, mut chaos) = start(&scratch);
    let mut conversation = client.connect().expect("a connection");
    client.send(&mut conversation, 500).expect("answers");
    assert_eq!(chaos.order("hang parser"), "ok");
    conversation
        .write(600)
        .expect("TCP takes what nobody reads");
    assert_eq!(chaos.order("block store"), "ok");

    let (status, log) = collector.terminate();
    let report = read_late(status, &log);
    assert_eq!(
        report.paths("hung"),
        ["/syslogd", "/syslogd/store"],
        "{log}"
    );
    assert_eq!(report.outcome("/syslogd/parser"), "killed", "{log}");
    assert_eq!(report.outcome("/syslogd/chaos"), "stopped", "{log}");
    assert_stored_once(&query(&scratch.0), client.acknowledged);
}
