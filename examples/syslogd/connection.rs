//! One TCP connection: a temporary child, so that what is wrong with one sender ends one connection.
//!
//! An acknowledged connection reads no further while its lines are not stored: the sender is slowed by
//! TCP itself, and no numbered line is dropped. A plain one casts, and counts what nobody takes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use perennial::{BoxError, CallError, Child, Context, Handle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::ack::{self, FirstFrame, Numbers};
use crate::chaos::Faults;
use crate::framing::Framer;
use crate::parser::{Line, Lines, Raw};
use crate::stats::Stats;
use crate::writer::{Stored, Synced, ToStore};

const READ_BUFFER: usize = 16 * 1024;

/// How long to leave a parser or store alone that took nothing.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Where lines go, and what those who bring them share.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    /// Takes lines.
    pub(crate) parser: Handle<Raw>,
    /// Known only to wait for it.
    pub(crate) store: Handle<ToStore>,
    /// What may be acknowledged.
    pub(crate) synced: Synced,
    /// Where mishaps are counted.
    pub(crate) stats: Arc<Stats>,
    /// Faults on order.
    pub(crate) faults: Faults,
    /// Whether `HELLO` is understood.
    pub(crate) acknowledged: bool,
}

/// Declares the child for an accepted connection.
pub(crate) fn child(name: String, stream: TcpStream, peer: SocketAddr, intake: Intake) -> Child {
    // A factory can be called again; a connection, being temporary, is not.
    let stream = Mutex::new(Some(stream));
    Child::task(name, move |cx| {
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        run(cx, stream, peer, intake.clone())
    })
}

async fn run(
    cx: Context,
    stream: Option<TcpStream>,
    peer: SocketAddr,
    intake: Intake,
) -> Result<(), BoxError> {
    let Some(stream) = stream else { return Ok(()) };
    let mut faults = intake.faults.of("connections");
    let mut connection = Connection::new(stream, peer, intake);
    let ended = tokio::select! {
        _deadline = cx.shutdown() => Ok(()),
        fault = faults.next() => {
            fault.happen().await;
            Ok(())
        }
        ended = Box::pin(connection.serve()) => ended,
    };
    let truncated = connection.framer.truncated_lines();
    if truncated > 0 {
        tracing::warn!(%peer, truncated, "lines were too long and were cut");
    }
    ended
}

enum Mode {
    Undecided,
    Plain,
    Numbered(Client),
}

struct Client {
    name: String,
    numbers: Numbers,
    told: u64,
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    intake: Intake,
    framer: Framer,
    mode: Mode,
    synced: watch::Receiver<BTreeMap<String, u64>>,
}

impl Connection {
    fn new(stream: TcpStream, peer: SocketAddr, intake: Intake) -> Self {
        let mode = if intake.acknowledged {
            Mode::Undecided
        } else {
            Mode::Plain
        };
        let synced = intake.synced.subscribe();
        Self {
            stream,
            peer,
            intake,
            framer: Framer::new(),
            mode,
            synced,
        }
    }

    async fn serve(&mut self) -> Result<(), BoxError> {
        let mut buffer = vec![0; READ_BUFFER];
        loop {
            tokio::select! {
                read = self.stream.read(&mut buffer) => {
                    let length = read?;
                    if length == 0 {
                        break;
                    }
                    self.framer.push(buffer.get(..length).unwrap_or_default());
                    self.take_frames().await?;
                }
                changed = self.synced.changed() => {
                    changed?;
                    self.acknowledge().await?;
                }
            }
        }
        match self.framer.finish()? {
            Some(last) => self.take_frame(last, &mut Vec::new()).await,
            None => Ok(()),
        }
    }

    async fn take_frames(&mut self) -> Result<(), BoxError> {
        let mut lines = Vec::new();
        while let Some(frame) = self.framer.next_frame()? {
            self.take_frame(frame, &mut lines).await?;
        }
        self.store(lines).await
    }

    /// Takes one frame; a numbered line is added to `lines`.
    async fn take_frame(&mut self, frame: Vec<u8>, lines: &mut Vec<Line>) -> Result<(), BoxError> {
        match &mut self.mode {
            Mode::Undecided => match ack::read_first(&frame)? {
                FirstFrame::Hello(client) => return self.greet(client.as_str()).await,
                FirstFrame::Plain => {
                    self.mode = Mode::Plain;
                    self.cast(frame);
                }
            },
            Mode::Plain => self.cast(frame),
            Mode::Numbered(client) => {
                let read = client.numbers.read(&frame)?;
                lines.push(Line {
                    number: read.number,
                    follows: read.follows,
                    raw: read.message.to_vec(),
                });
            }
        }
        Ok(())
    }

    async fn greet(&mut self, name: &str) -> Result<(), BoxError> {
        self.framer.lines_only();
        let synced = self.synced.borrow_and_update().get(name).copied();
        let told = synced.unwrap_or(0);
        self.mode = Mode::Numbered(Client {
            name: name.to_owned(),
            numbers: Numbers::default(),
            told,
        });
        Ok(self
            .stream
            .write_all(ack::answer(synced).as_bytes())
            .await?)
    }

    /// Tells the client how far it is on disk, if that is news.
    async fn acknowledge(&mut self) -> Result<(), BoxError> {
        let Mode::Numbered(client) = &mut self.mode else {
            return Ok(());
        };
        let synced = self.synced.borrow_and_update().get(&client.name).copied();
        if synced <= Some(client.told) {
            return Ok(());
        }
        client.told = synced.unwrap_or(client.told);
        Ok(self
            .stream
            .write_all(ack::answer(synced).as_bytes())
            .await?)
    }

    fn cast(&self, raw: Vec<u8>) {
        if self
            .intake
            .parser
            .cast(Raw::Plain {
                peer: self.peer,
                raw,
            })
            .is_err()
        {
            self.intake.stats.dropped();
        }
    }

    /// Returns once the lines are stored, however often the store restarts meanwhile.
    async fn store(&self, lines: Vec<Line>) -> Result<(), BoxError> {
        let Mode::Numbered(client) = &self.mode else {
            return Ok(());
        };
        if lines.is_empty() {
            return Ok(());
        }
        let lines = Arc::<[Line]>::from(lines);
        loop {
            let numbered = |reply| {
                let (client, lines) = (client.name.clone(), Arc::clone(&lines));
                Raw::Numbered(Lines {
                    peer: self.peer,
                    client,
                    lines,
                    reply,
                })
            };
            match self.intake.parser.call(numbered).await {
                Ok(Stored::All) => return Ok(()),
                Ok(Stored::Gap) => {
                    return Err("a line before these is missing; the client sends again".into());
                }
                // Lines that were stored before the answer was lost are known as duplicates.
                Err(CallError::Down | CallError::Full | CallError::Lost) => self.wait().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn wait(&self) -> Result<(), BoxError> {
        self.intake.store.ready().await?;
        self.intake.parser.ready().await?;
        tokio::time::sleep(RETRY_AFTER).await;
        Ok(())
    }
}
