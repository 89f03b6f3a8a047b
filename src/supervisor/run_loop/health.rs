//! How children are doing: what is heard is kept, told, and acted on as was declared.

use std::sync::Arc;

use super::RunLoop;
use super::log;
use crate::context::Run;
use crate::event::EventKind;
use crate::health::{Health, OnFailed};
use crate::supervisor::checks;
use crate::supervisor::children::Key;
use crate::supervisor::decide::Happened;
use crate::supervisor::live::Live;

impl RunLoop {
    /// Begins to ask how a child is that has come up, and acts on what it has said before that; tells
    /// whether that is that it is well.
    pub(super) fn begin_checks(&self, key: Key, incarnation: u64) -> bool {
        let Some((live, run)) = self.present(key, incarnation) else {
            return true;
        };
        act_on(live, run, live.cell.health());
        if let Some(check) = live.node.health_check() {
            checks::begin(check, run, self.tree.health_interval());
        }
        live.cell.is_well()
    }

    /// A run says that it is doing better or worse.
    pub(super) fn health_changed(&mut self, key: Key, incarnation: u64) {
        self.hear_health(key, incarnation);
        self.decide_on_health(key, incarnation);
    }

    /// Lets it be decided what follows from how a run is that is up.
    pub(super) fn decide_on_health(&mut self, key: Key, incarnation: u64) {
        let Some((live, _)) = self.present(key, incarnation) else {
            return;
        };
        let is_well = live.cell.is_well();
        self.happened(Happened::Health {
            key,
            incarnation,
            is_well,
        });
    }

    fn hear_health(&self, key: Key, incarnation: u64) {
        let Some((live, run)) = self.present(key, incarnation) else {
            return;
        };
        let health = run.hear_health();
        // What is over is not well or unwell any more.
        if run.is_over() || health == live.cell.health() {
            return;
        }
        let kind = EventKind::HealthChanged {
            health: health.clone(),
        };
        log::event(live.cell.path(), incarnation, &kind);
        live.cell.note(self.tree.events(), kind);
        act_on(live, run, health);
    }

    fn present(&self, key: Key, incarnation: u64) -> Option<(&Live, &Arc<Run>)> {
        let live = self.lives.get(&key)?;
        let run = live.run.as_ref()?;
        (run.incarnation() == incarnation).then_some((live, run))
    }
}

/// Does what was declared of a child that does not do its work. One that is still starting has its time.
fn act_on(live: &Live, run: &Run, health: Health) {
    let duty = live.node.duty().unwrap_or_default();
    if let (Health::Failed(reason), OnFailed::Restart) = (health, duty.on_failed)
        && run.is_acknowledged()
    {
        run.fail_unhealthy(reason);
    }
}
