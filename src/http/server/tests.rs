//! The server over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{BindError, Server};
use crate::http::{Readiness, Source};

struct Program;

impl Source for Program {
    fn live(&self) -> bool {
        true
    }

    fn ready(&self) -> Readiness {
        Readiness::default()
    }

    fn metrics(&self) -> Option<String> {
        None
    }

    fn tree(&self) -> Value {
        json!({})
    }
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
    let refused = Server::bind(SocketAddr::from(([0, 0, 0, 0], 0)), Arc::new(Program));
    let error = refused.expect_err("it is not loopback");
    assert!(matches!(error, BindError::NotLoopback { .. }));
    assert_eq!(error.code(), "not_loopback");
}

#[test]
fn an_address_in_use_is_named() {
    let first = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(Program))
        .expect("a port is free");
    let error = Server::bind(first.local_addr(), Arc::new(Program)).expect_err("the port is taken");
    assert_eq!(error.code(), "listen_failed");
    assert!(error.to_string().contains(&first.local_addr().to_string()));
}

#[test]
fn a_request_is_answered_once_and_a_closed_server_lets_go_of_its_port() {
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(Program))
        .expect("a port is free");
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
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(Program))
        .expect("a port is free");
    let long = "x".repeat(7 * 1024);
    let request = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nA: {long}\r\nB: {long}");
    let answer = ask(server.local_addr(), &request);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
