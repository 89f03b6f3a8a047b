//! The configuration as the rest of the daemon sees it, whatever struct the program reads its part into;
//! and what follows from a change of it.

use std::any::Any;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Semaphore, watch};

use super::written::Written;
use crate::config::{
    Cause, Config, ConfigError, Live, ReloadError, Reloaded, Settings, ShutdownSettings,
};
use crate::event::EventKind;
use crate::logging::Logging;
use crate::metrics::{Registry, names};
use crate::tree::Running;

/// A future as a trait object must return it.
pub(super) type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

/// A live configuration of any program.
pub(super) trait Configuration: Send + Sync {
    /// Returns the daemon's own sections as they are now.
    fn settings(&self) -> Settings;

    /// Returns how it ends as that is now, without a copy of all the rest.
    fn shutdown(&self) -> ShutdownSettings;

    /// Watches for any change.
    fn versions(&self) -> watch::Receiver<u64>;

    /// Asks for a reload and does not wait.
    fn request(&self, cause: Cause) -> Result<(), ReloadError>;

    /// Reads everything anew and waits for what comes of it.
    fn reload(&self, cause: Cause) -> BoxFuture<Result<Reloaded, ReloadError>>;

    /// Renders the whole configuration with the origin of every value.
    fn effective(&self) -> String;

    /// Returns by what it is known whether that would be the same again. A version does not tell: lines
    /// that mean the same at other places are none.
    fn identity(&self) -> Identity;
}

/// The one snapshot that it was read from: its room is not given to another as long as this is there.
pub(super) type Identity = Weak<dyn Any + Send + Sync>;

impl<C: Config> Configuration for Live<C> {
    fn settings(&self) -> Settings {
        self.snapshot().settings().clone()
    }

    fn shutdown(&self) -> ShutdownSettings {
        self.snapshot().settings().shutdown.clone()
    }

    fn versions(&self) -> watch::Receiver<u64> {
        Self::versions(self)
    }

    fn request(&self, cause: Cause) -> Result<(), ReloadError> {
        self.request_reload(cause)
    }

    fn reload(&self, cause: Cause) -> BoxFuture<Result<Reloaded, ReloadError>> {
        let live = self.clone();
        Box::pin(async move { live.reload_for(cause).await })
    }

    fn effective(&self) -> String {
        Self::effective(self)
    }

    fn identity(&self) -> Identity {
        let snapshot: Arc<dyn Any + Send + Sync> = self.snapshot();
        Arc::downgrade(&snapshot)
    }
}

/// Tells of reloads: in the log, the metrics and the tree's events, and does what is done live.
pub(super) struct News {
    /// The tree, once it has begun.
    pub(super) running: OnceLock<Running>,
    pub(super) logging: Option<Logging>,
    pub(super) registry: Registry,
    /// How often health checks are asked, as the tree was made.
    pub(super) health_interval: Duration,
    /// The configuration as text, which the program's own code writes.
    pub(super) written: Written,
    /// The place of the one tree that is being shown on the admin socket.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no admin socket"))]
    pub(super) trees: Arc<Semaphore>,
}

impl News {
    /// Makes one of a tree that is asked so often how it is.
    pub(super) fn new(
        logging: Option<Logging>,
        registry: Registry,
        health_interval: Duration,
    ) -> Self {
        Self {
            running: OnceLock::new(),
            logging,
            registry,
            health_interval,
            written: Written::new(),
            trees: Arc::new(Semaphore::new(1)),
        }
    }

    /// Tells of the configuration that the program begins with.
    pub(super) fn begin(&self, version: u64) {
        for result in ["changed", "rejected"] {
            self.registry
                .count(names::CONFIG_RELOADS, &[("result", result)], 0);
        }
        self.in_force(version);
    }

    /// Tells this tree from now on; what has changed since it was made is made up for.
    pub(super) fn watch(&self, running: Running, configuration: &dyn Configuration) {
        let running = self.running.get_or_init(|| running);
        let in_force = || configuration.settings().monitoring.health_interval;
        let set = |interval| running.set_health_interval(interval);
        catch_up(self.health_interval, in_force, set);
    }

    fn in_force(&self, version: u64) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.registry
            .measure(names::CONFIG_LAST_SUCCESS, now.as_secs_f64());
        self.registry.measure(names::CONFIG_VERSION, version as f64);
    }

    /// Tells of a reload.
    pub(super) fn tell(
        &self,
        cause: Cause,
        result: &Result<Reloaded, ConfigError>,
        settings: &Settings,
    ) {
        match result {
            Ok(Reloaded::Changed {
                version,
                keys,
                needs_restart,
            }) => {
                self.registry
                    .count_one(names::CONFIG_RELOADS, &[("result", "changed")]);
                self.in_force(*version);
                // A level that was set by hand stays until the configuration says something else of it.
                if let Some(logging) = &self.logging
                    && keys.iter().any(|key| key == "logging.level")
                    && let Err(error) = logging.set_level(&settings.logging.level)
                {
                    tracing::error!(%error, "the level of the log stays as it was");
                }
                tracing::info!(
                    version,
                    cause = cause.code(),
                    keys = keys.join(", "),
                    "the configuration has changed"
                );
                if !needs_restart.is_empty() {
                    tracing::warn!(keys = needs_restart.join(", "), "needs a restart");
                }
                if let Some(running) = self.running.get()
                    && keys.iter().any(|key| key == "monitoring.health_interval")
                {
                    running.set_health_interval(settings.monitoring.health_interval);
                }
                self.announce(EventKind::ConfigUpdated {
                    version: *version,
                    keys: Arc::clone(keys),
                    needs_restart: Arc::clone(needs_restart),
                });
            }
            // Of files that are looked at, that is told only after a refusal.
            Ok(_unchanged) if cause == Cause::File => {
                tracing::info!(
                    "what was rejected is taken back: the files say again what is in force"
                );
            }
            Ok(_unchanged) => {
                tracing::info!(cause = cause.code(), "the configuration is unchanged");
            }
            Err(error) => {
                self.registry
                    .count_one(names::CONFIG_RELOADS, &[("result", "rejected")]);
                tracing::error!(%error, cause = cause.code(), "the configuration was rejected, and the one before it stays in force");
                self.announce(EventKind::ConfigRejected {
                    reason: error.to_string().into(),
                });
            }
        }
    }

    fn announce(&self, kind: EventKind) {
        if let Some(running) = self.running.get() {
            running.announce(kind);
        }
    }
}

/// Sets what is in force where that is not what is known; again, if it changes meanwhile, since whoever
/// tells of a change may have set it before.
fn catch_up<T: PartialEq + Copy>(known: T, in_force: impl Fn() -> T, set: impl Fn(T)) {
    let mut known = known;
    loop {
        let now = in_force();
        if now == known {
            return;
        }
        set(now);
        known = now;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::catch_up;

    #[test]
    fn what_changed_before_there_was_a_tree_is_set_until_it_changes_no_more() {
        for (in_force, expected) in [
            (&[5, 5][..], &[][..]),
            (&[7, 7], &[7]),
            (&[7, 5, 5], &[7, 5]),
            (&[7, 9, 9], &[7, 9]),
        ] {
            let (looks, set) = (Cell::new(0), RefCell::new(Vec::new()));
            let look = || {
                let look = looks.replace(looks.get() + 1);
                in_force[look.min(in_force.len() - 1)]
            };
            catch_up(5, look, |interval| set.borrow_mut().push(interval));
            assert_eq!(*set.borrow(), expected, "{in_force:?}");
        }
    }
}
