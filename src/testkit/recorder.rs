//! The recorder: everything that a tree says, kept; what to wait for in it, and in which order it came.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, timeout};

use super::observed::{Observed, line_of};
use super::order;
use super::pattern::{EventPattern, UnknownEvent};
use crate::bus::subscriber::{ReceiveError, Subscriber};
use crate::event::{EventKind, SubsystemEvent};
use crate::supervisor::status::{NodeStatus, State};
use crate::tree::Running;

/// How long a recorder waits when nothing was set: four times the longest delay of the default backoff.
///
/// On the paused clock a wait in vain costs no real time.
pub const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// Records every event of a tree from now on, waits for some of them, and compares their order.
///
/// A node is named by its path, in which `*` stands for any part of one name and a last part `**` for
/// everything below. An event is named by its [code](EventKind::code); where a run ended also by how:
/// `"exited: panicked"`, `"start_failed: start_timed_out"`, `"stopped: killed"`, with the codes of
/// [`Exit`](crate::exit::Exit) and [`Outcome`](crate::shutdown::report::Outcome).
///
/// It reads when one of its methods is called. Between two calls the tree's bus keeps the last 4 096
/// events; after more than that the wait or the assertion says how many were lost, and fails.
#[derive(Debug)]
pub struct Recorder {
    running: Running,
    source: Subscriber<SubsystemEvent>,
    zero: Instant,
    seen: Vec<SubsystemEvent>,
    /// How many of them stand before the next that a wait looks at.
    passed: usize,
    lost: u64,
    wait_timeout: Duration,
}

/// Says why a wait was in vain. Its debug text is its text, because that is what a test prints.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WaitError {
    /// It did not come in time.
    #[error("waited {waited:?} in vain for {awaited}; {observed}")]
    TimedOut {
        /// What was waited for.
        awaited: String,
        /// How long, on the tree's clock.
        waited: Duration,
        /// What was seen meanwhile.
        observed: Box<Observed>,
    },
    /// The tree ended first.
    #[error("the tree ended after {waited:?} without {awaited}; {observed}")]
    Ended {
        /// What was waited for.
        awaited: String,
        /// How long, on the tree's clock.
        waited: Duration,
        /// What was seen meanwhile.
        observed: Box<Observed>,
    },
    /// So many events were lost, because nobody read them in time, that it may have been one of them.
    #[error("{lost} events were lost before {awaited}; read more often, with Recorder::events")]
    Lagged {
        /// What was waited for.
        awaited: String,
        /// How many events were lost.
        lost: u64,
    },
    /// Nothing is called so: it would never come.
    #[error(transparent)]
    Unknown(#[from] UnknownEvent),
}

impl WaitError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } => "timed_out",
            Self::Ended { .. } => "ended",
            Self::Lagged { .. } => "lagged",
            Self::Unknown(unknown) => unknown.code(),
        }
    }
}

impl fmt::Debug for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a wait is over without what was waited for.
enum InVain {
    TimedOut,
    Ended,
    Lagged(u64),
}

impl Recorder {
    /// Begins to record. Waits last at most [`DEFAULT_WAIT_TIMEOUT`].
    #[must_use]
    pub fn new(running: &Running) -> Self {
        Self {
            running: running.observer(),
            source: running.subscribe("testkit"),
            zero: Instant::now(),
            seen: Vec::new(),
            passed: 0,
            lost: 0,
            wait_timeout: DEFAULT_WAIT_TIMEOUT,
        }
    }

    /// Sets how long a wait lasts at most. Default [`DEFAULT_WAIT_TIMEOUT`].
    #[must_use]
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }

    /// Waits for an event, and returns it.
    ///
    /// It looks at what was recorded after the event that the last such call returned, so that nothing
    /// is missed between two calls, and skips what is something else.
    ///
    /// # Errors
    ///
    /// [`WaitError`]; the next call looks at the same events again.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for_event(
        &mut self,
        path: &str,
        what: &str,
    ) -> Result<SubsystemEvent, WaitError> {
        let pattern = EventPattern::try_new(path, what)?;
        let began = Instant::now();
        let found = within(self.wait_timeout, self.next(&pattern)).await;
        found.map_err(|why| self.in_vain(pattern.to_string(), began, why))
    }

    /// Waits until the node at `path` is in that state, and returns its status. A path without
    /// patterns; the node may still have to be added.
    ///
    /// Returns at once if it is. What the node only passes through may be over when this looks: wait
    /// for an event instead.
    ///
    /// # Errors
    ///
    /// [`WaitError`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for_state(
        &mut self,
        path: &str,
        state: State,
    ) -> Result<NodeStatus, WaitError> {
        let began = Instant::now();
        let reached = within(self.wait_timeout, self.next_in_state(path, state)).await;
        let awaited = || format!("{path} to be {}", state.code());
        reached.map_err(|why| self.in_vain(awaited(), began, why))
    }

    /// Returns what was recorded so far, oldest first.
    pub fn events(&mut self) -> &[SubsystemEvent] {
        self.catch_up();
        &self.seen
    }

    /// Claims that these events came in this order, whatever came between them: pairs of a path and
    /// the name of an event, looked for from the first recorded event on.
    ///
    /// # Panics
    ///
    /// When one of them did not come after those before it; the message shows how far it fits, and
    /// all that was recorded. Also when a name is unknown or events were lost.
    #[track_caller]
    pub fn assert_order(&mut self, expected: &[(&str, &str)]) {
        self.catch_up();
        let checked = order::check_order(&self.seen, expected, self.zero);
        self.claim(checked);
    }

    /// Claims that these events, and no others, came from the node at `path`, in this order.
    ///
    /// With a pattern for a path it speaks of several nodes at once.
    ///
    /// # Panics
    ///
    /// When others came, or these in another order; the message shows both side by side. Also when a
    /// name is unknown or events were lost.
    #[track_caller]
    pub fn assert_exactly(&mut self, path: &str, expected: &[&str]) {
        self.catch_up();
        let checked = order::check_exactly(&self.seen, path, expected);
        self.claim(checked);
    }

    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion fails by panicking")]
    fn claim(&self, checked: Result<(), String>) {
        match (self.lost, checked) {
            (0, Ok(())) => {}
            (0, Err(text)) => panic!("{text}"),
            (lost, _) => panic!(
                "{lost} events were lost, so that nothing can be said of their order; read more \
                 often, with Recorder::events"
            ),
        }
    }

    async fn next(&mut self, pattern: &EventPattern) -> Result<SubsystemEvent, InVain> {
        let mut at = self.passed;
        loop {
            while let Some(event) = self.seen.get(at) {
                at += 1;
                if pattern.matches(event) {
                    self.passed = at;
                    return Ok(event.clone());
                }
            }
            self.receive().await?;
        }
    }

    async fn next_in_state(&mut self, path: &str, state: State) -> Result<NodeStatus, InVain> {
        loop {
            // Before the state is read: whatever changes it afterwards is an event that is not here yet.
            self.catch_up();
            let status = self.running.node(path).map(|node| node.read());
            if let Some(status) = status.filter(|status| status.state == state) {
                return Ok(status);
            }
            match self.receive().await {
                // What was lost does not matter: the state is read.
                Ok(()) | Err(InVain::Lagged(_)) => {}
                Err(why) => return Err(why),
            }
        }
    }

    /// Waits for one more event.
    async fn receive(&mut self) -> Result<(), InVain> {
        let is_last =
            |event: &SubsystemEvent| matches!(event.kind, EventKind::ShutdownEnded { .. });
        if self.seen.last().is_some_and(is_last) {
            return Err(InVain::Ended);
        }
        match self.source.recv().await {
            Ok(event) => self.seen.push(event),
            Err(ReceiveError::Lagged(lost)) => {
                self.lost += lost;
                return Err(InVain::Lagged(lost));
            }
            Err(ReceiveError::Closed) => return Err(InVain::Ended),
        }
        Ok(())
    }

    /// Takes what has come already.
    fn catch_up(&mut self) {
        loop {
            match self.source.try_recv() {
                Ok(Some(event)) => self.seen.push(event),
                Err(ReceiveError::Lagged(lost)) => self.lost += lost,
                Ok(None) | Err(ReceiveError::Closed) => return,
            }
        }
    }

    fn in_vain(&mut self, awaited: String, began: Instant, why: InVain) -> WaitError {
        self.catch_up();
        let events = self.seen[self.passed..].iter();
        let events = events.map(|event| line_of(event, self.zero));
        let observed = Box::new(Observed::new(events, &self.running.snapshot().root));
        let waited = began.elapsed();
        match why {
            InVain::TimedOut if self.lost > 0 => WaitError::Lagged {
                awaited,
                lost: self.lost,
            },
            InVain::TimedOut => WaitError::TimedOut {
                awaited,
                waited,
                observed,
            },
            InVain::Ended => WaitError::Ended {
                awaited,
                waited,
                observed,
            },
            InVain::Lagged(lost) => WaitError::Lagged { awaited, lost },
        }
    }
}

async fn within<T>(
    limit: Duration,
    awaited: impl Future<Output = Result<T, InVain>>,
) -> Result<T, InVain> {
    let in_time = timeout(limit, awaited).await;
    in_time.unwrap_or(Err(InVain::TimedOut))
}
