//! The listeners: a socket each, and nothing that outlives it but its address.
//!
//! A listener has started when it is bound. The address of the first start is kept, so that with port 0
//! a restarted listener is found where it was.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use perennial::{BoxError, Child, Context, SupervisorHandle};
use tokio::net::{TcpListener, UdpSocket};

use crate::announce;
use crate::connection::{self, Intake};
use crate::framing::MAX_FRAME;
use crate::parser::Raw;

/// Where a listener listens, across its incarnations.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    name: &'static str,
    asked: SocketAddr,
    bound: Arc<OnceLock<SocketAddr>>,
}

impl Endpoint {
    /// Begins with what the command line says.
    pub(crate) fn new(name: &'static str, asked: SocketAddr) -> Self {
        Self {
            name,
            asked,
            bound: Arc::default(),
        }
    }

    fn address(&self) -> SocketAddr {
        *self.bound.get().unwrap_or(&self.asked)
    }

    fn bound(&self, address: SocketAddr) {
        if self.bound.set(address).is_ok() {
            announce(self.name, address);
        }
    }
}

/// Declares the listener for datagrams; each is one line.
pub(crate) fn udp(endpoint: Endpoint, intake: Intake) -> Child {
    Child::task("udp", move |cx| {
        receive(cx, endpoint.clone(), intake.clone())
    })
    .explicit_ready()
}

/// Declares the listener for connections; each becomes a child of `connections`.
pub(crate) fn tcp(endpoint: Endpoint, intake: Intake, connections: SupervisorHandle) -> Child {
    // Counted across incarnations: connections outlive the listener that accepted them.
    let count = Arc::<AtomicU64>::default();
    Child::task("tcp", move |cx| {
        let acceptor = Acceptor {
            intake: intake.clone(),
            connections: connections.clone(),
            count: Arc::clone(&count),
        };
        accept(cx, endpoint.clone(), acceptor)
    })
    .explicit_ready()
}

async fn receive(cx: Context, endpoint: Endpoint, intake: Intake) -> Result<(), BoxError> {
    let mut faults = intake.faults.of("udp");
    let socket = UdpSocket::bind(endpoint.address()).await?;
    endpoint.bound(socket.local_addr()?);
    cx.ready();
    let mut buffer = vec![0; MAX_FRAME];
    loop {
        tokio::select! {
            _deadline = cx.shutdown() => return Ok(()),
            fault = faults.next() => fault.happen().await,
            received = socket.recv_from(&mut buffer) => {
                let (length, peer) = received?;
                let raw = buffer.get(..length).unwrap_or_default().to_vec();
                if intake.parser.cast(Raw::Plain { peer, raw }).is_err() {
                    intake.stats.dropped();
                }
            }
        }
    }
}

struct Acceptor {
    intake: Intake,
    connections: SupervisorHandle,
    count: Arc<AtomicU64>,
}

async fn accept(cx: Context, endpoint: Endpoint, acceptor: Acceptor) -> Result<(), BoxError> {
    let mut faults = acceptor.intake.faults.of("tcp");
    let listener = TcpListener::bind(endpoint.address()).await?;
    endpoint.bound(listener.local_addr()?);
    cx.ready();
    loop {
        tokio::select! {
            _deadline = cx.shutdown() => return Ok(()),
            fault = faults.next() => fault.happen().await,
            accepted = listener.accept() => {
                let (stream, peer) = accepted?;
                let number = acceptor.count.fetch_add(1, Ordering::Relaxed);
                let child = connection::child(format!("c{number}"), stream, peer, acceptor.intake.clone());
                if let Err(error) = acceptor.connections.start_child(child).await {
                    tracing::warn!(%peer, %error, "a connection was refused");
                }
            }
        }
    }
}
