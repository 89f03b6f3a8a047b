//! The bounded queue between those who log and the thread that writes.
//!
//! # Invariants
//!
//! 1. Each line is counted once: as written, dropped or failed. Those that still wait when nobody waits
//!    for them any more are dropped ones.
//! 2. A writer that stands still holds nobody up for longer than one patience, at the end neither.

mod writer;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::writer::Target;
use self::writer::Writer;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, lock};

/// How many lines may wait: what a busy program logs in a second.
const MOST_LINES: usize = 16_384;

/// How many bytes may wait: with lines of ordinary length it is the other limit that is reached first.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// How long a line that is logged at the end of a process is waited for.
const LAST_LINE_PATIENCE: Duration = Duration::from_secs(1);

/// How long after the end of a daemon each line is waited for. By then a program that ends has ended, and
/// one that goes on must not be slow for ever.
const ENDING_TIME: Duration = Duration::from_secs(5);

/// Between two tries to get a message into a queue that is full.
const FULL_PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStatistics {
    /// Lines that were written.
    pub written: u64,
    /// Lines for which there was no room in the queue, or that nobody waited for at the end.
    pub dropped: u64,
    /// Lines that the system refused: the disk is full, the reader is gone.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Counts {
    waiting_bytes: AtomicU64,
    /// How many lines went into the queue, and came out of it.
    sent: AtomicU64,
    taken: AtomicU64,
    /// Lines that were sent before this many are not written any more.
    abandoned: AtomicU64,
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// Whether each line is waited for, because nobody flushes any more.
    is_ending: AtomicBool,
    /// Until when.
    ends: Mutex<Option<Instant>>,
    /// Whether the writer let somebody wait in vain and has not written since.
    is_stuck: AtomicBool,
    /// Whether the file is to be opened anew once these many lines are written.
    reopen_after: AtomicU64,
}

/// No reopening is wished for.
const NO_REOPEN: u64 = u64::MAX;

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
        counts.reopen_after.store(NO_REOPEN, Ordering::Relaxed);
        let writer = Writer::new(target, waiting, Arc::clone(&counts));
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
            true => Err(TrySendError::Full(Message::Line(line))),
            false => self.messages.try_send(Message::Line(line)),
        };
        if let Err(refused) = sent {
            self.counts
                .waiting_bytes
                .fetch_sub(bytes, Ordering::Relaxed);
            let (TrySendError::Full(line) | TrySendError::Disconnected(line)) = refused;
            if !writer::is_kept(line) {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        // The writer would wait for itself.
        let waits = self.counts.is_ending.load(Ordering::Relaxed)
            && !writer::is_here()
            && !self.counts.is_stuck.load(Ordering::Relaxed);
        // What is not written by then is written if the process lives long enough.
        if waits && !self.flush(LAST_LINE_PATIENCE) {
            self.counts.is_stuck.store(true, Ordering::Relaxed);
        }
    }

    /// Waits for what was logged, and for a time for each line that is logged after this: the process may
    /// end at any moment. What is not written by then is given up; `false` says that something was.
    pub(super) fn end(&self, patience: Duration) -> bool {
        *lock(&self.counts.ends) = Some(Instant::now() + ENDING_TIME);
        self.counts.is_ending.store(true, Ordering::Relaxed);
        let is_written = self.flush(patience);
        if !is_written {
            self.counts.is_stuck.store(true, Ordering::Relaxed);
            let sent = self.counts.sent.load(Ordering::Relaxed);
            self.counts.abandoned.fetch_max(sent, Ordering::Relaxed);
        }
        is_written
    }

    /// Has the file opened anew behind what waits, which belongs to the file that it was logged for.
    pub(super) fn reopen(&self) {
        let sent = self.counts.sent.load(Ordering::Relaxed);
        self.counts.reopen_after.fetch_min(sent, Ordering::Relaxed);
        // Only wakes the writer; where there is no room it is awake.
        let (done, _) = channel();
        drop(self.messages.try_send(Message::Flush(done)));
    }

    pub(super) fn flush(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let (done, is_done) = channel();
        let mut message = Message::Flush(done);
        // The queue may be full for a moment.
        loop {
            match self.messages.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::park_timeout(FULL_PAUSE);
        }
        let left = until.saturating_duration_since(Instant::now());
        is_done.recv_timeout(left).is_ok()
    }

    pub(super) fn statistics(&self) -> LogStatistics {
        self.counts.statistics()
    }
}

impl Counts {
    fn statistics(&self) -> LogStatistics {
        let taken = self.taken.load(Ordering::Relaxed);
        let abandoned = self.abandoned.load(Ordering::Relaxed);
        LogStatistics {
            written: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed) + abandoned.saturating_sub(taken),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
