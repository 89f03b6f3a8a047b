//! What is too much, and whether a sample is.

use std::fmt;

use super::{Resource, Sample};

/// What is too much of one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limit {
    /// What is told of.
    pub soft: Option<f64>,
    /// What shuts the program down.
    pub hard: Option<f64>,
}

/// What is too much, for each of [`Resource::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ResourceLimits {
    /// Resident memory, in bytes.
    pub memory: Limit,
    /// CPU time, in percent of one CPU, between two samples.
    pub cpu: Limit,
    /// Threads.
    pub threads: Limit,
    /// Open descriptors.
    pub descriptors: Limit,
}

impl ResourceLimits {
    fn of(&self, resource: Resource) -> Limit {
        match resource {
            Resource::Memory => self.memory,
            Resource::Cpu => self.cpu,
            Resource::Threads => self.threads,
            Resource::Descriptors => self.descriptors,
        }
    }
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Excess {
    /// Of what there is too much.
    pub resource: Resource,
    /// Whether the program can't go on.
    pub is_hard: bool,
    /// How much there is.
    pub value: f64,
    /// How much there may be.
    pub limit: f64,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, unit) = (self.resource.code(), self.resource.unit());
        let kind = if self.is_hard { "hard" } else { "soft" };
        write!(
            f,
            "{what}: {:.0}{unit}, the {kind} limit is {:.0}{unit}",
            self.value, self.limit
        )
    }
}

/// Lists the limits that a sample reaches, the hard one of a resource in the stead of its soft one.
///
/// CPU time is counted since `before`; without one it is not judged.
#[must_use]
pub fn judge(limits: &ResourceLimits, before: Option<&Sample>, now: &Sample) -> Vec<Excess> {
    let mut found = Vec::new();
    for resource in Resource::ALL {
        let value = match resource {
            Resource::Memory => Some(now.resident_bytes as f64),
            Resource::Cpu => before.and_then(|before| cpu_percent(before, now)),
            Resource::Threads => Some(now.threads as f64),
            Resource::Descriptors => Some(now.descriptors as f64),
        };
        let Some(value) = value else { continue };
        let limit = limits.of(resource);
        let reached = [(true, limit.hard), (false, limit.soft)];
        let reached = reached
            .into_iter()
            .find_map(|(is_hard, limit)| Some((is_hard, limit.filter(|limit| value >= *limit)?)));
        found.extend(reached.map(|(is_hard, limit)| Excess {
            resource,
            is_hard,
            value,
            limit,
        }));
    }
    found
}

/// Returns the CPU time between two samples in percent of one CPU; `None` when no time has passed.
#[must_use]
pub fn cpu_percent(before: &Sample, now: &Sample) -> Option<f64> {
    let passed = now.at.saturating_duration_since(before.at).as_secs_f64();
    let used = now.cpu.saturating_sub(before.cpu).as_secs_f64();
    (passed > 0.0).then(|| used / passed * 100.0)
}
