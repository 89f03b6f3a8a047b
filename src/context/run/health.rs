//! How a run is: told by the run or by a check of it, heard by its supervisor.

use std::sync::Arc;

use super::Run;
use crate::context::notices::News;
use crate::exit::{ErrorChain, Exit};
use crate::health::{Health, Source};
use crate::sync::lock;

/// A child that was restarted because it does not do its work.
#[derive(Debug, thiserror::Error)]
#[error("unhealthy: {0}")]
struct Unhealthy(Arc<str>);

impl Run {
    /// Takes over how the run is; its supervisor is told of a change, once until it has heard.
    pub(crate) fn set_health(&self, source: Source, health: Health) {
        let is_news = {
            let mut ending = lock(&self.ending);
            let rare = ending.rare();
            let is_news = rare.health.set(source, health) && !rare.is_health_told;
            rare.is_health_told |= is_news;
            is_news
        };
        if is_news {
            self.tell(News::Health);
        }
    }

    /// Returns how the run is; of the next change its supervisor is told again.
    pub(crate) fn hear_health(&self) -> Health {
        let mut ending = lock(&self.ending);
        let rare = ending.rare();
        rare.is_health_told = false;
        rare.health.worse().clone()
    }

    /// Ends the run as failed, because it does not do its work.
    pub(crate) fn fail_unhealthy(&self, reason: Arc<str>) {
        let exit = Exit::Failed(ErrorChain::new(&Unhealthy(reason)));
        if self.is_first_record(exit) {
            self.give_up();
        }
    }
}
