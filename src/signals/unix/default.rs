//! What a signal does by default, for as long as nobody listens for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use crate::signals::Signal;
use crate::sync::{Mutex, lock};

/// Who listens for a signal; with nobody left it does what it does by default.
struct Claimed {
    listeners: usize,
    by_nobody: Arc<AtomicBool>,
}

/// Handlers belong to the process, and so does this.
static CLAIMED: LazyLock<Mutex<BTreeMap<Signal, Claimed>>> = LazyLock::new(Mutex::default);

/// One who listens for a signal, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim(Signal);

impl Claim {
    /// Keeps the signal from doing what it does by default.
    pub(super) fn on(signal: Signal) -> io::Result<Self> {
        let mut all = lock(&CLAIMED);
        let claimed = match all.entry(signal) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(first) => {
                // Somebody listens already, so that what comes in between is not lost.
                let by_nobody = Arc::new(AtomicBool::new(false));
                let asked = Arc::clone(&by_nobody);
                // Once in the life of the process: a handler can't be taken away again.
                signal_hook::flag::register_conditional_default(signal.number(), asked)?;
                first.insert(Claimed {
                    listeners: 0,
                    by_nobody,
                })
            }
        };
        claimed.listeners += 1;
        claimed.by_nobody.store(false, Ordering::SeqCst);
        Ok(Self(signal))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(claimed) = lock(&CLAIMED).get_mut(&self.0) {
            claimed.listeners -= 1;
            let is_by_nobody = claimed.listeners == 0;
            claimed.by_nobody.store(is_by_nobody, Ordering::SeqCst);
        }
    }
}
