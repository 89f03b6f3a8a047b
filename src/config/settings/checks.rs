//! What the daemon's own values may not be, by themselves or together.

use std::time::Duration;

use super::{
    Limits, LoggingSettings, MonitoringSettings, RuntimeSettings, Settings, ShutdownSettings, blame,
};
use crate::config::document::Table;
use crate::config::problem::ConfigError;

impl Settings {
    /// Tells whether these values can be used, as it is asked of those that are read from a file. What is
    /// known only where it is used, such as whether a folder is there, is not looked at.
    ///
    /// # Errors
    ///
    /// Every value that can't be used, by itself or together with others.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let contradictions = self.contradictions();
        if contradictions.is_empty() {
            return Ok(());
        }
        let nowhere = Table::new();
        let problems = contradictions
            .into_iter()
            .map(|(key, message)| blame(&nowhere, key, message));
        Err(ConfigError::new(problems.collect()))
    }

    /// Lists what can't be used, by the key to blame.
    pub(crate) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Contradictions::default();
        let name = self.daemon.name.as_deref();
        let is_empty = name.is_some_and(|name| name.chars().all(char::is_whitespace));
        found.note(is_empty, "daemon.name", "must not be empty");
        found.note(
            !self.http.listen.ip().is_loopback() && self.http.token_file.is_none(),
            "http.listen",
            "must be an address of loopback, unless there is an `http.token_file`",
        );
        self.monitoring.check(&mut found);
        let capacity = self.bus.capacity;
        found.note(capacity == 0, "bus.capacity", "must be 1 at least");
        found.note(
            capacity > 1 << 24,
            "bus.capacity",
            "must be 16777216 at most",
        );
        self.shutdown.check(&mut found);
        self.logging.check(&mut found);
        self.runtime.check(&mut found);
        found.0
    }
}

/// What can't be used, by the key to blame.
#[derive(Default)]
struct Contradictions(Vec<(&'static str, String)>);

impl Contradictions {
    fn note(&mut self, is_wrong: bool, key: &'static str, message: &'static str) {
        if is_wrong {
            self.add(key, message);
        }
    }

    // Hardly ever: kept out of the checks, of which there are two dozen.
    #[cold]
    fn add(&mut self, key: &'static str, message: &'static str) {
        self.0.push((key, message.to_owned()));
    }

    #[inline]
    fn check_pair<N: PartialOrd>(
        &mut self,
        key: &'static str,
        (soft, hard): (Option<N>, Option<N>),
        nothing: N,
    ) {
        let Some(hard) = hard else {
            return;
        };
        self.note(
            soft.is_some_and(|soft| soft >= hard),
            key,
            "must be more than the soft limit",
        );
        // What is no number is not more than nothing either.
        let is_more = hard > nothing;
        self.note(
            !is_more,
            key,
            "must be more than nothing: it would end the program at once",
        );
    }
}

impl ShutdownSettings {
    fn check(&self, found: &mut Contradictions) {
        let (force, kill) = (self.force(), self.kill());
        found.note(
            self.graceful.is_zero(),
            "shutdown.graceful",
            "must be more than nothing",
        );
        found.note(
            force <= self.graceful,
            "shutdown.force",
            "must be later than `shutdown.graceful`",
        );
        found.note(
            kill <= force,
            "shutdown.kill",
            "must be later than `shutdown.force`",
        );
    }
}

impl LoggingSettings {
    fn check(&self, found: &mut Contradictions) {
        found.note(
            self.max_files == 0,
            "logging.max_files",
            "must be 1 at least: the file that is written to",
        );
        found.note(
            (1..4_096).contains(&self.max_file_size_bytes),
            "logging.max_file_size_bytes",
            "must be 0 (never) or 4096 at least",
        );
        found.note(
            self.max_file_age.is_some_and(|age| age < SHORTEST_FILE_AGE),
            "logging.max_file_age",
            "must be 1s at least: else there would be a file for each line",
        );
    }
}

impl RuntimeSettings {
    fn check(&self, found: &mut Contradictions) {
        found.note(
            self.worker_threads > 4_096,
            "runtime.worker_threads",
            "must be 4096 at most",
        );
        found.note(
            self.max_blocking_threads == 0,
            "runtime.max_blocking_threads",
            "must be 1 at least",
        );
        found.note(
            self.stack_size_bytes < 64 * 1024,
            "runtime.stack_size_bytes",
            "must be 65536 at least",
        );
        let name = self.thread_name.as_deref();
        found.note(
            name.is_some_and(|name| name.contains('\0')),
            "runtime.thread_name",
            "must not contain a zero byte",
        );
        found.note(
            self.nice.is_some_and(|nice| !(-20..20).contains(&nice)),
            "runtime.nice",
            "must be from -20 to 19",
        );
    }
}

/// The shortest period at which something is looked at: oftener it is a load and no measurement, and what
/// is shorter than a timer's millisecond would never wait.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// The shortest silence that is one: a runtime is not run for some tens of milliseconds on any busy machine.
const SHORTEST_SILENCE: Duration = Duration::from_millis(100);

/// The shortest time after which a log file is put aside: less would be one for each line.
const SHORTEST_FILE_AGE: Duration = Duration::from_secs(1);

fn is_too_short(period: Duration) -> bool {
    !period.is_zero() && period < SHORTEST_PERIOD
}

impl MonitoringSettings {
    // Else it is called, which is as long as the half of it.
    #[inline]
    fn check(&self, found: &mut Contradictions) {
        found.note(
            is_too_short(self.health_interval),
            "monitoring.health_interval",
            "must be 0s (never) or 10ms at least: oftener it is a load and no measurement",
        );
        found.note(
            is_too_short(self.sample_interval),
            "monitoring.sample_interval",
            "must be 0s (never) or 10ms at least: oftener it is a load and no measurement",
        );
        found.note(
            self.liveness_timeout < SHORTEST_SILENCE,
            "monitoring.liveness_timeout",
            "must be 100ms at least: a busy machine makes pauses of tens of milliseconds",
        );
        self.limits.check(found);
    }
}

impl Limits {
    fn check(&self, found: &mut Contradictions) {
        found.check_pair(
            "monitoring.limits.hard_memory_bytes",
            (self.soft_memory_bytes, self.hard_memory_bytes),
            0,
        );
        found.check_pair(
            "monitoring.limits.hard_cpu_percent",
            (self.soft_cpu_percent, self.hard_cpu_percent),
            0.0,
        );
        found.check_pair(
            "monitoring.limits.hard_threads",
            (self.soft_threads, self.hard_threads),
            0,
        );
        found.check_pair(
            "monitoring.limits.hard_descriptors",
            (self.soft_descriptors, self.hard_descriptors),
            0,
        );
    }
}
