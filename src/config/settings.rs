//! The daemon's own sections of a configuration, with the default of every key.
//!
//! Each key does something, and says here whether it does so at once when it is changed in a running
//! daemon or after a restart. The sections of the program stand beside these and are its own.

mod checks;
mod cpus;
mod keys;
mod logging;
mod monitoring;
mod signals;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::cpus::{CpuList, InvalidCpuList};
pub(crate) use self::keys::{SECTIONS, blame, needs_restart, unify_durations};
pub use self::logging::{Color, LogFormat, LoggingSettings};
pub use self::monitoring::{Limits, MonitoringSettings};
pub use self::signals::{SignalMeaning, SignalSettings};
use super::duration;
use crate::bus::DEFAULT_BUS_CAPACITY;
use crate::shutdown::DEFAULT_SHUTDOWN_BUDGET;
use crate::shutdown::ladder::Ladder;

/// The daemon's own sections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// `[daemon]`: the process as a whole.
    pub daemon: DaemonSettings,
    /// `[logging]`: what is logged, how and where to.
    pub logging: LoggingSettings,
    /// `[shutdown]`: how long each step of a shutdown may take.
    pub shutdown: ShutdownSettings,
    /// `[signals]`: what the signals of the process mean.
    pub signals: SignalSettings,
    /// `[runtime]`: the threads that the tree runs on.
    pub runtime: RuntimeSettings,
    /// `[http]`: where probes and metrics are served.
    pub http: HttpSettings,
    /// `[admin]`: where commands are taken.
    pub admin: AdminSettings,
    /// `[monitoring]`: what is measured, how often, and what is too much.
    pub monitoring: MonitoringSettings,
    /// `[bus]`: the tree's own events.
    pub bus: BusSettings,
}

/// `[daemon]`. All of it needs a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DaemonSettings {
    /// What the process calls itself in its log and before its errors. Default: the name it was made
    /// with, which always is the name of its files and variables.
    pub name: Option<Cow<'static, str>>,
    /// The directory to change into before anything is opened. Default: that of whoever started it.
    pub work_dir: Option<PathBuf>,
    /// The file that is locked while the process lives and holds its number. Default: none.
    pub pid_file: Option<PathBuf>,
    /// Whether a changed file is read while the program runs. A signal or a call reads it in any case.
    /// Default `true`.
    pub hot_reload: bool,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            name: None,
            work_dir: None,
            pid_file: None,
            hot_reload: true,
        }
    }
}

/// `[shutdown]`. Live: the next shutdown goes by the values of its moment.
///
/// `graceful < force < kill`, all counted from the end of `drain_delay`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ShutdownSettings {
    /// How long the program goes on serving after it has said that it is not ready. Default 0.
    #[serde(with = "duration")]
    pub drain_delay: Duration,
    /// When whatever still runs is killed. Default 5 s.
    #[serde(with = "duration")]
    pub graceful: Duration,
    /// When the tree gives up on what can't be killed, and the program ends. Default: twice `graceful`,
    /// and so 10 s.
    #[serde(with = "optional_duration")]
    pub force: Option<Duration>,
    /// When the process ends whatever it is doing. Default: `graceful` after `force`, and so 15 s.
    #[serde(with = "optional_duration")]
    pub kill: Option<Duration>,
}

impl ShutdownSettings {
    /// Returns when the tree gives up.
    #[must_use]
    pub fn force(&self) -> Duration {
        self.force
            .unwrap_or_else(|| self.graceful.saturating_mul(2))
    }

    /// Returns when the process ends.
    #[must_use]
    pub fn kill(&self) -> Duration {
        self.kill
            .unwrap_or_else(|| self.force().saturating_add(self.graceful))
    }
}

impl ShutdownSettings {
    /// Returns the three steps.
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        // Checked when the configuration was read; what a program made by hand may be anything.
        Ladder::try_new(self.graceful, self.force(), self.kill()).unwrap_or_default()
    }
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self {
            drain_delay: Duration::ZERO,
            graceful: DEFAULT_SHUTDOWN_BUDGET,
            force: None,
            kill: None,
        }
    }
}

/// `[runtime]`. All of it needs a restart; under `run_async` the threads are the program's own, and none of
/// it applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RuntimeSettings {
    /// How many threads run the tree. Default 0: one for each CPU that they may use.
    pub worker_threads: usize,
    /// Which CPUs these threads may use, such as `"0-3,6"` (Linux). Default: all.
    pub cpus: Option<CpuList>,
    /// How much the process gives way to others, from -20 (not at all) to 19. Default: what it was
    /// started with.
    pub nice: Option<i32>,
    /// How many threads blocking children and calls may have. Default 512, as tokio's.
    pub max_blocking_threads: usize,
    /// What the threads are called. Default `"perennial-worker"`.
    pub thread_name: Option<Cow<'static, str>>,
    /// How large their stacks are. Default 2 MiB, as Rust's.
    pub stack_size_bytes: usize,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self {
            worker_threads: 0,
            cpus: None,
            nice: None,
            max_blocking_threads: 512,
            thread_name: None,
            stack_size_bytes: 2 * 1024 * 1024,
        }
    }
}

/// Says in a list of threads whose they are; Linux shows the first 15 bytes.
const DEFAULT_THREAD_NAME: &str = "perennial-worker";

impl RuntimeSettings {
    /// Returns what the threads are called.
    #[must_use]
    pub fn thread_name(&self) -> &str {
        self.thread_name.as_deref().unwrap_or(DEFAULT_THREAD_NAME)
    }
}

/// `[http]`. All of it needs a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Whether probes, metrics and the tree are served. Default `true`.
    pub enabled: bool,
    /// Where; beyond loopback only with a token. Default `"127.0.0.1:9600"`.
    pub listen: SocketAddr,
    /// The file with the token that everything but a terse probe needs, as `Authorization: Bearer` or as a
    /// password. At least 16 characters. Default: none.
    pub token_file: Option<PathBuf>,
    /// Host names that requests may be for, beside those of loopback, whatever the port. Default: none.
    pub allowed_hosts: Vec<String>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            // In the range that Prometheus' exporters use.
            listen: SocketAddr::from(([127, 0, 0, 1], 9600)),
            token_file: None,
            allowed_hosts: Vec::new(),
        }
    }
}

/// `[admin]`. All of it needs a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AdminSettings {
    /// The Unix socket that takes commands. Default: none.
    pub socket: Option<PathBuf>,
    /// Who may use it beside root and the user that the process runs as, by number. Default: nobody.
    pub allowed_uids: Vec<u32>,
}

/// `[bus]`. It needs a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BusSettings {
    /// How many events are kept for slow subscribers. Default 4 096.
    pub capacity: usize,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            capacity: DEFAULT_BUS_CAPACITY,
        }
    }
}

impl Settings {
    /// Writes down what follows from other values, so that it is seen where the configuration is printed.
    pub(crate) fn complete(mut self) -> Self {
        self.shutdown.force = Some(self.shutdown.force());
        self.shutdown.kill = Some(self.shutdown.kill());
        let name = &mut self.runtime.thread_name;
        name.get_or_insert(DEFAULT_THREAD_NAME.into());
        self
    }
}

/// An optional duration as text.
mod optional_duration {
    use std::time::Duration;

    use serde::de::Deserializer;
    use serde::ser::Serializer;

    use crate::config::duration;

    #[allow(clippy::ref_option, reason = "serde calls it like this")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => duration::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests;
