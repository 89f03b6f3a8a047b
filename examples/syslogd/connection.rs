//! One TCP connection: a temporary child, so that what is wrong with one sender ends one connection.
//!
//! A connection reads no further while nobody takes its lines, so that the sender is slowed by TCP itself:
//! an acknowledged one until they are stored, a plain one until they are in the parser's mailbox.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use perennial::{BoxError, CallError, CastError, Child, Context};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::ack::{self, FirstFrame, Numbers};
use crate::framing::Framer;
use crate::intake::{Intake, RETRY_AFTER};
use crate::parser::{Line, Lines, Raw};
use crate::writer::Stored;

const READ_BUFFER: usize = 16 * 1024;

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
        _deadline = cx.shutdown() => None,
        order = faults.next() => {
            order.happen().await;
            None
        }
        ended = Box::pin(connection.serve()) => Some(ended),
    };
    if ended.is_none() {
        connection.leave(&cx).await;
    }
    let truncated = connection.framer.truncated_lines();
    if truncated > 0 {
        tracing::warn!(%peer, truncated, "lines were too long and were cut");
    }
    ended.unwrap_or(Ok(()))
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
    /// Plain lines that the parser has not taken yet: at most what one read brings.
    outbox: VecDeque<Raw>,
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
            outbox: VecDeque::new(),
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
        if let Some(last) = self.framer.finish()? {
            self.take_frame(last, &mut Vec::new()).await?;
            self.pass_on().await?;
        }
        self.acknowledge_the_rest().await
    }

    /// Takes what has arrived. Lines before one that ends the connection are kept all the same.
    async fn take_frames(&mut self) -> Result<(), BoxError> {
        let mut lines = Vec::new();
        let taken = self.take_whole_frames(&mut lines).await;
        self.pass_on().await?;
        self.store(lines).await?;
        taken
    }

    async fn take_whole_frames(&mut self, lines: &mut Vec<Line>) -> Result<(), BoxError> {
        while let Some(frame) = self.framer.next_frame()? {
            self.take_frame(frame, lines).await?;
        }
        Ok(())
    }

    /// Takes one frame; a numbered line is added to `lines`.
    async fn take_frame(&mut self, frame: Vec<u8>, lines: &mut Vec<Line>) -> Result<(), BoxError> {
        match &mut self.mode {
            Mode::Undecided => match ack::read_first(&frame)? {
                FirstFrame::Hello(client) => return self.greet(client.as_str()).await,
                FirstFrame::Plain => {
                    self.mode = Mode::Plain;
                    self.note(frame);
                }
            },
            Mode::Plain => self.note(frame),
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

    /// A client that sends no more may still listen: it is told of its last line.
    async fn acknowledge_the_rest(&mut self) -> Result<(), BoxError> {
        while let Mode::Numbered(client) = &self.mode
            && client.numbers.last() > Some(client.told)
        {
            self.synced.changed().await?;
            self.acknowledge().await?;
        }
        Ok(())
    }

    fn note(&mut self, raw: Vec<u8>) {
        let peer = self.peer;
        self.intake.stats.received();
        self.outbox.push_back(Raw::Plain { peer, raw });
    }

    /// Returns once the parser has all plain lines. Cancel safe: until then a line is in the outbox.
    async fn pass_on(&mut self) -> Result<(), BoxError> {
        while let Some(line) = self.outbox.pop_front() {
            match self.intake.parser.cast(line) {
                Ok(()) => {}
                Err(CastError::Full(back)) => {
                    self.outbox.push_front(back);
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                // Down: the parser takes this connection with it.
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Hands over, on the way out, what has arrived.
    async fn leave(&mut self, cx: &Context) {
        if !matches!(self.mode, Mode::Plain) {
            // Numbered lines are sent again.
            return;
        }
        while let Ok(Some(raw)) = self.framer.next_frame() {
            self.note(raw);
        }
        let intake = self.intake.clone();
        let handed_over = async {
            // Refused, it has nothing left to handle.
            if self.pass_on().await.is_ok() {
                intake.settle().await;
            }
        };
        intake.patiently(cx, handed_over).await;
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
