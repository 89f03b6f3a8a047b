//! A client of the acknowledged protocol, one that sends again whatever is not acknowledged.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::collector::{POLL, lines_by};

/// How many lines the client sends ahead of the last ACK: enough to fill batches, few enough that a run
/// lasts through many crashes.
const WINDOW: u64 = 200;

/// How long a connection may be silent before the client tries another.
const SILENCE: Duration = Duration::from_secs(5);

/// An acknowledged client. Its lines are numbered from 1; line n is of program `pn`, so that a query tells
/// how often each is there.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    pub(crate) acknowledged: u64,
    pub(crate) connections: u64,
    pub(crate) silences: u64,
}

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Conversation {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    sent: u64,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            acknowledged: 0,
            connections: 0,
            silences: 0,
        }
    }

    /// Comes back after every loss until so many lines are acknowledged.
    pub(crate) fn insist(&mut self, lines: u64, deadline: Instant) {
        while self.acknowledged < lines {
            assert!(
                Instant::now() < deadline,
                "not in time: {lines} lines, {self:?}"
            );
            let conversed = self
                .connect()
                .and_then(|mut conversation| self.send(&mut conversation, lines));
            if let Err(error) = conversed {
                self.silences += u64::from(error.kind() == ErrorKind::WouldBlock);
                thread::park_timeout(POLL);
            }
        }
    }

    pub(crate) fn connect(&mut self) -> io::Result<Conversation> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.write_all(b"HELLO web-1\n")?;
        let mut answers = BufReader::new(stream.try_clone()?);
        self.hear(&mut answers)?;
        self.connections += 1;
        let sent = self.acknowledged;
        Ok(Conversation {
            stream,
            answers,
            sent,
        })
    }

    /// Sends, over one connection, until so many lines are acknowledged.
    pub(crate) fn send(&mut self, over: &mut Conversation, lines: u64) -> io::Result<()> {
        while self.acknowledged < lines {
            over.write(lines.min(self.acknowledged + WINDOW))?;
            self.hear(&mut over.answers)?;
        }
        Ok(())
    }

    /// Sends, over one connection, and says that there is no more; hears the answers to the end.
    pub(crate) fn send_the_last(&mut self, over: &mut Conversation, lines: u64) -> io::Result<()> {
        over.write(lines)?;
        over.stream.shutdown(Shutdown::Write)?;
        while self.acknowledged < lines {
            self.hear(&mut over.answers)?;
        }
        Ok(())
    }

    fn hear(&mut self, answers: &mut impl BufRead) -> io::Result<()> {
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        let Some(number) = answer
            .strip_prefix("ACK ")
            .and_then(|rest| rest.strip_suffix('\n'))
        else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let number = number.parse().expect("a number");
        assert!(
            number >= self.acknowledged,
            "ACK {number} takes back ACK {}",
            self.acknowledged
        );
        self.acknowledged = number;
        Ok(())
    }
}

impl Conversation {
    /// Writes the lines up to this number that are not written yet, and waits for nothing.
    pub(crate) fn write(&mut self, last: u64) -> io::Result<()> {
        let mut batch = String::new();
        while self.sent < last {
            self.sent += 1;
            let number = self.sent;
            batch.push_str(&format!("{number} <13>1 - web p{number} - - - line\n"));
        }
        self.stream.write_all(batch.as_bytes())
    }

    /// Writes something else.
    pub(crate) fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Hears until the other side closes.
    pub(crate) fn hear_the_end(mut self) {
        let mut rest = Vec::new();
        drop(io::Read::read_to_end(&mut self.answers, &mut rest));
    }
}

/// Checks that each acknowledged line is stored once, and each other one at most once.
pub(crate) fn assert_stored_once(counts: &Value, acknowledged: u64) {
    let stored: BTreeMap<&str, u64> = lines_by("by_program", counts);
    for number in 1..=acknowledged {
        let times = stored.get(format!("p{number}").as_str());
        assert_eq!(times, Some(&1), "line {number} of {acknowledged}");
    }
    let twice: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "stored more than once: {twice:?}");
}
