//! Handlers of Unix, and the thread that they rouse.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::FORBIDDEN;
use signal_hook::iterator::{Handle, Signals};

use super::Signal;
use crate::sync::{Mutex, lock};

#[derive(Debug)]
pub(super) struct Inner {
    handle: Handle,
    signals: Vec<Signal>,
}

/// Who listens for a signal; with nobody left it does what it does by default.
struct Heard {
    listeners: usize,
    by_nobody: Arc<AtomicBool>,
}

/// Handlers belong to the process, and so does this.
static HEARD: LazyLock<Mutex<BTreeMap<Signal, Heard>>> = LazyLock::new(Mutex::default);

pub(super) fn start(
    signals: &[Signal],
    mut heard: impl FnMut(Signal) + Send + 'static,
) -> io::Result<Inner> {
    check(signals)?;
    let numbers: Vec<i32> = signals.iter().map(|signal| signal.number()).collect();
    let mut stream = Signals::new(&numbers)?;
    // Taken back as a whole when one of them, or the thread, is refused.
    let mut inner = Inner {
        handle: stream.handle(),
        signals: Vec::new(),
    };
    for signal in signals {
        begin(*signal)?;
        inner.signals.push(*signal);
    }
    let named = std::thread::Builder::new().name("perennial-signals".to_owned());
    let _detached = named.spawn(move || {
        for number in stream.forever() {
            heard(Signal::new(number));
        }
    })?;
    Ok(inner)
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

/// Sees to it that a signal for which nobody listens yet does what it does by default, whatever handlers it
/// is given from now on.
#[cfg(feature = "daemon")]
pub(in crate::signals) fn default_until_heard(signal: Signal) -> io::Result<()> {
    check(&[signal])?;
    entry(&mut lock(&HEARD), signal, true).map(drop)
}

fn begin(signal: Signal) -> io::Result<()> {
    let mut all = lock(&HEARD);
    // Somebody listens already, so that what comes in between is not lost.
    let heard = entry(&mut all, signal, false)?;
    heard.listeners += 1;
    heard.by_nobody.store(false, Ordering::SeqCst);
    Ok(())
}

/// Returns what is known of a signal, for the first time as it is said.
fn entry(
    all: &mut BTreeMap<Signal, Heard>,
    signal: Signal,
    by_nobody: bool,
) -> io::Result<&mut Heard> {
    match all.entry(signal) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(first) => {
            let by_nobody = Arc::new(AtomicBool::new(by_nobody));
            let asked = Arc::clone(&by_nobody);
            // Once in the life of the process: a handler can't be taken away again.
            signal_hook::flag::register_conditional_default(signal.number(), asked)?;
            Ok(first.insert(Heard {
                listeners: 0,
                by_nobody,
            }))
        }
    }
}

fn end(signal: Signal) {
    if let Some(heard) = lock(&HEARD).get_mut(&signal) {
        heard.listeners -= 1;
        let is_by_nobody = heard.listeners == 0;
        heard.by_nobody.store(is_by_nobody, Ordering::SeqCst);
    }
}

impl Inner {
    pub(super) fn change(&mut self, signals: &[Signal]) -> io::Result<()> {
        check(signals)?;
        for signal in signals {
            if !self.signals.contains(signal) {
                self.handle.add_signal(signal.number())?;
                begin(*signal)?;
                self.signals.push(*signal);
            }
        }
        let (kept, gone) = self.signals.iter().partition(|had| signals.contains(had));
        self.signals = kept;
        let gone: Vec<Signal> = gone;
        gone.into_iter().for_each(end);
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.signals.iter().copied().for_each(end);
        self.handle.close();
    }
}
