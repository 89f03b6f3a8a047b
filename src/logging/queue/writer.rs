//! The thread that writes: the end of the queue at which lines come out.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::rotate::RotatingFile;
use super::{Counts, Message, NO_REOPEN};
use crate::sync::atomic::Ordering;
use crate::sync::lock;

/// How often the writer looks at what is asked of it when there is nothing to write.
const IDLE_PERIOD: Duration = Duration::from_secs(1);

/// How often it is told that lines were dropped, while more are.
const TELL_PERIOD: Duration = Duration::from_secs(1);

/// Between two tries to write to a stderr that does not block and has no room.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Where lines go.
#[derive(Debug)]
pub(in crate::logging) enum Target {
    Stderr,
    File(RotatingFile),
}

impl Target {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stderr => write_whole(line, |rest| io::stderr().lock().write(rest)),
            Self::File(file) => file.write(line),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Stderr => Ok(()),
            Self::File(file) => file.reopen(),
        }
    }

    fn trouble(&mut self) -> Option<io::Error> {
        match self {
            Self::Stderr => None,
            Self::File(file) => file.trouble(),
        }
    }
}

/// Writes until all is written. Whoever started the process may have made its stderr one that does not
/// block: then a reader that is slow is waited for here, and not told of as a failure in half a line.
fn write_whole(line: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        match write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::park_timeout(FULL_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

thread_local! {
    /// The writer's own lines for which there was no room; `None` on every other thread.
    pub(super) static OWN: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// Tells whether this is the writer's thread, and the line its own.
pub(super) fn is_here() -> bool {
    OWN.with_borrow(Option::is_some)
}

/// Keeps a line for which there is no room if it is the writer's own: that there is none is what it says.
pub(super) fn is_kept(message: Message) -> bool {
    OWN.with_borrow_mut(|own| match (own, message) {
        (Some(own), Message::Line(line)) => {
            own.push(line);
            true
        }
        _ => false,
    })
}

/// The thread's state.
pub(super) struct Writer {
    target: Target,
    waiting: Receiver<Message>,
    counts: Arc<Counts>,
    /// How many dropped lines have been told of, and when the next may be.
    told_dropped: u64,
    next_tell: Instant,
    is_failing: bool,
}

impl Writer {
    pub(super) fn new(target: Target, waiting: Receiver<Message>, counts: Arc<Counts>) -> Self {
        Self {
            target,
            waiting,
            counts,
            told_dropped: 0,
            next_tell: Instant::now(),
            is_failing: false,
        }
    }

    /// Writes until the last who could log is gone.
    pub(super) fn run(mut self) {
        loop {
            match self.waiting.recv_timeout(IDLE_PERIOD) {
                Ok(Message::Line(line)) => self.take(&line),
                // Fails when nobody waits any more.
                Ok(Message::Flush(done)) => {
                    self.reopen_if_asked();
                    let _is_heard = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.attend();
        }
    }

    /// Does what is asked for or due beside the lines.
    fn attend(&mut self) {
        self.reopen_if_asked();
        let is_ending = self.counts.is_ending.load(Ordering::Relaxed);
        if is_ending && lock(&self.counts.ends).is_none_or(|ends| ends <= Instant::now()) {
            self.counts.is_ending.store(false, Ordering::Relaxed);
        }
        let dropped = self.counts.statistics().dropped;
        if dropped > self.told_dropped && self.next_tell <= Instant::now() {
            self.tell_of_dropped(dropped);
        }
    }

    fn reopen_if_asked(&mut self) {
        let after = self.counts.reopen_after.load(Ordering::Relaxed);
        if after == NO_REOPEN || self.counts.taken.load(Ordering::Relaxed) < after {
            return;
        }
        self.counts.reopen_after.store(NO_REOPEN, Ordering::Relaxed);
        let reopened = self.target.reopen();
        self.note(reopened, CANNOT_REOPEN);
    }

    /// Takes a line out of the queue, and writes it unless it was given up.
    fn take(&mut self, line: &[u8]) {
        let counts = &self.counts;
        counts
            .waiting_bytes
            .fetch_sub(line.len() as u64, Ordering::Relaxed);
        let number = counts.taken.load(Ordering::Relaxed);
        if number < counts.abandoned.load(Ordering::Relaxed) {
            counts.dropped.fetch_add(1, Ordering::Relaxed);
            counts.taken.fetch_add(1, Ordering::Relaxed);
            return;
        }
        counts.taken.fetch_add(1, Ordering::Relaxed);
        self.write(line);
    }

    fn write(&mut self, line: &[u8]) {
        let written = self.target.write(line);
        let count = if written.is_ok() {
            &self.counts.written
        } else {
            &self.counts.failed
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.counts.is_stuck.store(false, Ordering::Relaxed);
        self.note(
            written,
            "the log cannot be written; lines are lost until it can",
        );
        if let Some(error) = self.target.trouble() {
            print(CANNOT_REOPEN, &error);
        }
    }

    /// Tells once when the log begins to fail, on stderr, where else.
    fn note(&mut self, result: io::Result<()>, what: &str) {
        match result {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                print(what, &error);
            }
            Err(_told) => {}
        }
    }

    /// Tells in the log itself, also while it is full of other lines.
    fn tell_of_dropped(&mut self, dropped: u64) {
        let lines = dropped - self.told_dropped;
        OWN.set(Some(Vec::new()));
        tracing::warn!(
            lines,
            "log lines were dropped: they came faster than they could be written"
        );
        for line in OWN.take().unwrap_or_default() {
            self.write(&line);
        }
        self.told_dropped = dropped;
        self.next_tell = Instant::now() + TELL_PERIOD;
    }
}

/// What is said when a file that was moved away, or is to be opened anew, has no successor.
const CANNOT_REOPEN: &str = "the log file cannot be opened again; the old one is written on";

fn print(what: &str, error: &io::Error) {
    // A closed stderr is no reason to fail.
    drop(writeln!(io::stderr().lock(), "{what}: {error}"));
}
