//! Timers: what is due, and whom that judges.

use std::cmp::Reverse;

use tokio::time::Instant;

use super::RunLoop;
use crate::supervisor::decide::{Happened, Timer};

/// How many timers are kept before those of runs that have ended are first looked for.
pub(super) const FIRST_PRUNE: usize = 1_024;

impl RunLoop {
    pub(super) fn fire_due_timers(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, timer))) = self.timers.peek().copied() {
            if at > now || self.finished.is_some() {
                return;
            }
            self.timers.pop();
            if self.supervision.is_of_present_run(timer) && !self.is_spared(timer) {
                self.happened(Happened::Due(timer));
            }
        }
    }

    /// Hears the run that a timer judges, and tells whether its end is on its way.
    fn is_spared(&mut self, timer: Timer) -> bool {
        let Some((key, incarnation)) = timer.verdict_on() else {
            return false;
        };
        let run = self.lives.get(&key).and_then(|live| live.run.clone());
        let Some(run) = run.filter(|run| run.incarnation() == incarnation) else {
            return false;
        };
        // Few have anything to say, and among 100 000 that are late it would take long to look for it.
        if run.is_over() {
            return true;
        }
        if matches!(timer, Timer::StartTimeout { .. }) || run.has_extended() {
            while let Some(notice) = self.above.notices().take_of(key, incarnation) {
                self.told(notice);
            }
        }
        false
    }

    pub(super) fn arm(&mut self, timer: Timer, at: Instant) {
        if self.timers.len() >= self.prune_timers_at {
            let supervision = &self.supervision;
            self.timers
                .retain(|Reverse((_, timer))| supervision.is_of_present_run(*timer));
            self.prune_timers_at = FIRST_PRUNE.max(self.timers.len() * 2);
        }
        self.timers.push(Reverse((at, timer)));
    }
}
