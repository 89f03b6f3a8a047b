//! What the daemon's own values may not be, by themselves or together.

use super::{Limits, LoggingSettings, RuntimeSettings, Settings, ShutdownSettings};

impl Settings {
    /// Lists what can't be used, by the key to blame.
    pub(crate) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let empty =
            |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
        let of_daemon = [
            (empty(&self.daemon.name), "daemon.name", "must not be empty"),
            (
                !self.http.listen.ip().is_loopback() && self.http.token_file.is_none(),
                "http.listen",
                "must be an address of loopback, unless there is an `http.token_file`",
            ),
            (
                self.monitoring.liveness_timeout.is_zero(),
                "monitoring.liveness_timeout",
                "must be more than nothing",
            ),
            (self.bus.capacity == 0, "bus.capacity", "must be 1 at least"),
            (
                self.bus.capacity > 1 << 24,
                "bus.capacity",
                "must be 16777216 at most",
            ),
        ];
        let parts = [
            &of_daemon[..],
            &self.shutdown.checks(),
            &self.logging.checks(),
            &self.runtime.checks(),
        ];
        let wrong = parts
            .concat()
            .into_iter()
            .filter(|(is_wrong, ..)| *is_wrong);
        let mut found: Vec<_> = wrong
            .map(|(_, key, message)| (key, message.to_owned()))
            .collect();
        found.extend(self.monitoring.limits.contradictions());
        found
    }
}

/// Whether something is wrong, with which key, and what must be.
type Check = (bool, &'static str, &'static str);

impl ShutdownSettings {
    fn checks(&self) -> [Check; 3] {
        let (force, kill) = (self.force(), self.kill());
        [
            (
                self.graceful.is_zero(),
                "shutdown.graceful",
                "must be more than nothing",
            ),
            (
                force <= self.graceful,
                "shutdown.force",
                "must be later than `shutdown.graceful`",
            ),
            (
                kill <= force,
                "shutdown.kill",
                "must be later than `shutdown.force`",
            ),
        ]
    }
}

impl LoggingSettings {
    fn checks(&self) -> [Check; 3] {
        let is_tiny = (1..4_096).contains(&self.max_file_size_bytes);
        let no_age = self.max_file_age.is_some_and(|age| age.is_zero());
        [
            (
                self.max_files == 0,
                "logging.max_files",
                "must be 1 at least: the file that is written to",
            ),
            (
                is_tiny,
                "logging.max_file_size_bytes",
                "must be 0 (never) or 4096 at least",
            ),
            (no_age, "logging.max_file_age", "must be more than nothing"),
        ]
    }
}

impl RuntimeSettings {
    fn checks(&self) -> [Check; 5] {
        let no_nice = self.nice.is_some_and(|nice| !(-20..20).contains(&nice));
        [
            (
                self.worker_threads > 4_096,
                "runtime.worker_threads",
                "must be 4096 at most",
            ),
            (
                self.max_blocking_threads == 0,
                "runtime.max_blocking_threads",
                "must be 1 at least",
            ),
            (
                self.stack_size_bytes < 64 * 1024,
                "runtime.stack_size_bytes",
                "must be 65536 at least",
            ),
            (
                self.thread_name.contains('\0'),
                "runtime.thread_name",
                "must not contain a zero byte",
            ),
            (no_nice, "runtime.nice", "must be from -20 to 19"),
        ]
    }
}

impl Limits {
    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let as_number = |limit: Option<u64>| limit.map(|limit| limit as f64);
        let pairs = [
            (
                "monitoring.limits.hard_memory_bytes",
                as_number(self.soft_memory_bytes),
                as_number(self.hard_memory_bytes),
            ),
            (
                "monitoring.limits.hard_cpu_percent",
                self.soft_cpu_percent,
                self.hard_cpu_percent,
            ),
            (
                "monitoring.limits.hard_threads",
                as_number(self.soft_threads),
                as_number(self.hard_threads),
            ),
            (
                "monitoring.limits.hard_descriptors",
                as_number(self.soft_descriptors),
                as_number(self.hard_descriptors),
            ),
        ];
        let mut found = Vec::new();
        for (key, soft, hard) in pairs {
            if let (Some(soft), Some(hard)) = (soft, hard)
                && soft >= hard
            {
                found.push((key, "must be more than the soft limit".to_owned()));
            }
            if hard.is_some_and(|hard| hard.is_nan() || hard <= 0.0) {
                found.push((
                    key,
                    "must be more than nothing: it would end the program at once".to_owned(),
                ));
            }
        }
        found
    }
}
