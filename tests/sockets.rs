//! A child that holds a socket: the old one is closed before the next incarnation binds.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::net::SocketAddr;
use std::time::Duration;

use perennial::exit::Exit;
use perennial::{Actor, ActorProcessingErr, ActorRef, Backoff, Child, EventKind, Supervisor};
use tokio::net::TcpListener;

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
