//! Waits for the tree's end, and sees to it that it comes.
//!
//! Everything here waits for messages and instants alone and runs no user code, so that it does not
//! depend on what the tree does.

use std::future::pending;
use std::pin::pin;

use tokio::time::{Instant, sleep_until};

use super::course::{Course, Due};
use super::orders::Orders;
use super::view::still_alive;
use super::{DaemonError, DaemonExit};
use crate::shutdown::guard::GuardReport;
use crate::shutdown::report::StopReport;
use crate::tree::Running;

/// Waits for the tree's end and for wishes to end it, whichever way it goes.
pub(super) async fn attend(
    life: impl Future<Output = Result<StopReport, DaemonError>>,
    running: &Running,
    orders: &Orders,
) -> Result<(StopReport, DaemonExit), DaemonError> {
    let mut life = pin!(life);
    // Whoever asked for it: a signal, a child, or one that hangs and ends the process.
    let mut begun = pin!(running.shutdown_began());
    let mut left = pin!(running.leaves());
    let mut told = orders.watch();
    let mut course = Course::default();
    loop {
        tokio::select! {
            biased;
            report = &mut life => {
                let report = report?;
                let exit = course.exit(&report, orders.ladder(), Instant::now());
                if exit == DaemonExit::Late && !report.hung().is_empty() {
                    return Ok(wait_for_hung(report, running, orders, course).await);
                }
                return Ok((report, exit));
            }
            Ok(()) = told.changed() => {
                let now = *told.borrow_and_update();
                course.told(&now, Instant::now());
                // Left out by the root when it has heard of a signal itself.
                running.tell_outside();
            }
            shutdown = &mut begun, if !course.has_begun() => {
                let steps = course.tree_began(shutdown, orders.ladder());
                orders.end_by(steps.kill, course.given_up());
                // Where it began without a word to those who wait here.
                running.tell_outside();
            }
            leaving = &mut left, if !course.is_left() => {
                let steps = course.tree_leaves(&leaving, orders.ladder());
                orders.end_by(steps.kill, course.given_up());
            }
            due = until(course.next()) => {
                course.done(due);
                match due {
                    Due::Stop { reason, by } => {
                        running.shutdown(reason, by.saturating_duration_since(Instant::now()));
                    }
                    Due::GiveUp(exit) => return Ok(give_up_on(running, exit)),
                }
            }
        }
    }
}

/// What could not be killed has until `force` to end by itself: it may be writing.
async fn wait_for_hung(
    report: StopReport,
    running: &Running,
    orders: &Orders,
    mut course: Course,
) -> (StopReport, DaemonExit) {
    for path in report.hung() {
        tracing::warn!(%path, "can't be killed: it has until `force` to end by itself");
    }
    let mut told = orders.watch();
    let mut settled = pin!(running.settled());
    loop {
        let by = course.gives_up_at().unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            () = &mut settled => {
                tracing::info!("what hung has ended after all");
                break;
            }
            Ok(()) = told.changed() => {
                let now = *told.borrow_and_update();
                course.told(&now, Instant::now());
                if course.forced().is_some() {
                    break;
                }
            }
            () = sleep_until(by) => break,
        }
    }
    let exit = course.forced().unwrap_or(DaemonExit::Late);
    (report, exit)
}

/// Makes the report of a tree that nobody waits for any longer.
fn give_up_on(running: &Running, exit: DaemonExit) -> (StopReport, DaemonExit) {
    let mut report = still_alive(&running.snapshot());
    let kept = running.shutdown_handle().guards().into_iter();
    report.guards = kept
        .map(|(name, spent)| GuardReport {
            name,
            spent,
            is_released: false,
        })
        .collect();
    for path in report.hung() {
        tracing::error!(%path, "still alive");
    }
    (report, exit)
}

async fn until(next: Option<(Instant, Due)>) -> Due {
    match next {
        Some((at, due)) => {
            sleep_until(at).await;
            due
        }
        None => pending().await,
    }
}
