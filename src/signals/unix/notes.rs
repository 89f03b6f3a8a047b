//! What handlers note of the signals that come, and whom they rouse for it.
//!
//! A handler may do next to nothing: one of a signal's notes that it has come, another writes into the pipe of the
//! thread that takes the notes. For a while a task can be roused in place of the thread; what was noted is still
//! for the thread alone to take, so that nothing is counted twice, whoever has seen it.
//!
//! The note says why the pipe was written to: a process that was forked has the pipe in common with this one, and
//! hears its own signals by the same handlers.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::low_level::{pipe, unregister};

use super::default::Claim;
use crate::signals::Signal;
use crate::sync::{Mutex, lock};

/// What was noted for one thread.
#[derive(Debug)]
pub(super) struct Notes {
    /// `None` once the thread is to end.
    handlers: Mutex<Option<BTreeMap<Signal, Handlers>>>,
    pipe: PipeWriter,
}

/// What is done when a signal comes, until this is dropped: then it does what it does by default, so the claim goes
/// first.
#[derive(Debug)]
struct Handlers {
    _claim: Claim,
    note: Arc<AtomicBool>,
    /// `None` while a task is roused.
    #[cfg_attr(
        not(feature = "daemon"),
        expect(dead_code, reason = "it is never lent")
    )]
    rouses: Option<Handler>,
    /// What the thread is roused by again after that: there may be no descriptor to be had then.
    #[cfg(feature = "daemon")]
    back: Option<PipeWriter>,
    _notes: Handler,
}

#[derive(Debug)]
struct Handler(SigId);

impl Handler {
    fn rousing(signal: Signal, pipe: PipeWriter) -> io::Result<Self> {
        pipe::register(signal.number(), pipe).map(Self)
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        unregister(self.0);
    }
}

impl Notes {
    /// Returns what takes notes, of no signal yet, and what the thread waits at.
    pub(super) fn new() -> io::Result<(Arc<Self>, PipeReader)> {
        let (read, pipe) = io::pipe()?;
        let handlers = Mutex::new(Some(BTreeMap::new()));
        Ok((Arc::new(Self { handlers, pipe }), read))
    }

    /// Notes these from now on, and no others. What it goes on to note is not missed meanwhile.
    pub(super) fn change(&self, signals: &[Signal]) -> io::Result<()> {
        if let Some(handlers) = &mut *lock(&self.handlers) {
            for signal in signals {
                if !handlers.contains_key(signal) {
                    handlers.insert(*signal, self.begin(*signal)?);
                }
            }
            handlers.retain(|signal, _| signals.contains(signal));
        }
        // For what was noted before there was anybody to rouse.
        self.rouse();
        Ok(())
    }

    fn begin(&self, signal: Signal) -> io::Result<Handlers> {
        let note = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&note);
        let pipe = self.pipe.try_clone()?;
        // In this order: who is roused finds the note.
        let notes = Handler(signal_hook::flag::register(signal.number(), noted)?);
        let rouses = Handler::rousing(signal, pipe)?;
        Ok(Handlers {
            _claim: Claim::on(signal)?,
            note,
            rouses: Some(rouses),
            #[cfg(feature = "daemon")]
            back: None,
            _notes: notes,
        })
    }

    /// Takes no more notes, and lets the thread end.
    pub(super) fn close(&self) {
        let mut handlers = lock(&self.handlers);
        self.write(&handlers);
        let closed = handlers.take();
        drop(handlers);
        drop(closed);
    }

    /// Takes what was noted, in the order of the numbers; `None` once the thread is to end. Each signal once, so that
    /// one that comes again and again keeps no other back.
    pub(super) fn take(&self) -> Option<Vec<Signal>> {
        let handlers = lock(&self.handlers);
        let has_come =
            |(_, handlers): &(&Signal, &Handlers)| handlers.note.swap(false, Ordering::SeqCst);
        let come = handlers.as_ref()?.iter().filter(has_come);
        Some(come.map(|(signal, _)| *signal).collect())
    }

    /// Rouses the thread, if it is there.
    fn rouse(&self) {
        self.write(&lock(&self.handlers));
    }

    /// The same, under the lock: a thread that has ended has closed its end of the pipe, and to write into that can end
    /// the process.
    fn write(&self, handlers: &Option<BTreeMap<Signal, Handlers>>) {
        if handlers.is_some() {
            // Fails when there is so much in the pipe that the thread is roused anyway.
            let _is_full = (&self.pipe).write(&[0]);
        }
    }

    /// Has a task roused by a signal in place of the thread, until the loan is dropped: the one that reads from this
    /// pipe. `NotFound` where the thread is not roused by it.
    #[cfg(feature = "daemon")]
    pub(super) fn lend(self: &Arc<Self>, signal: Signal, pipe: PipeWriter) -> io::Result<Loan> {
        let back = self.pipe.try_clone()?;
        let mut handlers = lock(&self.handlers);
        let lent = handlers.as_mut().and_then(|all| all.get_mut(&signal));
        let Some(lent) = lent.filter(|lent| lent.rouses.is_some()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let rouses = Handler::rousing(signal, pipe)?;
        // Not before the other is there.
        lent.rouses = None;
        lent.back = Some(back);
        Ok(Loan {
            lookout: Lookout {
                signal,
                note: Arc::clone(&lent.note),
                notes: Arc::clone(self),
            },
            _rouses: rouses,
        })
    }

    /// Has the thread roused again.
    #[cfg(feature = "daemon")]
    fn take_back(&self, signal: Signal) {
        if let Some(handlers) = &mut *lock(&self.handlers)
            && let Some(lent) = handlers.get_mut(&signal)
            && let Some(pipe) = lent.back.take()
        {
            // Can't be refused: the process has handlers of this signal.
            lent.rouses = Handler::rousing(signal, pipe).ok();
        }
    }
}

/// A task is roused in place of the thread.
#[cfg(feature = "daemon")]
#[derive(Debug)]
pub(super) struct Loan {
    /// Dropped first: somebody is roused at any time.
    lookout: Lookout,
    _rouses: Handler,
}

#[cfg(feature = "daemon")]
impl Loan {
    /// Tells whether the signal has come and the thread has not taken the note of it.
    pub(super) fn is_noted(&self) -> bool {
        self.lookout.is_noted()
    }

    pub(super) fn lookout(&self) -> Lookout {
        Lookout {
            signal: self.lookout.signal,
            note: Arc::clone(&self.lookout.note),
            notes: Arc::clone(&self.lookout.notes),
        }
    }
}

/// Sees to it that the thread takes a note also where the task does not come to it; when nobody looks any more, and this is
/// dropped, the thread is roused again.
#[cfg(feature = "daemon")]
#[derive(Debug)]
pub(super) struct Lookout {
    signal: Signal,
    note: Arc<AtomicBool>,
    notes: Arc<Notes>,
}

#[cfg(feature = "daemon")]
impl Lookout {
    fn is_noted(&self) -> bool {
        self.note.load(Ordering::SeqCst)
    }

    pub(super) fn look(&self) {
        if self.is_noted() {
            self.notes.rouse();
        }
    }
}

#[cfg(feature = "daemon")]
impl Drop for Lookout {
    fn drop(&mut self) {
        self.notes.take_back(self.signal);
        // For what was noted before.
        self.look();
    }
}
