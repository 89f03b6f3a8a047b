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
//!    [`MAX_CONNECTIONS`] places for a time and nothing else, and gives way to the next when all are taken.
//! 3. A client that is gone holds nothing, whatever it has asked for; what it asked for is still done.

mod protocol;
pub mod socket;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, Semaphore};

pub use self::protocol::{Command, Refusal, Request};
use self::socket::{Listener, Peer};
use crate::bus::subscriber::{ReceiveError, Subscriber};
use crate::event::{EventFilter, SubsystemEvent};

/// How many clients are connected at once. For one more the one that has said nothing for the longest time
/// gives way; where all are waiting for something the new one is told so and closed.
pub const MAX_CONNECTIONS: usize = 16;

/// How long a line may be, in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// How long a client may take to read what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may send nothing; one that has a person in front of it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a line may take once it has begun.
const LINE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client waits for a place that another gives up, which takes no time but to write a line.
const PLACE_PATIENCE: Duration = Duration::from_secs(1);

/// How often it is looked whether a client that is waited for is still there.
const GONE_PERIOD: Duration = Duration::from_secs(1);

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
    let crowd = Arc::new(Crowd::default());
    let mut clients = tokio::task::JoinSet::new();
    loop {
        // Those that have ended are forgotten.
        while clients.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                if places.available_permits() == 0 {
                    crowd.give_way();
                }
                let place = Arc::clone(&places).acquire_owned();
                let (commands, crowd) = (Arc::clone(&commands), Arc::clone(&crowd));
                clients.spawn(async move {
                    let served = match tokio::time::timeout(PLACE_PATIENCE, place).await {
                        Ok(Ok(_place)) => serve_client(stream, peer, &*commands, &crowd).await,
                        _full => refuse(stream).await,
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

/// The clients that have asked for nothing, the one that has done so for the longest time first.
#[derive(Debug, Default)]
struct Crowd {
    idle: AtomicUsize,
    wanted: Notify,
}

impl Crowd {
    /// Has the first of them give way, if there is one.
    fn give_way(&self) {
        if self.idle.load(Ordering::Relaxed) > 0 {
            self.wanted.notify_one();
        }
    }

    /// Waits until this client has to.
    async fn wanted(&self) {
        let _idle = Idle::new(&self.idle);
        self.wanted.notified().await;
    }
}

/// One who is counted while this is there.
struct Idle<'a>(&'a AtomicUsize);

impl<'a> Idle<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn refuse(stream: UnixStream) -> io::Result<()> {
    let (_, mut to_client) = stream.into_split();
    send(&mut to_client, &full("too many clients are connected")).await
}

fn full(why: &str) -> Value {
    protocol::answer(None, Err(Refusal::new("too_many_clients", why)))
}

async fn serve_client(
    stream: UnixStream,
    peer: Peer,
    commands: &dyn Commands,
    crowd: &Crowd,
) -> io::Result<()> {
    let (from_client, mut to_client) = stream.into_split();
    let mut from_client = BufReader::new(from_client);
    let mut line = Vec::new();
    loop {
        tokio::select! {
            biased;
            begun = from_client.fill_buf() => if begun?.is_empty() {
                return Ok(());
            },
            () = crowd.wanted() => {
                return send(&mut to_client, &full("closed to make room for another client")).await;
            }
            () = tokio::time::sleep(IDLE_TIMEOUT) => return Ok(()),
        }
        line.clear();
        let read = read_line(&mut from_client, &mut line);
        match tokio::time::timeout(LINE_TIMEOUT, read).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                let refusal = Refusal::new("bad_request", "the line is longer than 64 KiB");
                return send(&mut to_client, &protocol::answer(None, Err(refusal))).await;
            }
            Ok(Err(error)) => return Err(error),
            Err(_slow) => return Ok(()),
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
        // By itself, so that it is done and logged although who asked is gone.
        let carried_out = tokio::spawn(commands.carry_out(command, peer));
        let answer = tokio::select! {
            answer = carried_out => answer.unwrap_or_else(|panic| {
                Err(Refusal::new("failed", format!("the command failed: {panic}")))
            }),
            () = gone(&to_client) => return Ok(()),
        };
        let answer = protocol::answer(id, answer);
        // A large tree takes its time to write.
        let text = tokio::task::spawn_blocking(move || format!("{answer}\n")).await;
        send_text(&mut to_client, &text.map_err(io::Error::other)?).await?;
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

/// Waits until the client has closed both directions. One that has sent all that it will send may still be
/// there to read.
async fn gone(to_client: &OwnedWriteHalf) {
    loop {
        tokio::time::sleep(GONE_PERIOD).await;
        let ready = to_client.ready(Interest::WRITABLE).await;
        if ready.is_ok_and(|ready| ready.is_write_closed()) {
            return;
        }
    }
}

/// Sends events until the client is gone, or says anything else.
async fn stream_events(
    from_client: &mut BufReader<OwnedReadHalf>,
    to_client: &mut OwnedWriteHalf,
    mut events: Subscriber<SubsystemEvent>,
    show: &(dyn Fn(&SubsystemEvent) -> Value + Sync),
) -> io::Result<()> {
    let mut has_said_all = false;
    loop {
        let line = tokio::select! {
            said = from_client.fill_buf(), if !has_said_all => match said?.is_empty() {
                true => {
                    has_said_all = true;
                    continue;
                }
                false => return Ok(()),
            },
            () = gone(to_client) => return Ok(()),
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
    send_text(to_client, &format!("{line}\n")).await
}

async fn send_text(to_client: &mut OwnedWriteHalf, text: &str) -> io::Result<()> {
    let sent = tokio::time::timeout(WRITE_TIMEOUT, to_client.write_all(text.as_bytes()));
    sent.await
        .unwrap_or_else(|_slow| Err(io::ErrorKind::TimedOut.into()))
}
