//! One log line for each change of a node, at the level an operator would give it.

use crate::event::EventKind;
use crate::exit::Exit;
use crate::health::Health;
use crate::path::Path;
use crate::shutdown::report::Outcome;

/// Logs an event.
///
/// Errors: what was lost. Warnings: what went wrong and is being mended. The ordinary life of a
/// tree: info for what an operator counts, debug for the rest.
pub(super) fn event(path: &Path, incarnation: u64, kind: &EventKind) {
    match kind {
        EventKind::Exited { exit, uptime } => exited(path, incarnation, exit, *uptime),
        EventKind::StartFailed { exit } => {
            tracing::warn!(%path, incarnation, %exit, "start failed")
        }
        EventKind::BackingOff { attempt, .. } => {
            tracing::info!(%path, incarnation, attempt, "backing off")
        }
        EventKind::HealthChanged { health: Health::Ok } => {
            tracing::info!(%path, incarnation, "well again")
        }
        EventKind::HealthChanged { health } => {
            tracing::warn!(%path, incarnation, %health, "not well")
        }
        EventKind::Restarted { latency } => {
            tracing::info!(%path, incarnation, ?latency, "restarted")
        }
        EventKind::Stable { uptime, attempts } => {
            tracing::info!(%path, incarnation, ?uptime, attempts, "stable")
        }
        EventKind::Quarantined => {
            tracing::error!(%path, incarnation, "restarted too often: quarantined until released")
        }
        EventKind::Meltdown => {
            tracing::error!(%path, incarnation, "restarted its children too often: giving up")
        }
        EventKind::Stopped {
            outcome: Outcome::Hung,
            spent,
        } => {
            tracing::error!(%path, incarnation, ?spent, "hung: it neither stops nor dies");
        }
        EventKind::Stopped {
            outcome: Outcome::CleanupFailed(exit),
            spent,
        } => {
            tracing::error!(%path, incarnation, %exit, ?spent, "clean-up failed");
        }
        EventKind::Stopped {
            outcome: Outcome::Killed,
            spent,
        } => {
            tracing::warn!(%path, incarnation, ?spent, "killed: it did not stop in time");
        }
        other => tracing::debug!(%path, incarnation, event = other.code()),
    }
}

fn exited(path: &Path, incarnation: u64, exit: &Exit, uptime: std::time::Duration) {
    match exit {
        Exit::Normal | Exit::Shutdown => {
            tracing::debug!(%path, incarnation, %exit, ?uptime, "ended")
        }
        Exit::Panicked(_) | Exit::Hung => {
            tracing::error!(%path, incarnation, %exit, ?uptime, "ended")
        }
        _ => tracing::warn!(%path, incarnation, %exit, ?uptime, "ended"),
    }
}
