//! The listeners: a socket each, and nothing that outlives it but its address.
//!
//! A listener has started when it is bound. The address of the first start is kept, so that with port 0
//! a restarted listener is found where it was.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use perennial::{BoxError, Child, Context, SupervisorHandle};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::announce;
use crate::connection;
use crate::framing::MAX_FRAME;
use crate::intake::Intake;
use crate::parser::Raw;

/// How long to wait after a failed accept. Descriptors may be short, and a listener that ended of it would
/// reset those who wait in its queue.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
            _deadline = cx.shutdown() => break,
            order = faults.next() => order.happen().await,
            received = socket.recv_from(&mut buffer) => {
                let (length, peer) = received?;
                let raw = buffer.get(..length).unwrap_or_default().to_vec();
                intake.stats.received();
                // A datagram can't be made to wait; refused, it is missing among the stored.
                drop(intake.parser.cast(Raw::Plain { peer, raw }));
            }
        }
    }
    intake.patiently(&cx, intake.settle()).await;
    Ok(())
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
            order = faults.next() => order.happen().await,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => acceptor.adopt(stream, peer).await,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Acceptor {
    async fn adopt(&self, stream: TcpStream, peer: SocketAddr) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let child = connection::child(format!("c{number}"), stream, peer, self.intake.clone());
        if let Err(error) = self.connections.start_child(child).await {
            tracing::warn!(%peer, %error, "a connection was refused");
        }
    }
}
