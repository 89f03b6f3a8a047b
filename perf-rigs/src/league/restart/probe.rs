//! Where children note that they crash, and that they are back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::heat::{Figures, nanoseconds, percentile};

/// Long enough for the threads of a runtime to fall asleep.
const REST: Duration = Duration::from_millis(2);

/// Longer than any library waits before a restart when it is told not to: a child that is down for so long was given
/// up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the panics say that are meant.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// When a child crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As soon as it is up.
    Hot,
    /// When everything has been at rest for a while.
    Idle,
}

/// What a child does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    CrashSoon,
    Wait,
}

/// Measures the restarts of one child.
pub(super) struct Probe {
    pace: Pace,
    wanted: usize,
    state: Mutex<State>,
    crash_now: Notify,
    returned: Notify,
    finished: Notify,
}

type Trigger = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    began: Option<Instant>,
    ended: Option<Instant>,
    crashed: Option<Instant>,
    latencies: Vec<Duration>,
    trigger: Option<Trigger>,
}

impl Probe {
    pub(super) fn new(pace: Pace, wanted: usize) -> Self {
        let state = State {
            latencies: Vec::with_capacity(wanted),
            ..State::default()
        };
        Self {
            pace,
            wanted,
            state: Mutex::new(state),
            crash_now: Notify::new(),
            returned: Notify::new(),
            finished: Notify::new(),
        }
    }

    /// The first line of a child's run, which says how it is made to crash.
    pub(super) fn back(&self, trigger: impl Fn() + Send + 'static) -> Next {
        let now = Instant::now();
        let mut state = self.state.lock().expect("nobody panics with it");
        // Before anybody is told: on a busy machine the old one would be pulled.
        if self.pace == Pace::Idle {
            state.trigger = Some(Box::new(trigger));
        }
        if let Some(crashed) = state.crashed.take() {
            state.latencies.push(now - crashed);
        }
        if state.latencies.len() == self.wanted {
            state.ended = Some(now);
            drop(state);
            self.finished.notify_one();
            return Next::Wait;
        }
        drop(state);
        match self.pace {
            Pace::Hot => Next::CrashSoon,
            Pace::Idle => {
                self.returned.notify_one();
                Next::Wait
            }
        }
    }

    /// The last line of a child's run.
    pub(super) fn crash(&self) -> ! {
        let mut state = self.state.lock().expect("nobody panics with it");
        let now = Instant::now();
        state.began.get_or_insert(now);
        state.crashed = Some(now);
        drop(state);
        std::panic::panic_any(ON_PURPOSE);
    }

    /// A whole run of a child that is a task.
    pub(super) async fn live(self: &Arc<Self>) {
        let itself = Arc::clone(self);
        match self.back(move || itself.crash_now.notify_one()) {
            Next::CrashSoon => tokio::task::yield_now().await,
            Next::Wait => self.crash_now.notified().await,
        }
        self.crash();
    }

    /// Crashes the child each time that everything has been at rest.
    pub(super) async fn drive(&self) {
        if self.pace == Pace::Hot {
            return;
        }
        loop {
            self.returned.notified().await;
            tokio::time::sleep(REST).await;
            let state = self.state.lock().expect("nobody panics with it");
            if let Some(trigger) = &state.trigger {
                trigger();
            }
        }
    }

    /// Waits for the last restart; false when the child was given up before.
    pub(super) async fn is_finished(&self) -> bool {
        let mut seen = 0;
        while timeout(PATIENCE, self.finished.notified()).await.is_err() {
            let state = self.state.lock().expect("nobody panics with it");
            if state.latencies.len() == seen {
                return false;
            }
            seen = state.latencies.len();
        }
        true
    }

    /// Returns p50 and p99 of the latencies, and in a storm the rate.
    pub(super) fn figures(&self) -> Figures {
        let mut state = self.state.lock().expect("nobody panics with it");
        let count = state.latencies.len() as f64;
        let mut figures = vec![
            percentile(&mut state.latencies, 0.5),
            percentile(&mut state.latencies, 0.99),
        ];
        if let (Pace::Hot, Some(began), Some(ended)) = (self.pace, state.began, state.ended) {
            figures.push(count / nanoseconds(ended - began) * 1e9);
        }
        figures
    }
}
