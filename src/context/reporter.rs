//! Where a run says how it is.

use std::sync::Arc;

use super::Run;
use crate::health::{Health, Source};

/// Says how a run is: see [`Context::health`](super::Context::health). Clones speak of the same run.
///
/// What is said holds until something else is, or the run ends. A check of the declaration has a say of
/// its own: the worse of the two counts.
#[derive(Debug, Clone)]
#[must_use = "say how the run is"]
pub struct HealthReporter {
    run: Arc<Run>,
}

impl HealthReporter {
    pub(super) fn of(run: &Arc<Run>) -> Self {
        Self {
            run: Arc::clone(run),
        }
    }

    /// Says that all is well.
    pub fn ok(&self) {
        self.set(Health::Ok);
    }

    /// Says that the work is done, but not as it should be. Reported; nothing follows from it.
    pub fn degraded(&self, reason: impl Into<Arc<str>>) {
        self.set(Health::Degraded(reason.into()));
    }

    /// Says that the work is not done. What follows was declared:
    /// [`OnFailed`](crate::health::OnFailed).
    pub fn failed(&self, reason: impl Into<Arc<str>>) {
        self.set(Health::Failed(reason.into()));
    }

    /// Says how the run is.
    pub fn set(&self, health: Health) {
        self.run.set_health(Source::Pushed, health);
    }
}
