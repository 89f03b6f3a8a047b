//! Ends the process at an instant, whatever it is doing.
//!
//! A plain thread: it needs no runtime, no lock of anybody's and nobody who reads what it writes. It is
//! made at the beginning, because at the end there may be none to be had, and because whoever arms it may be
//! on the way from a signal to those who are to hear of it. What is to be said is made and written by a
//! second thread, and the first one ends the process when that is done or takes too long: a pipe that
//! nobody reads, or a lock that is held, keeps nothing alive.
//!
//! # Invariants
//!
//! 1. An instant moves to an earlier one only, until it is taken back as a whole.
//! 2. At the instant, at the latest, the process is gone.
//! 3. The thread ends when the instant is taken back; nothing is left of it in a program that goes on.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::{Mutex, lock};

/// How long the last words may take of a process that ends at once.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Ends the process when its time is over. Clones speak of the same one.
#[derive(Clone)]
pub struct KillSwitch {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    exit: fn(u8) -> !,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When to begin to end, and when to be gone.
    at: Option<(Instant, Instant)>,
    /// Set with the first instant, or by who decides on another.
    code: Option<u8>,
    is_over: bool,
    report: Option<Arc<Report>>,
}

/// Says who still runs, and how long.
pub type Report = dyn Fn() -> String + Send + Sync;

impl KillSwitch {
    /// Makes one that ends the process by calling `exit`, with the thread that does it, which waits.
    ///
    /// # Errors
    ///
    /// The operating system's, when there is no thread to be had.
    pub fn start(exit: fn(u8) -> !) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            exit,
            state: Mutex::default(),
        });
        let waiting = Arc::clone(&shared);
        let named = thread::Builder::new().name("perennial-kill".to_owned());
        let spawned = named.spawn(move || waiting.wait())?;
        Ok(Self {
            shared,
            thread: spawned.thread().clone(),
        })
    }

    /// Ends the process at `at`, or at the instant that it already has if that is earlier, with the code that
    /// it already has, else with `code`. Of the time until then `last_words` are for the report: it is made
    /// and written in them. Does nothing once it has been [put away](Self::put_away).
    pub fn arm(&self, at: Instant, last_words: Duration, code: u8) {
        let mut state = lock(&self.shared.state);
        if state.is_over {
            return;
        }
        let begin = at.checked_sub(last_words).unwrap_or(at);
        let wanted = (begin, at);
        state.at = Some(state.at.map_or(wanted, |known| known.min(wanted)));
        state.code.get_or_insert(code);
        drop(state);
        self.thread.unpark();
    }

    /// Sets the code with which the process would end.
    pub fn set_code(&self, code: u8) {
        lock(&self.shared.state).code = Some(code);
    }

    /// Sets who is asked what to write.
    pub fn set_report(&self, report: Arc<Report>) {
        lock(&self.shared.state).report = Some(report);
    }

    /// Takes the instant back, and any that would follow, and lets the thread end.
    pub fn put_away(&self) {
        let mut state = lock(&self.shared.state);
        state.at = None;
        state.is_over = true;
        drop(state);
        self.thread.unpark();
    }

    /// Returns how much time is left; `None` where there is no instant.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let (_, at) = lock(&self.shared.state).at?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// Ends the process now, with the report.
    pub fn fire(&self, code: u8) -> ! {
        self.shared.fire(AT_ONCE, code)
    }
}

impl Shared {
    fn wait(&self) {
        loop {
            let (at, code) = {
                let state = lock(&self.state);
                if state.is_over {
                    return;
                }
                (state.at, state.code.unwrap_or_default())
            };
            let Some((begin, at)) = at else {
                thread::park();
                continue;
            };
            let left = begin.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // What is left is for the system to take the process down.
                self.fire(at.saturating_duration_since(begin) / 2, code);
            }
            thread::park_timeout(left);
        }
    }

    fn fire(&self, last_words: Duration, code: u8) -> ! {
        // Held by nobody who could be stuck: only this file takes it, and never for long.
        let report = lock(&self.state).report.clone();
        if let Some(report) = report {
            let (done, is_done) = channel();
            let write = move || {
                let text = report();
                let mut stderr = io::stderr();
                drop(stderr.write_all(text.as_bytes()));
                // Fails when nobody waits any more.
                let _nobody_waits = done.send(());
            };
            if thread::Builder::new().spawn(write).is_ok() {
                // Too late or not at all: the process ends all the same.
                let _is_written = is_done.recv_timeout(last_words);
            }
        }
        (self.exit)(code)
    }
}

impl fmt::Debug for KillSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KillSwitch")
            .field("time_left", &self.time_left())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::KillSwitch;
    use crate::signals::exit_at_once;
    use crate::sync::lock;
    use crate::time::later;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn what_is_taken_back_kills_nobody_and_leaves_no_thread() {
        let switch = KillSwitch::start(exit_at_once).expect("there is a thread");
        assert_eq!(switch.time_left(), None, "before it is armed");
        let hour = Duration::from_secs(3_600);
        switch.arm(later(Instant::now(), hour), Duration::ZERO, 1);
        switch.arm(later(Instant::now(), 2 * hour), Duration::ZERO, 2);
        assert!(
            switch.time_left().is_some_and(|left| left <= hour),
            "the earlier instant holds"
        );
        assert_eq!(lock(&switch.shared.state).code, Some(1), "so does the code");
        switch.set_code(3);
        assert_eq!(lock(&switch.shared.state).code, Some(3));
        switch.put_away();
        assert_eq!(switch.time_left(), None);
        // Of the two who hold it, the thread is the other one.
        while Arc::strong_count(&switch.shared) > 1 {
            std::thread::yield_now();
        }
    }
}
