//! The end of a tree: from the moment nothing is left of it but what hangs, to its report.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::context::{News, Run, StopShare};
use crate::event::EventKind;
use crate::exit::{Exit, catch_blocking};
use crate::shutdown::guard::GuardReport;
use crate::shutdown::plan::MIN_KILL_GRACE;
use crate::shutdown::report::{Outcome, StopReport, Stopped, named};
use crate::shutdown::{Shutdown, ShutdownReason};
use crate::supervisor::cell::Cell;
use crate::supervisor::spawn::{self, Root};
use crate::supervisor::{Node, NodeKind, Supervisor, Tree};
use crate::time::later;

/// Waits for the root's end, or until nothing is left of it but what hangs, and tells when it is up.
/// Returns whether it has ended for good.
pub(super) async fn watch_until_over(
    tree: &Tree,
    root: &mut Root,
    is_up: &watch::Sender<bool>,
) -> bool {
    loop {
        let news = tokio::select! {
            biased;
            // First: a root that was up and is over already was up.
            notice = root.above.notices().next() => notice.news,
            _ended = &mut root.task => return true,
        };
        match news {
            News::Started => {
                root.cell.note(tree.events(), EventKind::Started);
                is_up.send_replace(true);
            }
            News::LeftHung => return false,
            News::Ending | News::Over | News::StopNeed(_) | News::Extended(_) | News::Health => {}
        }
    }
}

/// Says to all handles that nothing follows, and drops the declaration: its sockets are closed when
/// the report comes.
///
/// What it holds is the user's. A drop that panics or blocks must not keep the report back, so it has
/// a task of its own, and no more time than the tree had.
pub(super) async fn retire(tree: &Tree, declared: Arc<Supervisor>, run: &Run) {
    let budget = declared.shutdown_budget;
    let declared = Node(NodeKind::Supervisor(declared));
    declared.retire();
    let dropping = tokio::spawn(async move { declared.bury() });
    let now = Instant::now();
    let by = match run.stop().deadline() {
        Some(told) => spawn::deadline_of_children(now, told).max(now + MIN_KILL_GRACE),
        None => later(now, budget),
    };
    tokio::select! {
        biased;
        _dropped = dropping => {}
        () = tree.early_notice().time_is_over(by, now + MIN_KILL_GRACE) => {
            tracing::error!(path = %run.path(), "what the declaration holds is not dropped yet: its drop blocks");
        }
    }
}

/// Makes the report.
pub(super) async fn conclude(tree: &Tree, cell: &Cell, run: &Run) -> StopReport {
    let guards = released(tree, run).await;
    let exit = run.exit();
    let StopShare {
        allotted,
        spent,
        children,
    } = run.take_report();
    let hung = children.iter().any(|line| line.outcome == Outcome::Hung);
    let outcome = match hung {
        true => Outcome::Hung,
        false => Outcome::Stopped,
    };
    let begun = tree.early_notice().get();
    let report = StopReport {
        reason: begun.map_or_else(|| reason_of(&exit), |shutdown| shutdown.reason),
        exit: exit.clone(),
        root: Stopped {
            path: cell.path().clone(),
            allotted,
            spent,
            outcome: outcome.clone(),
            children,
        },
        guards,
    };
    // The host's subscriber is called, which may panic: the report comes all the same.
    drop(catch_blocking(|| log(&report)));
    let kinds = [
        EventKind::Exited {
            exit,
            uptime: tree.uptime(),
        },
        EventKind::Stopped { outcome, spent },
        EventKind::ShutdownEnded {
            report: Arc::new(report.clone()),
        },
    ];
    for kind in kinds {
        cell.note(tree.events(), kind);
    }
    tree.note_shutdown_over(hung);
    tree.early_notice().end();
    report
}

/// Waits for work outside of the tree, as long as there is time.
async fn released(tree: &Tree, run: &Run) -> Vec<GuardReport> {
    let deadline = match run.stop().deadline() {
        Some(told) => told,
        None => later(Instant::now(), tree.budget()),
    };
    let notice = tree.early_notice();
    if notice.is_guarded() {
        // Of a tree that ended by itself they have not heard.
        let reason = reason_of(&run.exit());
        notice.announce(Shutdown { reason, deadline });
    }
    notice.released(deadline).await
}

/// Sums the report up for the log.
fn log(report: &StopReport) {
    let lines = report.lines();
    let count = |wanted: &Outcome| {
        lines
            .iter()
            .filter(|(_, line)| line.outcome == *wanted)
            .count()
    };
    let (hung, killed) = (count(&Outcome::Hung), count(&Outcome::Killed));
    let slowest = named(&report.slowest(1));
    tracing::info!(
        path = %report.root.path, reason = %report.reason, exit = report.exit.code(),
        allotted = ?report.root.allotted, spent = ?report.root.spent, nodes = lines.len(), killed, hung,
        guards = report.unreleased().len(), slowest, "shutdown ended"
    );
}

fn reason_of(exit: &Exit) -> ShutdownReason {
    match exit {
        Exit::Normal | Exit::Shutdown => ShutdownReason::Completed,
        Exit::Meltdown => ShutdownReason::Meltdown,
        _ => ShutdownReason::Error,
    }
}
