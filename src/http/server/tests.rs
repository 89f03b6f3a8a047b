//! The server over a real socket.

use std::future::pending;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{BindError, Server};
use crate::bus::subscriber::Subscriber;
use crate::bus::{Bus, Start};
use crate::event::{EventKind, SubsystemEvent};
use crate::http::{Check, Options, Readiness, Showing, Source, Token};
use crate::path::Path;
use crate::sync::{Mutex, lock};

/// What is told when something is asked for that does not come to an end, and when it does after all.
type Slow = (Sender<String>, Arc<Mutex<Receiver<()>>>);

struct Program(Bus<SubsystemEvent>, Option<Slow>);

impl Program {
    fn new() -> Arc<Self> {
        Arc::new(Self(Bus::new(8), None))
    }

    /// Publishes an event.
    fn publish(&self) {
        self.0.publish_with(|seq| SubsystemEvent {
            seq,
            at: Instant::now(),
            path: Path::root("app"),
            incarnation: 1,
            kind: EventKind::Started,
        });
    }
}

impl Source for Program {
    fn live(&self) -> Vec<Check> {
        Vec::new()
    }

    fn ready(&self) -> Readiness {
        Readiness::default()
    }

    fn ready_checks(&self) -> Vec<Check> {
        Vec::new()
    }

    fn metrics(&self) -> Option<String> {
        None
    }

    fn tree(&self) -> Value {
        json!({ "from_seq": self.0.last_seq() })
    }

    fn node(&self, path: &str) -> Option<Value> {
        // Until the test has ended.
        let (asked, wait) = self.1.as_ref()?;
        asked.send(path.to_owned()).ok()?;
        let _ended = lock(wait).recv();
        None
    }

    fn config(&self) -> Showing {
        match self.1.clone() {
            // Written by code that never ends.
            Some((asked, _)) => Box::pin(async move {
                drop(asked.send("config".to_owned()));
                pending().await
            }),
            None => Box::pin(async { Ok(None) }),
        }
    }

    fn run_id(&self) -> String {
        "run".to_owned()
    }

    fn subscribe(&self, after: Option<u64>) -> Option<Subscriber<SubsystemEvent>> {
        let start = after.map_or(Start::Next, |seq| Start::Seq(seq + 1));
        Some(self.0.subscribe_from("http", start))
    }

    fn show(&self, event: &SubsystemEvent) -> Value {
        json!(event.seq)
    }
}

fn bind() -> (Server, Arc<Program>) {
    let program = Program::new();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let source: Arc<Program> = Arc::clone(&program);
    let server = Server::bind(Options::new(address), source).expect("a port is free");
    (server, program)
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream
        .write_all(request.as_bytes())
        .expect("the server reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the server answers and closes");
    answer
}

#[test]
fn an_address_beyond_loopback_is_refused() {
    let open = Options::new(SocketAddr::from(([0, 0, 0, 0], 0)));
    let refused = Server::bind(open.clone(), Program::new());
    let error = refused.expect_err("it is not loopback");
    assert!(matches!(error, BindError::NotLoopback { .. }));
    assert_eq!(error.code(), "not_loopback");
    let token = Token::new("0123456789abcdef").expect("long enough");
    Server::bind(open.token(token), Program::new()).expect("with a token it is served");
}

#[test]
fn an_address_in_use_is_named() {
    let (first, _program) = bind();
    let options = Options::new(first.local_addr());
    let error = Server::bind(options, Program::new()).expect_err("the port is taken");
    assert_eq!(error.code(), "listen_failed");
    assert!(error.to_string().contains(&first.local_addr().to_string()));
}

#[test]
fn a_request_is_answered_once_and_a_closed_server_lets_go_of_its_port() {
    let (server, _program) = bind();
    let address = server.local_addr();
    let answer = ask(address, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    let head = ask(address, "HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
    server.close();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn headers_have_a_limit() {
    let (server, _program) = bind();
    let long = "x".repeat(7 * 1024);
    let request = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nA: {long}\r\nB: {long}");
    let answer = ask(server.local_addr(), &request);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

/// Reads from a stream until it has shown a text.
fn until(stream: &mut TcpStream, text: &str) -> String {
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&shown).ends_with(text) {
        let read = stream.read(&mut byte).expect("it is open");
        assert_eq!(read, 1, "it ended: {}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    String::from_utf8_lossy(&shown).into_owned()
}

fn follow(server: &Server, resume: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.local_addr()).expect("it listens");
    let request = format!("GET /events HTTP/1.1\r\nHost: localhost\r\n{resume}\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    stream
}

#[test]
fn events_follow_a_snapshot_and_a_client_that_comes_back_is_sent_what_it_missed() {
    let (server, program) = bind();
    program.publish();
    let mut stream = follow(&server, "");
    let first = until(&mut stream, "event: snapshot\nid: run-1\ndata: ");
    assert!(
        first.contains("content-type: text/event-stream\r\n"),
        "{first}"
    );
    until(&mut stream, "{\"from_seq\":1}");
    program.publish();
    until(&mut stream, "id: run-2\ndata: 2\n\n");
    drop(stream);
    program.publish();
    let mut stream = follow(&server, "Last-Event-ID: run-2\r\n");
    let resumed = until(&mut stream, "id: run-3\ndata: 3\n\n");
    assert!(!resumed.contains("snapshot"), "{resumed}");
    // Of what is not kept any more, or happened in another run, nothing can be sent.
    for _ in 0..100 {
        program.publish();
    }
    for resume in ["run-2", "other-102", "run-x", "nonsense"] {
        let mut stream = follow(&server, &format!("Last-Event-ID: {resume}\r\n"));
        until(&mut stream, "event: snapshot\nid: run-103\ndata: ");
    }
}

#[test]
fn streams_have_a_limit_and_others_are_answered_all_the_same() {
    let (server, _program) = bind();
    let mut open: Vec<TcpStream> = (0..16).map(|_| follow(&server, "")).collect();
    for stream in &mut open {
        until(stream, "event: snapshot");
    }
    let mut refused = follow(&server, "");
    until(&mut refused, "HTTP/1.1 503 Service Unavailable\r\n");
    let probe = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(ask(server.local_addr(), probe).ends_with("ok"));
    drop(open);
}

#[test]
fn a_stream_whose_client_is_gone_is_over_and_counted_until_it_is() {
    let (server, program) = bind();
    let subscribers = || program.0.statistics().subscribers.len();
    for _ in 0..100 {
        let mut answer = [0; 13];
        // While as many are sent events as may be, others are turned away.
        while !answer.ends_with(b" 200 ") {
            let mut stream = follow(&server, "");
            stream.read_exact(&mut answer).expect("it is answered");
            if answer.ends_with(b" 200 ") {
                until(&mut stream, "event: snapshot");
            }
        }
        assert!(subscribers() <= 16, "{} are sent events", subscribers());
    }
    while subscribers() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_flood_of_idle_connections_keeps_no_probe_out() {
    let (server, _program) = bind();
    let connect = |_| TcpStream::connect(server.local_addr()).expect("there is a queue");
    let idle: Vec<TcpStream> = (0..300).map(connect).collect();
    let probe = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for _ in 0..20 {
        assert!(ask(server.local_addr(), probe).ends_with("ok"));
    }
    drop(idle);
}

#[test]
fn probes_are_answered_while_a_node_and_the_configuration_are_written_without_end() {
    let (asked, hears) = channel();
    let (end, ended) = channel::<()>();
    let slow = Some((asked, Arc::new(Mutex::new(ended))));
    let program = Arc::new(Program(Bus::new(8), slow));
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(Options::new(address), program).expect("a port is free");
    let wanted = ["/tree/app/slow", "/tree/app/slow", "/config"].map(|path| {
        let mut stream = TcpStream::connect(server.local_addr()).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        stream
    });
    let mut heard = [(); 2].map(|()| hears.recv().expect("both are asked for"));
    heard.sort();
    assert_eq!(heard, ["/app/slow", "config"], "one node at a time");
    for probe in ["/livez", "/readyz"] {
        let request = format!("GET {probe} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(
            ask(server.local_addr(), &request).ends_with("ok"),
            "{probe}"
        );
    }
    drop(end);
    let [mut node, ..] = wanted;
    until(&mut node, "HTTP/1.1 404 ");
}

#[test]
fn nonsense_is_refused_and_the_next_client_is_served() {
    let (server, _program) = bind();
    for (nonsense, status) in [
        ("BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
        ("BREW /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
        ("DELETE /tree HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
        ("GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
        ("GET /livez HTTP/1.1\r\n\r\n", "403"),
        ("GET /livez SPDY/9\r\n\r\n", "400"),
        ("\0\0\0\r\n\r\n", "400"),
    ] {
        let answer = ask(server.local_addr(), nonsense);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{nonsense}: {answer}"
        );
    }
    let slow = "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n";
    assert!(
        ask(server.local_addr(), slow).starts_with("HTTP/1.1 405 "),
        "nobody waits for the body"
    );
}
