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

/// Gauge, labels `path`; children that were declared.
pub const CHILD_HEALTH: Name = metric(
    "perennial_child_health",
    "How the child is, by what it says or a check found: 1 well, 0.5 degraded, 0 failed.",
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

/// Gauge, labels `path`; a supervisor's.
pub const RESTART_INTENSITY: Name = metric(
    "perennial_restart_intensity_ratio",
    "How much of the restarts that the supervisor accepts within its period is used up; at 1 the next is one too many.",
);

/// Gauge, labels `path`; for children added at run time the longest, at their supervisor.
pub const BACKOFF: Name = metric(
    "perennial_backoff_seconds",
    "How long until the next run of the child begins; 0 where none is waited for.",
);

/// Counter, labels `path`; a supervisor's.
pub const MELTDOWNS: Name = metric(
    "perennial_meltdowns_total",
    "How often the supervisor gave up because its children were restarted too often.",
);

/// Counter, labels `path`; a supervisor's.
pub const ESCALATIONS: Name = metric(
    "perennial_escalations_total",
    "How often the supervisor ended by a meltdown and left the decision to the one above.",
);

/// Counter, no labels.
pub const TASKS_SPAWNED: Name = metric(
    "perennial_tasks_spawned_total",
    "How many runs of children have begun.",
);

/// Counter, no labels.
pub const TASKS_ABORTED: Name = metric(
    "perennial_tasks_aborted_total",
    "How many runs of children were killed: at a stop that took too long or was brutal, or in a start that did.",
);

/// Gauge, no labels.
pub const TASKS_HUNG: Name = metric(
    "perennial_tasks_hung",
    "How many children neither stop nor die; their tasks still live.",
);

/// Gauge, labels `outcome`: `running`, `stopped` or `hung`; once the shutdown has begun.
pub const SHUTDOWN_DURATION: Name = metric(
    "perennial_shutdown_duration_seconds",
    "How long the shutdown has taken so far, or took.",
);

/// Gauge, no labels.
pub const SHUTDOWN_BUDGET_USED: Name = metric(
    "perennial_shutdown_budget_used_ratio",
    "How much of the time that the shutdown may take is used up; 0 before it begins.",
);

/// Counter, labels `path`; for children added at run time the sum, at their supervisor.
pub const CHILD_STUCK: Name = metric(
    "perennial_child_stuck_total",
    "How often a handler of the child was found stuck.",
);

/// Gauge, label `path`.
pub const HANDLERS_STUCK: Name = metric(
    "perennial_handlers_stuck",
    "How many handlers of the child, or of what was added below it, are stuck now.",
);

/// Gauge, labels `path`; for children added at run time the sum, at their supervisor.
pub const MAILBOX_DEPTH: Name = metric(
    "perennial_mailbox_depth",
    "How many messages wait for the child.",
);

/// Gauge, labels `path`; for children added at run time the oldest, at their supervisor.
pub const MAILBOX_OLDEST: Name = metric(
    "perennial_mailbox_oldest_age_seconds",
    "How long ago the oldest message that waits for the child was sent; 0 where none waits.",
);

/// Counter, labels `path`, `outcome`: `handled`, `lost` (accepted and never handled) or `rejected`
/// (came back to the sender); for children added at run time the sum, at their supervisor.
pub const MESSAGES: Name = metric(
    "perennial_messages_total",
    "What became of the messages for the child.",
);

/// Histogram, labels `path`; for children added at run time all of them, at their supervisor.
pub const HANDLER_DURATION: Name = metric(
    "perennial_handler_duration_seconds",
    "How long the child took for a message; one in 64 is timed.",
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

/// Counter, no labels.
pub const BUS_DROPPED: Name = metric(
    "perennial_bus_dropped_total",
    "How many events subscribers have lost by being too slow, those that are gone included.",
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

/// Gauge, no labels.
pub const READY: Name = metric(
    "perennial_ready",
    "Whether everything that the program needs is up and well, and it is not shutting down.",
);

/// Gauge, no labels.
pub const HEARTBEAT_AGE: Name = metric(
    "perennial_heartbeat_age_seconds",
    "How long ago the threads that run the tree last said that they make progress.",
);

/// Counter, labels `route`, `code`.
pub const HTTP_REQUESTS: Name = metric(
    "perennial_http_requests_total",
    "How many requests for probes, metrics, the tree, events and the page were answered, by status.",
);

/// Histogram, labels `route`.
pub const HTTP_DURATION: Name = metric(
    "perennial_http_request_duration_seconds",
    "How long it took to make the answer.",
);

/// Counter, labels `reason`: `idle`, `late` or `busy`.
pub const HTTP_TURNED_AWAY: Name = metric(
    "perennial_http_turned_away_total",
    "How many connections were closed unanswered, or put off, because others needed the place.",
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
