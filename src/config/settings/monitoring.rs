//! `[monitoring]`: what is measured, how often, and what is too much.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::duration;

/// `[monitoring]`. All of it is live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MonitoringSettings {
    /// How often children are asked how they are, 10 ms at least; 0 is never. Default 5 s.
    #[serde(with = "duration")]
    pub health_interval: Duration,
    /// How often CPU time, memory, threads and descriptors are read, 10 ms at least; 0 is never. Default 5 s.
    #[serde(with = "duration")]
    pub sample_interval: Duration,
    /// How long the threads that run the tree may make no progress before `/livez` says so, 100 ms at
    /// least. Default 10 s.
    #[serde(with = "duration")]
    pub liveness_timeout: Duration,
    /// `[monitoring.limits]`: what is too much.
    pub limits: Limits,
}

/// How often things are looked at: as the earlier systems did, and well within a minute's alert.
const MONITORING_INTERVAL: Duration = Duration::from_secs(5);

/// How long a runtime may stand still: well over any pause that a busy machine makes.
const LIVENESS_TIMEOUT: Duration = Duration::from_secs(10);

impl Default for MonitoringSettings {
    fn default() -> Self {
        Self {
            health_interval: MONITORING_INTERVAL,
            sample_interval: MONITORING_INTERVAL,
            liveness_timeout: LIVENESS_TIMEOUT,
            limits: Limits::default(),
        }
    }
}

/// `[monitoring.limits]`: a soft limit is told of, a hard one shuts the program down. Default: none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Resident memory that is told of.
    pub soft_memory_bytes: Option<u64>,
    /// Resident memory that shuts the program down.
    pub hard_memory_bytes: Option<u64>,
    /// CPU time that is told of, in percent of one CPU, over one interval.
    pub soft_cpu_percent: Option<f64>,
    /// CPU time that shuts the program down.
    pub hard_cpu_percent: Option<f64>,
    /// Threads that are told of.
    pub soft_threads: Option<u64>,
    /// Threads that shut the program down.
    pub hard_threads: Option<u64>,
    /// Open descriptors that are told of.
    pub soft_descriptors: Option<u64>,
    /// Open descriptors that shut the program down.
    pub hard_descriptors: Option<u64>,
}
