//! The listener: a thread, a small runtime, and limits on everything a client can hold.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::answer::Answer;
use super::guard::Guard;
use super::patient::Patient;
use super::routes::{Site, respond};
use super::slots::{Admission, Slots};
use super::{Answered, Options, Source, TurnedAway};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// How many bytes of request line and headers are read; hyper accepts no less than this.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// How many headers a request may have: a browser behind two proxies sends half of that.
const MAX_HEADERS: usize = 64;

/// How long a client may take to send its headers; a slow one must not hold a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may last, the one request that it carries and the answer included. Ten
/// seconds are Prometheus' default timeout of a scrape.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a failed accept: descriptors may be short, and trying on spins.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections wait to be accepted before the operating system turns others away, who then try
/// again a second later; it allows no more than `net.core.somaxconn`, 4 096 by default.
const BACKLOG: u32 = 4_096;

/// How many threads write long answers: one for each kind, which are scrapes, trees and nodes.
const WRITERS: usize = 3;

/// Says why the server could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address can be reached from other machines, and nobody would have to prove who they are.
    #[error("{address} is not a loopback address; without a token only loopback is served")]
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
    /// Listens and answers from a thread of its own.
    ///
    /// With port 0 [`local_addr`](Self::local_addr) says what the operating system chose.
    ///
    /// # Errors
    ///
    /// [`BindError`]; nothing is left open then.
    pub fn bind(options: Options, source: Arc<dyn Source>) -> Result<Self, BindError> {
        let address = options.address;
        if !address.ip().is_loopback() && options.token.is_none() {
            return Err(BindError::NotLoopback { address });
        }
        let runtime = build_runtime().map_err(|source| BindError::Thread { address, source })?;
        let (listener, local_addr) =
            listen(&runtime, address).map_err(|source| BindError::Listen { address, source })?;
        let (open, closed) = oneshot::channel();
        let guard = Guard {
            token: options.token,
            hosts: options.hosts,
        };
        let site = Arc::new(Site::new(source, guard));
        let serve = move || serve_until_closed(runtime, listener, site, closed);
        let thread = std::thread::Builder::new()
            .name("perennial-http".to_owned())
            .spawn(serve)
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

fn listen(runtime: &Runtime, address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port that was just let go of can be had again, but not one that somebody listens on.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let _inside = runtime.enter();
    let listener = socket.listen(BACKLOG)?;
    let local_addr = listener.local_addr()?;
    Ok((listener, local_addr))
}

fn build_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(WRITERS)
        .thread_name("perennial-http-w")
        .build()
}

fn serve_until_closed(
    runtime: Runtime,
    listener: TcpListener,
    site: Arc<Site>,
    closed: oneshot::Receiver<()>,
) {
    let house = House {
        site,
        slots: Arc::default(),
        left: Arc::default(),
    };
    runtime.block_on(async {
        tokio::select! {
            biased;
            _dropped = closed => {}
            () = house.accept(listener) => {}
        }
    });
    // Connections are tasks of this runtime and end with it; what is still being written is not waited
    // for.
    runtime.shutdown_background();
}

/// Everything that connections share.
#[derive(Clone)]
struct House {
    site: Arc<Site>,
    slots: Arc<Mutex<Slots<AbortHandle>>>,
    /// Told when a connection has left.
    left: Arc<Notify>,
}

impl House {
    async fn accept(&self, listener: TcpListener) {
        let mut failed_in_a_row = 0_u64;
        loop {
            // Counted before it is accepted: while there is no place it waits in the listener's queue.
            while lock(&self.slots).admission() == Admission::Full {
                self.left.notified().await;
            }
            match listener.accept().await {
                Ok((stream, _client)) => {
                    if failed_in_a_row > 0 {
                        tracing::info!(failed_in_a_row, "connections are accepted again");
                        failed_in_a_row = 0;
                    }
                    self.admit(stream);
                }
                Err(error) => {
                    // Said once: it may be so for hours, ten times a second.
                    if failed_in_a_row == 0 {
                        tracing::warn!(%error, "cannot accept a connection; trying on");
                    }
                    failed_in_a_row += 1;
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            // A request that came with its connection is read before the next one may take its place.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Serves a connection; an older one makes room if it has to.
    fn admit(&self, stream: TcpStream) {
        let (number, only_probes, closed) = {
            let mut slots = lock(&self.slots);
            let admission = slots.admission();
            let closed = match admission {
                Admission::Instead(oldest) => slots.leave(oldest),
                _ => None,
            };
            let only_probes = admission.is_for_probes();
            (slots.next_number(), only_probes, closed)
        };
        if let Some(idle) = closed {
            idle.abort();
            self.site.source.turned_away(TurnedAway::Idle);
        }
        let connection = Connection {
            house: self.clone(),
            number,
            only_probes,
            is_stream: AtomicBool::new(false),
        };
        // Entered before it runs: this thread is the only one that runs it.
        let serving = tokio::spawn(Arc::new(connection).serve(stream));
        lock(&self.slots).enter(number, serving.abort_handle());
    }
}

/// One connection, which carries one request.
struct Connection {
    house: House,
    number: u64,
    only_probes: bool,
    is_stream: AtomicBool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(lock(&self.house.slots).leave(self.number));
        self.house.left.notify_one();
    }
}

impl Connection {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let answering = Arc::clone(&self);
        let service = service_fn(move |request| {
            let connection = Arc::clone(&answering);
            async move { Ok::<_, Infallible>(connection.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_HEADER_BYTES)
            .max_headers(MAX_HEADERS)
            // One request each: an idle client must not keep a slot from a probe.
            .keep_alive(false)
            .serve_connection(TokioIo::new(Patient::new(stream)), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = sleep(CONNECTION_TIMEOUT) => match self.is_stream.load(Ordering::Relaxed) {
                // It has an end of its own: a client that does not read is dropped.
                true => Some(connection.await),
                false => None,
            },
        };
        match ended {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(%error, "a connection failed"),
            None => {
                self.house.site.source.turned_away(TurnedAway::Late);
                tracing::debug!("a connection took too long and was dropped");
            }
        }
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> Answer {
        lock(&self.house.slots).set_answered(self.number);
        let began = Instant::now();
        // The body is never read: what is not asked for is not waited for.
        let (parts, _body) = request.into_parts();
        let site = &self.house.site;
        let routed = respond(site, &parts, self.only_probes).await;
        if routed.answer.body().is_stream() {
            self.is_stream.store(true, Ordering::Relaxed);
        }
        site.source.answered(Answered {
            route: routed.route,
            status: routed.answer.status().as_u16(),
            took: began.elapsed(),
        });
        routed.answer
    }
}

#[cfg(test)]
mod tests;
