//! Every metric by its name and help text, once.
//!
//! Names follow Prometheus' conventions: one prefix, base units, `_total` on counters, `_info` on
//! what is always 1. A child is named by the label `path` and never by an id or an incarnation,
//! which would make a new series at each restart.

/// A metric's name with the sentence that explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// What a query calls it.
    pub name: &'static str,
    /// What it counts or measures.
    pub help: &'static str,
}

const fn metric(name: &'static str, help: &'static str) -> Name {
    Name { name, help }
}

/// Gauge, labels `version`.
pub const BUILD_INFO: Name = metric(
    "perennial_build_info",
    "Always 1; the label tells the version of the library.",
);

/// Gauge, labels `path`; children that were declared.
pub const CHILD_UP: Name = metric("perennial_child_up", "Whether the child is running.");

/// Gauge, labels `path`, `state`; children that were declared.
pub const CHILD_STATE: Name = metric(
    "perennial_child_state",
    "1 for the state in which the child is, 0 for the others.",
);

/// Gauge, labels `path`, `state`; the path is the supervisor's.
pub const CHILDREN: Name = metric(
    "perennial_children",
    "How many of the children that the supervisor was given while it ran are in the state.",
);

/// Counter, labels `path`, `reason`; what children added at run time did counts for their supervisor.
pub const RESTARTS: Name = metric(
    "perennial_restarts_total",
    "How often a run replaced one that had ended, by why that one ended.",
);

/// Histogram, labels `path`.
pub const RESTART_DURATION: Name = metric(
    "perennial_restart_duration_seconds",
    "How long the child was down before its restart, the backoff included.",
);

/// Counter, no labels.
pub const RESTART_DURATIONS_DROPPED: Name = metric(
    "perennial_restart_durations_dropped_total",
    "Restarts too many between two scrapes to be in the histogram.",
);

/// Gauge, labels `path`; for children added at run time the sum, at their supervisor.
pub const MAILBOX_DEPTH: Name = metric(
    "perennial_mailbox_depth",
    "How many messages wait for the child.",
);

/// Gauge, labels `path`; for children added at run time the oldest, at their supervisor.
pub const MAILBOX_OLDEST: Name = metric(
    "perennial_mailbox_oldest_seconds",
    "How long ago the oldest message that waits for the child was sent; 0 where none waits.",
);

/// Counter, labels `path`; for children added at run time the sum, at their supervisor.
pub const MESSAGES_LOST: Name = metric(
    "perennial_messages_lost_total",
    "How many messages were accepted for the child and never handled.",
);

/// Counter, labels `path`; for children added at run time the sum, at their supervisor.
pub const MESSAGES_REJECTED: Name = metric(
    "perennial_messages_rejected_total",
    "How many messages for the child came back to their senders.",
);

/// Counter, no labels.
pub const BUS_PUBLISHED: Name = metric(
    "perennial_bus_published_total",
    "How many events were published.",
);

/// Counter, no labels.
pub const BUS_NO_RECEIVERS: Name = metric(
    "perennial_bus_no_receivers_total",
    "How many events were published while nobody was subscribed.",
);

/// Counter, labels `subscriber`.
pub const BUS_LAGGED: Name = metric(
    "perennial_bus_lagged_total",
    "How many events the subscriber has lost by being too slow.",
);

/// Gauge, labels `subscriber`.
pub const BUS_QUEUE_DEPTH: Name = metric(
    "perennial_bus_queue_depth",
    "How many events wait for the subscriber.",
);

/// Gauge, no labels.
pub const BUS_SUBSCRIBERS: Name = metric(
    "perennial_bus_subscribers",
    "How many subscribers there are.",
);

/// Counter, labels `result`: `changed` or `rejected`.
pub const CONFIG_RELOADS: Name = metric(
    "perennial_config_reloads_total",
    "How often the configuration was read anew and changed something, or was refused.",
);

/// Gauge, no labels.
pub const CONFIG_LAST_SUCCESS: Name = metric(
    "perennial_config_last_success_timestamp_seconds",
    "When the configuration that is in force was read.",
);

/// Gauge, no labels.
pub const CONFIG_VERSION: Name = metric(
    "perennial_config_version",
    "The version of the configuration that is in force, counted from 1.",
);

/// Counter, no labels.
pub const LOG_LINES_DROPPED: Name = metric(
    "perennial_log_lines_dropped_total",
    "Log lines for which there was no room in the queue.",
);

/// Counter, no labels.
pub const LOG_LINES_FAILED: Name = metric(
    "perennial_log_lines_failed_total",
    "Log lines that the operating system refused to write.",
);

/// Counter, labels `resource`, `limit`: `soft` or `hard`.
pub const LIMITS_REACHED: Name = metric(
    "perennial_limits_reached_total",
    "How often the process came to use more than it should.",
);

/// Counter, no labels.
pub const PROCESS_CPU: Name = metric(
    "process_cpu_seconds_total",
    "CPU time of all threads since the process began.",
);

/// Gauge, no labels.
pub const PROCESS_RESIDENT: Name = metric(
    "process_resident_memory_bytes",
    "Memory that the process has in RAM.",
);

/// Gauge, no labels.
pub const PROCESS_VIRTUAL: Name = metric(
    "process_virtual_memory_bytes",
    "Memory that the process has reserved.",
);

/// Gauge, no labels.
pub const PROCESS_THREADS: Name = metric("process_threads", "How many threads the process has.");

/// Gauge, no labels.
pub const PROCESS_OPEN_FDS: Name = metric("process_open_fds", "How many descriptors are open.");

/// Gauge, no labels.
pub const PROCESS_MAX_FDS: Name = metric("process_max_fds", "How many descriptors may be open.");

/// Gauge, no labels.
pub const PROCESS_START_TIME: Name = metric(
    "process_start_time_seconds",
    "When the process began, since 1970.",
);

/// Every counter.
pub const COUNTERS: [Name; 7] = [
    RESTARTS,
    RESTART_DURATIONS_DROPPED,
    MESSAGES_LOST,
    MESSAGES_REJECTED,
    BUS_PUBLISHED,
    BUS_NO_RECEIVERS,
    BUS_LAGGED,
];

/// Every gauge.
pub const GAUGES: [Name; 8] = [
    BUILD_INFO,
    CHILD_UP,
    CHILD_STATE,
    CHILDREN,
    MAILBOX_DEPTH,
    MAILBOX_OLDEST,
    BUS_QUEUE_DEPTH,
    BUS_SUBSCRIBERS,
];

/// Every histogram.
pub const HISTOGRAMS: [Name; 1] = [RESTART_DURATION];
