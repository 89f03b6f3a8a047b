//! The bounded queue between those who log and the thread that writes.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::time::Duration;

use super::rotate::RotatingFile;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many lines may wait: what a busy program logs in a second.
const MOST_LINES: usize = 16_384;

/// How many bytes may wait: with lines of ordinary length it is the other limit that is reached first.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// How long a line that is logged at the end of a process is waited for.
const LAST_LINE_PATIENCE: Duration = Duration::from_secs(1);

/// How often the writer looks whether its file still stands at its path, when there is nothing to write.
const IDLE_PERIOD: Duration = Duration::from_secs(1);

/// Where lines go.
#[derive(Debug)]
pub(super) enum Target {
    Stderr,
    File(RotatingFile),
}

impl Target {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stderr => io::stderr().lock().write_all(line),
            Self::File(file) => file.write(line),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Stderr => Ok(()),
            Self::File(file) => file.reopen(),
        }
    }
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Reopen,
    Flush(Sender<()>),
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStatistics {
    /// Lines that were written.
    pub written: u64,
    /// Lines for which there was no room in the queue.
    pub dropped: u64,
    /// Lines that the system refused: the disk is full, the reader is gone.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counts {
    waiting_bytes: AtomicU64,
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// Whether each line is waited for, because nobody flushes any more.
    is_ending: AtomicBool,
}

/// The end of the queue at which lines go in. Clones speak of the same one.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    messages: SyncSender<Message>,
    counts: Arc<Counts>,
}

impl Queue {
    /// Starts the thread that writes to `target`; it ends when the last clone is dropped.
    pub(super) fn start(target: Target) -> io::Result<Self> {
        let (messages, waiting) = sync_channel(MOST_LINES);
        let counts = Arc::<Counts>::default();
        let writer = Writer {
            target,
            waiting,
            counts: Arc::clone(&counts),
            told_dropped: 0,
            is_failing: false,
        };
        let named = std::thread::Builder::new().name("perennial-log".to_owned());
        let _detached = named.spawn(move || writer.run())?;
        Ok(Self { messages, counts })
    }

    /// Hands a line over, or counts it as dropped.
    pub(super) fn push(&self, line: Vec<u8>) {
        let bytes = line.len() as u64;
        let waiting = self
            .counts
            .waiting_bytes
            .fetch_add(bytes, Ordering::Relaxed);
        let sent = match waiting.saturating_add(bytes) > MOST_BYTES {
            true => false,
            false => self.messages.try_send(Message::Line(line)).is_ok(),
        };
        if !sent {
            self.counts
                .waiting_bytes
                .fetch_sub(bytes, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        } else if self.counts.is_ending.load(Ordering::Relaxed) {
            // What is not written by then is written if the process lives long enough.
            let _is_written = self.flush(LAST_LINE_PATIENCE);
        }
    }

    /// Waits for each line from now on: the process may end at any moment.
    pub(super) fn end(&self) {
        self.counts.is_ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn reopen(&self) {
        // Behind what waits, so that it is written to the file that it was logged for. When there is no
        // room the writer finds out by itself that the file was moved.
        drop(self.messages.try_send(Message::Reopen));
    }

    pub(super) fn flush(&self, patience: Duration) -> bool {
        let until = tokio::time::Instant::now() + patience;
        let (done, is_done) = channel();
        let mut message = Message::Flush(done);
        // The queue may be full for a moment.
        loop {
            match self.messages.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            if tokio::time::Instant::now() >= until {
                return false;
            }
            std::thread::yield_now();
        }
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        is_done.recv_timeout(left).is_ok()
    }

    pub(super) fn statistics(&self) -> LogStatistics {
        LogStatistics {
            written: self.counts.written.load(Ordering::Relaxed),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
        }
    }
}

/// The end at which lines come out.
struct Writer {
    target: Target,
    waiting: Receiver<Message>,
    counts: Arc<Counts>,
    /// How many dropped lines have been told of.
    told_dropped: u64,
    is_failing: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.waiting.recv_timeout(IDLE_PERIOD) {
                Ok(Message::Line(line)) => self.write(&line),
                Ok(Message::Reopen) => {
                    let reopened = self.target.reopen();
                    self.note(
                        reopened,
                        "the log file cannot be opened again; the old one is written on",
                    );
                }
                // Fails when nobody waits any more.
                Ok(Message::Flush(done)) => drop(done.send(())),
                Err(RecvTimeoutError::Timeout) => self.tell_of_dropped(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, line: &[u8]) {
        self.counts
            .waiting_bytes
            .fetch_sub(line.len() as u64, Ordering::Relaxed);
        let written = self.target.write(line);
        let count = if written.is_ok() {
            &self.counts.written
        } else {
            &self.counts.failed
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.note(
            written,
            "the log cannot be written; lines are lost until it can",
        );
    }

    /// Tells once when the log begins to fail, on stderr, where else.
    fn note(&mut self, result: io::Result<()>, what: &str) {
        match result {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                // A closed stderr is no reason to fail.
                drop(writeln!(io::stderr().lock(), "{what}: {error}"));
            }
            Err(_told) => {}
        }
    }

    fn tell_of_dropped(&mut self) {
        let dropped = self.counts.dropped.load(Ordering::Relaxed);
        if dropped > self.told_dropped {
            tracing::warn!(
                lines = dropped - self.told_dropped,
                "log lines were dropped: they came faster than they could be written"
            );
            self.told_dropped = dropped;
        }
    }
}

#[cfg(test)]
mod tests;
