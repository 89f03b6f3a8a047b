//! Stops what a supervisor leaves behind when its loop is gone: dropped, or ended by a panic.
//!
//! The decisions can't be asked any more: after a panic their state may be half changed. What is left
//! is to end every run, last one first, each inside its stop timeout, and to name what can't be
//! ended. Plain on purpose: this is the code that runs when other code has failed.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::decide::StopTimes;
use super::live::{Ending, Live, Lives};
use crate::context::Run;
use crate::shutdown::plan;
use crate::shutdown::report::{Outcome, Stopped};
use crate::time::later;

/// The children of a supervisor that is no more.
pub(super) struct Reaper {
    pub(super) lives: Lives,
    pub(super) ends: FuturesUnordered<Ending>,
}

impl Reaper {
    /// Stops all children in reverse start order, and returns what is left to wait for: the ends of
    /// those that hang.
    pub(super) async fn walk(mut self) -> (Vec<Stopped>, FuturesUnordered<Ending>) {
        let mut report = Vec::new();
        for live in std::mem::take(&mut self.lives).into_values().rev() {
            let Some(run) = live.run.clone() else {
                continue;
            };
            if !run.is_over() {
                report.push(self.stop(&live, &run).await);
            }
        }
        (report, self.ends)
    }

    async fn stop(&mut self, live: &Live, run: &Arc<Run>) -> Stopped {
        let asked = Instant::now();
        let deadline = later(asked, live.node.worst_case_stop());
        live.ask_to_stop(StopTimes {
            deadline,
            latest: deadline,
        });
        let mut outcome = Outcome::Stopped;
        if !self.ends_by(run, plan::kill_at(asked, deadline)).await {
            run.kill();
            let died = self.ends_by(run, deadline).await;
            outcome = if died { Outcome::Killed } else { Outcome::Hung };
        }
        live.report(outcome, (deadline - asked, asked.elapsed()))
    }

    /// Waits for the end of a run; false says that it did not come in time.
    async fn ends_by(&mut self, run: &Arc<Run>, at: Instant) -> bool {
        while !run.is_over() {
            tokio::select! {
                biased;
                Some(_ended) = self.ends.next(), if !self.ends.is_empty() => {}
                () = sleep_until(at) => return false,
            }
        }
        true
    }
}
