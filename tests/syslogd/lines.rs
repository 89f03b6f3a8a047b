//! Lines over the wire, plain and numbered: kept, or counted as lost.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;

use crate::chaos::Chaos;
use crate::client::{Client, assert_stored_once};
use crate::collector::{Collector, Scratch, lines_by, query, until};
use crate::watch::{settled, value};

/// What the collector says at its end of the plain lines it took.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    received: u64,
    stored: u64,
    lost: u64,
}

impl Counted {
    fn read(log: &str) -> Self {
        let field = |name: &str| {
            let value = log.split(&format!(" {name}=")).nth(1);
            let digits = value.and_then(|rest| rest.split_whitespace().next());
            let count = digits.and_then(|digits| digits.parse().ok());
            count.unwrap_or_else(|| panic!("no count of {name}:\n{log}"))
        };
        Self {
            received: field("received"),
            stored: field("stored"),
            lost: field("lost"),
        }
    }
}

fn plain_lines(count: usize) -> Vec<u8> {
    b"<13>1 - web app - - - line\n".repeat(count)
}

fn stored(scratch: &Scratch) -> u64 {
    query(&scratch.0)["lines"].as_u64().expect("a count")
}

#[test]
fn a_burst_over_tcp_that_no_mailbox_holds_is_slowed_down_and_kept() {
    // The mailboxes of parser and store hold 20 480.
    const LINES: u64 = 40_000;
    let scratch = Scratch::new("burst");
    let collector = Collector::start(&scratch.0, &[]);
    let mut stream = TcpStream::connect(collector.address("tcp")).expect("it listens");
    stream.write_all(&plain_lines(40_000)).expect("it reads");
    drop(stream);
    until("all lines are stored or lost", || {
        (stored(&scratch) == LINES).then_some(())
    });
    let (status, log) = collector.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let counted = Counted::read(&log);
    assert_eq!((counted.received, counted.lost), (LINES, 0), "{log}");
}

#[test]
fn an_orderly_end_in_the_middle_of_a_burst_loses_no_line_that_was_received() {
    let scratch = Scratch::new("orderly");
    let collector = Collector::start(&scratch.0, &[]);
    let mut stream = TcpStream::connect(collector.address("tcp")).expect("it listens");
    stream.write_all(&plain_lines(5_000)).expect("it reads");
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for _ in 0..100 {
        let sent = datagrams.send_to(b"<13>1 - web app - - - line", collector.address("udp"));
        sent.expect("it is sent");
    }
    until("the first line is stored", || {
        (stored(&scratch) > 0).then_some(())
    });
    let (status, log) = collector.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let counted = Counted::read(&log);
    assert_eq!(counted.lost, 0, "{log}");
    assert_eq!(counted.received, counted.stored, "{log}");
    assert_eq!(stored(&scratch), counted.stored, "{log}");
}

#[test]
fn plain_lines_that_a_hung_parser_holds_at_the_end_are_counted_as_lost() {
    let scratch = Scratch::new("lost");
    let collector = Collector::start(&scratch.0, &["--chaos", "127.0.0.1:0"]);
    let mut stream = TcpStream::connect(collector.address("tcp")).expect("it listens");
    stream.write_all(&plain_lines(10)).expect("it reads");
    until("ten lines are stored", || {
        (stored(&scratch) == 10).then_some(())
    });
    let mut chaos = Chaos::connect(collector.address("chaos"));
    assert_eq!(chaos.order("hang parser"), "ok");
    stream.write_all(&plain_lines(1_000)).expect("it reads");
    until("they wait for the parser", || {
        let depth = value(&collector, "perennial_mailbox_depth", "/syslogd/parser");
        (depth == Some(1_000)).then_some(())
    });
    let (status, log) = collector.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    let expected = Counted {
        received: 1_010,
        stored: 10,
        lost: 1_000,
    };
    assert_eq!(Counted::read(&log), expected, "{log}");
    assert_eq!(stored(&scratch), 10);
}

#[test]
fn a_line_that_is_none_is_kept_and_one_that_breaks_the_protocol_ends_its_connection_alone() {
    let scratch = Scratch::new("malformed");
    let collector = Collector::start(&scratch.0, &["--ack"]);
    let mut plain = TcpStream::connect(collector.address("tcp")).expect("it listens");
    let lines = b"2024-11-21 no priority\n<999>nor here\n<13>1 - web app - - - whole\n";
    plain.write_all(lines).expect("it reads");

    let mut client = Client::new(collector.address("tcp"));
    let mut conversation = client.connect().expect("a connection");
    conversation.write(2).expect("it reads");
    conversation.write_raw(b"no number\n").expect("it reads");
    conversation.hear_the_end();
    until("two numbered lines and three plain ones are stored", || {
        (stored(&scratch) == 5).then_some(())
    });
    plain.write_all(&plain_lines(1)).expect("it reads");
    until("the other connection goes on", || {
        (stored(&scratch) == 6).then_some(())
    });
    let counts = query(&scratch.0);
    assert_eq!(counts["malformed"].as_u64(), Some(2), "{counts}");
    assert_eq!(collector.terminate().0.code(), Some(0));
}

#[test]
fn a_client_that_closes_its_half_is_told_of_its_last_line() {
    let scratch = Scratch::new("half");
    let collector = Collector::start(&scratch.0, &["--ack"]);
    let mut client = Client::new(collector.address("tcp"));
    let mut conversation = client.connect().expect("a connection");
    let told = client.send_the_last(&mut conversation, 100);
    told.expect("answers up to the last line");
    assert_stored_once(&query(&scratch.0), 100);
    assert_eq!(collector.terminate().0.code(), Some(0));
}

#[test]
fn a_listener_short_of_descriptors_keeps_those_who_wait_in_its_queue() {
    const CONNECTIONS: u64 = 60;
    let scratch = Scratch::new("descriptors");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\""]);
    command.arg(crate::collector::binary());
    let collector = Collector::run(&mut command, &scratch.0, &[]);
    let connect = |_| {
        let mut stream = TcpStream::connect(collector.address("tcp")).expect("it listens");
        stream.write_all(&plain_lines(1)).expect("it reads");
        stream
    };
    let open: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    until("the descriptors are used up", || {
        collector
            .log()
            .contains("cannot accept a connection")
            .then_some(())
    });
    drop(open);
    until("every line is stored", || {
        (stored(&scratch) == CONNECTIONS).then_some(())
    });
    assert_eq!(settled(&collector)["/syslogd/listeners/tcp"], 1);
    assert_eq!(collector.terminate().0.code(), Some(0));
}

#[test]
fn the_logger_of_util_linux_is_understood_over_udp_and_tcp() {
    if Command::new("logger").arg("--version").output().is_err() {
        println!("skipped: logger is not installed");
        return;
    }
    let scratch = Scratch::new("logger");
    let collector = Collector::start(&scratch.0, &[]);
    let mut tags = Vec::new();
    for (transport, framing) in [("udp", None), ("tcp", None), ("tcp", Some("--octet-count"))] {
        for format in ["rfc5424", "rfc3164"] {
            let tag = format!(
                "{transport}-{format}-{}",
                framing.map_or("lines", |_| "counted")
            );
            let port = collector.address(transport).port().to_string();
            let status = Command::new("logger")
                .args(["--server", "127.0.0.1", "--port", &port])
                .args([format!("--{transport}"), format!("--{format}")])
                .args(framing)
                .args([
                    "--priority",
                    "local3.err",
                    "--id=7",
                    "--tag",
                    &tag,
                    "hello there",
                ])
                .status()
                .expect("logger runs");
            assert!(status.success(), "logger as {tag}");
            tags.push(tag);
        }
    }
    let lines = tags.len() as u64;
    until("every line is stored", || {
        (stored(&scratch) >= lines).then_some(())
    });
    let counts = query(&scratch.0);
    let totals = (counts["lines"].as_u64(), counts["malformed"].as_u64());
    assert_eq!(totals, (Some(lines), Some(0)), "{counts}");
    let expected = tags.iter().map(|tag| (tag.as_str(), 1)).collect();
    assert_eq!(lines_by("by_program", &counts), expected);
    assert_eq!(lines_by("by_severity", &counts), [("err", lines)].into());
    let hosts = lines_by("by_host", &counts);
    assert!(
        !hosts.contains_key("127.0.0.1"),
        "the sender's own name: {hosts:?}"
    );
    assert_eq!(collector.terminate().0.code(), Some(0));
}
