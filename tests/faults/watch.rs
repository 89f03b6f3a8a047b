//! What a test sees of a tree: the events of one child, in order, and how a wait can fail.

use std::future::Future;
use std::time::Duration;

use perennial::shutdown::report::Outcome;
use perennial::{EventKind, Running, Subscriber, SubsystemEvent};
use tokio::time::Instant;

/// How long anything is waited for; in paused time or, far more than it ever takes, in real time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must come.
pub(crate) async fn within<T>(what: &str, awaited: impl Future<Output = T>) -> Result<T, String> {
    let waited = tokio::time::timeout(PATIENCE, awaited).await;
    waited.map_err(|_elapsed| format!("waited in vain for {what}"))
}

/// Says that two things are the same, or what they are.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    seen: T,
    expected: T,
) -> Result<(), String> {
    match seen == expected {
        true => Ok(()),
        false => Err(format!("{what}: saw {seen:?}, expected {expected:?}")),
    }
}

/// Collects the events of one child.
pub(crate) struct Watch {
    events: Subscriber<SubsystemEvent>,
    path: String,
    pub(crate) seen: Vec<String>,
    pub(crate) last_at: Option<Instant>,
}

impl Watch {
    pub(crate) fn new(running: &Running, path: &str) -> Self {
        Self {
            events: running.subscribe("test"),
            path: path.to_owned(),
            seen: Vec::new(),
            last_at: None,
        }
    }

    /// Waits until the child has had as many events as are expected.
    pub(crate) async fn until(&mut self, expected: &[String]) -> Result<(), String> {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.seen.len() < expected.len() {
                self.next().await?;
            }
            Ok(())
        });
        match waited.await {
            Ok(read) => read,
            Err(_elapsed) => Err(format!("saw {:?}, expected {expected:?}", self.seen)),
        }
    }

    /// Reads on to the end of the tree.
    pub(crate) async fn read_on(&mut self) -> Result<(), String> {
        while self.next().await?.kind.code() != "shutdown_ended" {}
        Ok(())
    }

    async fn next(&mut self) -> Result<SubsystemEvent, String> {
        let received = within("an event", self.events.recv()).await?;
        let event = received.map_err(|error| format!("no event: {error}"))?;
        // How long a run that is well has been up says nothing of a fault.
        let is_time = matches!(event.kind, EventKind::Stable { .. });
        if event.path == *self.path && !is_time {
            self.seen.push(describe(&event.kind));
            self.last_at = Some(event.at);
        }
        Ok(event)
    }
}

fn describe(kind: &EventKind) -> String {
    let code = kind.code();
    match kind {
        EventKind::Exited { exit, .. } | EventKind::StartFailed { exit } => {
            format!("{code}: {}", exit.code())
        }
        EventKind::Stopped { outcome, .. } => format!("{code}: {}", outcome_of(outcome)),
        _ => code.to_owned(),
    }
}

pub(crate) fn outcome_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::CleanupFailed(exit) => format!("{}: {}", outcome.code(), exit.code()),
        outcome => outcome.code().to_owned(),
    }
}
