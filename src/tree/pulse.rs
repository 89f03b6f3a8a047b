//! Keeps a runtime's timers and sockets going while one of its threads is blocked.
//!
//! tokio's worker threads take turns at waiting for timers and sockets. When the one whose turn it is
//! finds a single task ready it runs that task, and wakes nobody: should the task block, nothing waits
//! for timers any more, although the other threads are idle. A supervisor would then miss every
//! deadline because of one child. So a thread outside the runtime gives it something to do now and
//! then; whichever worker takes that waits for timers afterwards.
//!
//! It can't help a runtime of one thread, or one whose threads are all blocked; but on the way it looks for those
//! outside who wait for the root to hear something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::supervisor::Tree;

/// How often, while the tree runs: by so much can a timer be late because of a blocked thread.
///
/// One wake-up costs about 10 µs, so this is a five-thousandth of one processor.
const PULSE: Duration = Duration::from_millis(50);

/// How often while the tree shuts down, when deadlines are tight.
const PULSE_IN_SHUTDOWN: Duration = Duration::from_millis(2);

/// How many beats may be unanswered before no more are sent: the runtime is blocked as a whole.
const MAX_UNANSWERED: usize = 1_024;

/// What is done at each beat for those who wait for a root that may stand still. Dropped after the last one.
pub(crate) type Look = dyn Fn() + Send;

/// Beats until it is dropped.
pub(super) struct Pulse {
    thread: Thread,
    is_over: Arc<AtomicBool>,
}

impl Pulse {
    /// Begins; `None` where it would be of no use.
    pub(super) fn begin(tree: &Arc<Tree>, look: Option<Box<Look>>) -> Option<Self> {
        let runtime = Handle::current();
        if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
            return None;
        }
        let is_over = Arc::<AtomicBool>::default();
        let (beating_for, stops) = (Arc::clone(tree), Arc::clone(&is_over));
        let body = move || beat(&runtime, (&beating_for, look.as_deref()), &stops);
        match thread::Builder::new()
            .name("perennial-pulse".to_owned())
            .spawn(body)
        {
            Ok(spawned) => {
                let thread = spawned.thread().clone();
                tree.set_pulse(thread.clone());
                Some(Self { thread, is_over })
            }
            Err(error) => {
                tracing::warn!(%error, "no thread for the pulse: a child that blocks may delay timers");
                None
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

fn beat(runtime: &Handle, (tree, look): (&Tree, Option<&Look>), is_over: &AtomicBool) {
    let unanswered = Arc::<AtomicUsize>::default();
    loop {
        let shuts_down = tree.early_notice().get().is_some();
        thread::park_timeout(match shuts_down {
            true => PULSE_IN_SHUTDOWN,
            false => PULSE,
        });
        if is_over.load(Ordering::Acquire) {
            return;
        }
        if let Some(look) = look {
            look();
        }
        if unanswered.load(Ordering::Relaxed) < MAX_UNANSWERED {
            unanswered.fetch_add(1, Ordering::Relaxed);
            let answered = Arc::clone(&unanswered);
            drop(runtime.spawn(async move {
                answered.fetch_sub(1, Ordering::Relaxed);
            }));
        }
    }
}
