//! The listener: a thread, a small runtime, and limits on everything a client can hold.

use std::io;
use std::net::{SocketAddr, TcpListener as BoundListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::Source;
use super::routes::respond;

/// How many connections are open at once; more wait in the listener's queue. A scraper, a probe and
/// a person need three.
const MAX_CONNECTIONS: usize = 64;

/// How many bytes of request line and headers are read; hyper accepts no less than this.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// How long a client may take to send its headers; a slow one must not hold a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may last, the one request that it carries and the answer included. Ten
/// seconds are Prometheus' default timeout of a scrape.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a failed accept: descriptors may be short, and trying on spins.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Says why the server could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address can be reached from other machines, and the server asks nobody who they are.
    #[error("{address} is not a loopback address; probes and metrics are served on loopback only")]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The operating system refused the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The server's thread or runtime could not be made.
    #[error("cannot start the thread that serves {address}")]
    Thread {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl BindError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotLoopback { .. } => "not_loopback",
            Self::Listen { .. } => "listen_failed",
            Self::Thread { .. } => "thread_failed",
        }
    }
}

/// A server that answers until it is closed or dropped.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    /// Dropped to end the server.
    open: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on a loopback address and answers from a thread of its own.
    ///
    /// Port 0 lets the operating system choose; [`local_addr`](Self::local_addr) says what it chose.
    ///
    /// # Errors
    ///
    /// [`BindError`]; nothing is left open then.
    pub fn bind(address: SocketAddr, source: Arc<dyn Source>) -> Result<Self, BindError> {
        if !address.ip().is_loopback() {
            return Err(BindError::NotLoopback { address });
        }
        let (listener, local_addr) =
            listen(address).map_err(|source| BindError::Listen { address, source })?;
        let (open, closed) = oneshot::channel();
        let thread = start(listener, source, closed)
            .map_err(|source| BindError::Thread { address, source })?;
        Ok(Self {
            local_addr,
            open: Some(open),
            thread: Some(thread),
        })
    }

    /// Returns the address on which the server listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops listening, drops what is open and waits for the thread to end.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.open.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has ended too, and the panic hook has told of it.
            drop(thread.join());
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<(BoundListener, SocketAddr)> {
    let listener = BoundListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let local_addr = listener.local_addr()?;
    Ok((listener, local_addr))
}

fn start(
    listener: BoundListener,
    source: Arc<dyn Source>,
    closed: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let serve = move || serve_until_closed(&runtime, listener, source, closed);
    std::thread::Builder::new()
        .name("perennial-http".to_owned())
        .spawn(serve)
}

fn serve_until_closed(
    runtime: &Runtime,
    listener: TcpListener,
    source: Arc<dyn Source>,
    closed: oneshot::Receiver<()>,
) {
    // Connections are tasks of this runtime and end with it.
    runtime.block_on(async {
        tokio::select! {
            biased;
            _dropped = closed => {}
            () = accept(listener, source) => {}
        }
    });
}

async fn accept(listener: TcpListener, source: Arc<dyn Source>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // The semaphore is never closed, so the loop ends with its task.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _client)) => {
                tokio::spawn(serve_connection(stream, Arc::clone(&source), slot));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, source: Arc<dyn Source>, slot: OwnedSemaphorePermit) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (parts, _body) = request.into_parts();
        std::future::ready(Ok::<_, std::convert::Infallible>(respond(&*source, &parts)))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        // One request each: an idle client must not keep a slot from a probe.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection failed"),
        Err(_late) => tracing::debug!("a connection took too long and was dropped"),
    }
    drop(slot);
}

#[cfg(test)]
mod tests;
