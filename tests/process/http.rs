//! What a daemon tells over HTTP, seen from another process.

use std::io::{Read, Write};

use serde_json::Value;

use crate::folder::Folder;
use crate::harness::{Running, until_answer};

/// Returns what stands below the head of an answer, as JSON.
fn json(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("there is a body");
    serde_json::from_str(body).expect("it is JSON")
}

#[test]
fn when_every_thread_is_blocked_livez_says_so_and_all_else_is_answered() {
    let folder = Folder::new("blocked");
    let arguments = [
        "--set=runtime.worker_threads=2",
        "--set=monitoring.liveness_timeout=500ms",
    ];
    let mut running = Running::start_with("blocks", &folder, &arguments, &[]);
    let address = running.hears_of("http");
    until_answer(&running, &address, "/readyz", |answer| {
        answer.starts_with("HTTP/1.1 200 ")
    });
    let verbose = running.get(&address, "/livez?verbose");
    assert!(
        verbose.ends_with("[+]runtime ok\nlivez check passed\n"),
        "{verbose}"
    );
    folder.write("block", "");
    let dead = until_answer(&running, &address, "/livez", |answer| {
        answer.starts_with("HTTP/1.1 503 ")
    });
    assert_eq!(json(&dead)["unhealthy"][0], "runtime");
    let why = running.get(&address, "/livez?verbose");
    assert!(
        why.contains("[-]runtime failed: the threads that run the tree"),
        "{why}"
    );
    for path in [
        "/readyz",
        "/metrics",
        "/tree",
        "/tree/app/one",
        "/config",
        "/",
    ] {
        let answer = running.get(&address, path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    let metrics = running.get(&address, "/metrics");
    let age = metrics
        .lines()
        .find_map(|line| line.strip_prefix("perennial_heartbeat_age_seconds "));
    let age: f64 = age.expect("it is there").parse().expect("a number");
    assert!(age >= 0.5, "{age}");
}

#[test]
fn a_node_is_shown_with_its_past_and_the_configuration_with_its_origins() {
    let folder = Folder::new("shown");
    folder.write("app.toml", "[pair]\nfirst = 1\nlast = 1\n");
    let mut running = Running::start(&folder, &[]);
    let address = running.hears_of("http");
    running.hears("pair 1");
    // The child may be faster than whoever shows it.
    until_answer(&running, &address, "/readyz", |answer| {
        answer.starts_with("HTTP/1.1 200 ")
    });
    let node = json(&running.get(&address, "/tree/app/shows"));
    assert_eq!(node["path"], "/app/shows");
    assert_eq!(node["history"], Value::Array(Vec::new()));
    let root = json(&running.get(&address, "/tree/app"));
    assert_eq!(root["children"][0]["path"], "/app/shows");
    let config = running.get(&address, "/config");
    assert!(config.contains("app.toml:2"), "{config}");
    let missing = running.get(&address, "/tree/app/nobody");
    assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
    let (status, _, log) = running.stop();
    assert!(status.success(), "{log}");
}

/// Sets how many descriptors a process may have open.
fn limit_descriptors(process: u32, most: usize) {
    let limited = std::process::Command::new("prlimit")
        .arg(format!("--pid={process}"))
        .arg(format!("--nofile={most}:"))
        .status();
    assert!(limited.expect("there is prlimit").success());
}

#[test]
fn without_descriptors_connections_wait_which_is_said_once_and_are_served_when_there_are_some() {
    let folder = Folder::new("descriptors");
    let mut running = Running::start(&folder, &[]);
    let address = running.hears_of("http");
    until_answer(&running, &address, "/readyz", |answer| {
        answer.starts_with("HTTP/1.1 200 ")
    });
    // The numbers above the limit are those that are taken.
    limit_descriptors(running.id(), 3);
    let mut waiting = std::net::TcpStream::connect(&address).expect("it listens");
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    waiting.write_all(request.as_bytes()).expect("it has room");
    let (running, _) = running.log_until("cannot accept a connection");
    limit_descriptors(running.id(), 512);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (status, _, log) = running.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains("cannot accept"), "{log}");
    assert!(log.contains("connections are accepted again"), "{log}");
}

#[test]
fn beyond_loopback_a_token_is_needed() {
    let folder = Folder::new("token");
    folder.write("token", "0123456789abcdef\n");
    let arguments = ["--set=http.listen=0.0.0.0:0", "--set=http.token_file=token"];
    let mut running = Running::start(&folder, &arguments);
    let bound = running.hears_of("http");
    let address = bound.replace("0.0.0.0", "127.0.0.1");
    until_answer(&running, &address, "/readyz", |answer| {
        answer.starts_with("HTTP/1.1 200 ")
    });
    let refused = running.get(&address, "/metrics");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let mut stream = std::net::TcpStream::connect(&address).expect("it listens");
    let request = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(running.stop());
}

#[test]
fn a_token_that_is_none_is_refused_before_anything_starts() {
    let folder = Folder::new("short-token");
    folder.write("token", "short");
    let running = Running::start(&folder, &["--set=http.token_file=token"]);
    let (status, _, log) = running.end_by_itself();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains("it needs 16 characters at least"), "{log}");
}
