//! A child that holds a socket: the old one is closed before the next incarnation binds.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial::exit::Exit;
use perennial::resource::Resource;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, BoxError, Child, EventKind, Supervisor,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How many crashes in a row.
const CRASHES: u32 = 1_000;

struct Listener;

impl Actor for Listener {
    type Msg = ();
    type State = TcpListener;
    type Arguments = SocketAddr;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        address: SocketAddr,
    ) -> Result<TcpListener, ActorProcessingErr> {
        // Bound by hand: without SO_REUSEADDR, a socket that is still open is an error.
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(address)?;
        Ok(socket.listen(16)?)
    }

    async fn handle(
        &self,
        _: ActorRef<()>,
        (): (),
        _: &mut TcpListener,
    ) -> Result<(), ActorProcessingErr> {
        panic!("on purpose")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fixed_port_survives_a_thousand_crashes_without_a_bind_error() {
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a free port");
    let child = Child::actor("listener", move |_cx| (Listener, address));
    let handle = child.handle();
    let tree = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(CRASHES + 1, Duration::from_secs(600))
        .child(child);
    let running = tree.start().await.expect("the port is free");
    let mut events = running.subscribe("test");
    for crash in 1..=CRASHES {
        handle.cast(()).expect("it is up");
        loop {
            match events.recv().await.expect("the tree lives").kind {
                EventKind::StartFailed { exit } => panic!("crash {crash}: {exit}"),
                EventKind::Exited { exit, .. } => {
                    assert!(matches!(exit, Exit::Panicked(_)), "{exit}")
                }
                EventKind::Restarted { .. } => break,
                _ => {}
            }
        }
    }
    let status = &running.which_children("/app").expect("the root")[0];
    assert_eq!(status.restart_count(), u64::from(CRASHES));
    assert!(running.stop(Duration::from_secs(5)).await.is_clean());
}

/// Accepts one connection, reads one byte from it, and panics: the next run has to go on.
async fn serve_one(listener: Resource<TcpListener>) -> Result<(), BoxError> {
    let listener = listener.get().await?;
    let (mut connection, _from) = listener.accept().await?;
    let byte = connection.read_u8().await?;
    connection.write_u8(byte).await?;
    panic!("on purpose, after one connection")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_a_resource_loses_no_connection_over_restarts() {
    let made = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&made);
    let listener = Resource::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok(TcpListener::bind("127.0.0.1:0").await?) }
    });
    let child = Child::task_with("accept", listener.clone(), |_cx, listener| {
        serve_one(listener)
    });
    let tree = Supervisor::one_for_one("app")
        .backoff(Backoff::none())
        .intensity(CRASHES, Duration::from_secs(600))
        .child(child);
    let running = tree.start().await.expect("it starts");
    let address = loop {
        match listener.get_if_made() {
            Some(listener) => break listener.local_addr().expect("it is bound"),
            None => tokio::task::yield_now().await,
        }
    };
    // All wait in the socket's own queue while the child crashes after each of them.
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(TcpStream::connect(address).await.expect("it listens"));
    }
    for (number, client) in (0u8..).zip(&mut clients) {
        client.write_u8(number).await.expect("it is connected");
    }
    for (number, client) in (0u8..).zip(&mut clients) {
        assert_eq!(client.read_u8().await.expect("an answer"), number);
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
    running.stop(Duration::from_secs(5)).await;
    assert!(
        TcpStream::connect(address).await.is_ok(),
        "the resource is ours too"
    );
    drop(listener);
}
