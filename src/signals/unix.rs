//! Signals of Unix: handlers, and the thread that they rouse.

mod default;
#[cfg(feature = "daemon")]
mod hearing;
mod notes;

use std::io::{self, PipeReader, Read};
use std::sync::Arc;

use signal_hook::consts::FORBIDDEN;

#[cfg(feature = "daemon")]
pub(crate) use self::hearing::Lender;
use self::notes::Notes;
use super::Signal;

/// A thread that hears signals, until this is dropped.
#[derive(Debug)]
pub(super) struct Inner {
    notes: Arc<Notes>,
}

pub(super) fn start(
    signals: &[Signal],
    heard: impl FnMut(Signal) + Send + 'static,
) -> io::Result<Inner> {
    check(signals)?;
    let (notes, pipe) = Notes::new()?;
    // Taken back as a whole when one of the signals, or the thread, is refused.
    let inner = Inner {
        notes: Arc::clone(&notes),
    };
    inner.notes.change(signals)?;
    let named = std::thread::Builder::new().name("perennial-signals".to_owned());
    let listening = Inner { notes };
    let _detached = named.spawn(move || listen(pipe, listening, heard))?;
    Ok(inner)
}

/// Hands on what is noted. Without the thread signals do again what they do by default, why ever it ends; so it has
/// `inner`, and drops it before the pipe.
fn listen(mut pipe: PipeReader, inner: Inner, mut heard: impl FnMut(Signal)) {
    while let Some(noted) = inner.notes.take() {
        noted.into_iter().for_each(&mut heard);
        match pipe.read(&mut [0; 64]) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                // First: whoever writes the log may take long.
                drop(inner);
                return tracing::error!(%error, "signals are not heard any more");
            }
        }
    }
}

fn check(signals: &[Signal]) -> io::Result<()> {
    let is_heard_by_nobody =
        |signal: &&Signal| !signal.is_possible() || FORBIDDEN.contains(&signal.number());
    match signals.iter().find(is_heard_by_nobody) {
        None => Ok(()),
        Some(signal) => {
            let message = format!("no program can hear {signal}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

impl Inner {
    pub(super) fn change(&mut self, signals: &[Signal]) -> io::Result<()> {
        check(signals)?;
        self.notes.change(signals)
    }

    /// Returns what lends its signals.
    #[cfg(feature = "daemon")]
    pub(super) fn lender(&self) -> Lender {
        Lender::new(&self.notes)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.notes.close();
    }
}
