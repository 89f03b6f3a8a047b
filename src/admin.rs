//! A Unix socket on which a running daemon takes commands, one JSON object a line.
//!
//! Whoever may connect may stop the program, so the socket is for its owner, root, and whom the
//! configuration names; there is no other way in. What commands do comes from [`Commands`]; this module
//! knows the protocol and no daemon. `docs/admin.md` describes the protocol.
//!
//! # Invariants
//!
//! 1. A line is answered with one line, in the order of the lines; only a stream of events has more.
//! 2. Every connection, line and wait is bounded: a client that sends or reads nothing holds one of
//!    [`MAX_CONNECTIONS`] places for a time and nothing else.

mod protocol;
pub mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;

pub use self::protocol::{Command, Refusal, Request};
use self::socket::{Listener, Peer};
use crate::bus::subscriber::{ReceiveError, Subscriber};
use crate::event::{EventFilter, SubsystemEvent};

/// How many clients are connected at once; more are told so and closed.
pub const MAX_CONNECTIONS: usize = 16;

/// How long a line may be, in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// How long a client may take to read what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may send nothing; one that has a person in front of it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long to wait after a failed accept: descriptors may be short, and trying on spins.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a command comes to.
pub type Answer = Result<Value, Refusal>;

/// An answer that takes its time.
pub type Answering = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What is done for clients. Its functions must not block.
pub trait Commands: Send + Sync + 'static {
    /// Carries a command out.
    fn carry_out(&self, command: Command, peer: Peer) -> Answering;

    /// Subscribes to what the filter wants, from now on; `None` before there is anything to hear.
    fn subscribe(&self, filter: EventFilter) -> Option<Subscriber<SubsystemEvent>>;

    /// Shows an event.
    fn show(&self, event: &SubsystemEvent) -> Value;
}

/// Serves clients until it is dropped.
pub async fn serve(listener: Listener, commands: Arc<dyn Commands>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut clients = tokio::task::JoinSet::new();
    loop {
        // Those that have ended are forgotten.
        while clients.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let place = Arc::clone(&places).try_acquire_owned();
                let commands = Arc::clone(&commands);
                clients.spawn(async move {
                    let served = match place {
                        Ok(_place) => serve_client(stream, peer, &*commands).await,
                        Err(_full) => refuse(stream).await,
                    };
                    if let Err(error) = served {
                        tracing::debug!(%error, uid = peer.uid, "a client of the admin socket is gone");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection on the admin socket");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn refuse(stream: UnixStream) -> io::Result<()> {
    let (_, mut to_client) = stream.into_split();
    let refusal = Refusal::new("full", "too many clients are connected");
    send(&mut to_client, &protocol::answer(None, Err(refusal))).await
}

async fn serve_client(stream: UnixStream, peer: Peer, commands: &dyn Commands) -> io::Result<()> {
    let (from_client, mut to_client) = stream.into_split();
    let mut from_client = BufReader::new(from_client);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = read_line(&mut from_client, &mut line);
        match tokio::time::timeout(IDLE_TIMEOUT, read).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                let refusal = Refusal::new("usage", "the line is longer than 64 KiB");
                return send(&mut to_client, &protocol::answer(None, Err(refusal))).await;
            }
            Ok(Err(error)) => return Err(error),
            Err(_idle) => return Ok(()),
        }
        let (id, request) = protocol::parse(&line);
        let command = match request {
            Ok(Request::Command(command)) => command,
            Ok(Request::Events(filter)) => {
                let Some(events) = commands.subscribe(filter) else {
                    let refusal = Refusal::new("not_running", "the tree has not begun to start");
                    return send(&mut to_client, &protocol::answer(id, Err(refusal))).await;
                };
                send(&mut to_client, &protocol::answer(id, Ok(Value::Null))).await?;
                let show = |event: &SubsystemEvent| commands.show(event);
                return stream_events(&mut from_client, &mut to_client, events, &show).await;
            }
            Err(refusal) => {
                send(&mut to_client, &protocol::answer(id, Err(refusal))).await?;
                continue;
            }
        };
        let answer = commands.carry_out(command, peer).await;
        send(&mut to_client, &protocol::answer(id, answer)).await?;
    }
}

/// Reads a line without its end; false at the end of the stream.
async fn read_line(
    from_client: &mut BufReader<OwnedReadHalf>,
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    let mut bounded = from_client.take(MAX_LINE_BYTES + 1);
    let read = bounded.read_until(b'\n', line).await? as u64;
    if read > MAX_LINE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(read > 0)
}

/// Sends events until the client closes its side, or says anything else.
async fn stream_events(
    from_client: &mut BufReader<OwnedReadHalf>,
    to_client: &mut OwnedWriteHalf,
    mut events: Subscriber<SubsystemEvent>,
    show: &(dyn Fn(&SubsystemEvent) -> Value + Sync),
) -> io::Result<()> {
    loop {
        let line = tokio::select! {
            said = from_client.fill_buf() => return said.map(drop),
            event = events.recv() => match event {
                Ok(event) => protocol::event(show(&event)),
                Err(ReceiveError::Lagged(lost)) => protocol::lagged(lost),
                Err(_closed) => return Ok(()),
            },
        };
        send(to_client, &line).await?;
    }
}

async fn send(to_client: &mut OwnedWriteHalf, line: &Value) -> io::Result<()> {
    let text = format!("{line}\n");
    let sent = tokio::time::timeout(WRITE_TIMEOUT, to_client.write_all(text.as_bytes()));
    sent.await
        .unwrap_or_else(|_slow| Err(io::ErrorKind::TimedOut.into()))
}
