//! What the process uses: CPU time, memory, threads, open descriptors; and when that is too much.
//!
//! Reading is one thing, judging another: a judgement is a function of two samples and the limits.
//! Linux only, from `/proc/self`; elsewhere a reading says that it is not supported.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How many samples are kept: five minutes at the default interval, as the earlier system had.
pub const HISTORY_KEPT: usize = 60;

/// What a process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Resident memory, in bytes.
    Memory,
    /// CPU time, in percent of one CPU.
    Cpu,
    /// Threads.
    Threads,
    /// Open descriptors.
    Descriptors,
}

impl Resource {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::Threads, Self::Descriptors];

    /// Returns it as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Threads => "threads",
            Self::Descriptors => "descriptors",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Memory => " bytes",
            Self::Cpu => " %",
            Self::Threads | Self::Descriptors => "",
        }
    }
}

/// What the process used at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// When it was read.
    pub at: Instant,
    /// CPU time since the process began, of all threads.
    pub cpu: Duration,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Virtual memory.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// How many descriptors may be open; `None` for any number.
    pub max_descriptors: Option<u64>,
}

/// Reads what the process uses now.
///
/// # Errors
///
/// The operating system's; [`io::ErrorKind::Unsupported`] elsewhere than on Linux.
#[cfg(target_os = "linux")]
pub fn sample() -> io::Result<Sample> {
    use procfs::process::{LimitValue, Process};

    let refused = |error: procfs::ProcError| io::Error::other(error.to_string());
    let process = Process::myself().map_err(refused)?;
    let stat = process.stat().map_err(refused)?;
    let limits = process.limits().map_err(refused)?;
    let ticks = procfs::ticks_per_second().max(1);
    let cpu_ticks = stat.utime + stat.stime;
    let nanos = u128::from(cpu_ticks) * 1_000_000_000 / u128::from(ticks);
    Ok(Sample {
        at: Instant::now(),
        cpu: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
        resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
        virtual_bytes: stat.vsize,
        threads: u64::try_from(stat.num_threads).unwrap_or(0),
        descriptors: process.fd_count().map_err(refused)? as u64,
        max_descriptors: match limits.max_open_files.soft_limit {
            LimitValue::Value(limit) => Some(limit),
            LimitValue::Unlimited => None,
        },
    })
}

/// Reads what the process uses now.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn sample() -> io::Result<Sample> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns when the process began, to the second.
///
/// # Errors
///
/// The operating system's; [`io::ErrorKind::Unsupported`] elsewhere than on Linux.
#[cfg(target_os = "linux")]
pub fn start_time() -> io::Result<SystemTime> {
    let refused = |error: procfs::ProcError| io::Error::other(error.to_string());
    let stat = procfs::process::Process::myself()
        .and_then(|process| process.stat())
        .map_err(refused)?;
    let booted = procfs::boot_time_secs().map_err(refused)?;
    let after = stat.starttime / procfs::ticks_per_second().max(1);
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(booted + after))
}

/// Returns when the process began.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn start_time() -> io::Result<SystemTime> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The last samples, the oldest first; at most [`HISTORY_KEPT`].
#[derive(Debug, Clone, Default)]
pub struct History {
    samples: VecDeque<Sample>,
}

impl History {
    /// Keeps a sample, and forgets the oldest where there are too many.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.len() == HISTORY_KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Iterates over the samples, the oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// Returns the newest sample.
    #[must_use]
    pub fn last(&self) -> Option<&Sample> {
        self.samples.back()
    }
}

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

#[cfg(test)]
mod tests {
    use super::{Excess, HISTORY_KEPT, History, Limit, Resource, ResourceLimits, Sample, judge};
    use std::time::Duration;
    use tokio::time::Instant;

    fn used(at: Instant, cpu_millis: u64, amount: u64) -> Sample {
        Sample {
            at,
            cpu: Duration::from_millis(cpu_millis),
            resident_bytes: amount,
            virtual_bytes: 0,
            threads: amount,
            descriptors: amount,
            max_descriptors: None,
        }
    }

    fn limit(soft: f64, hard: f64) -> Limit {
        Limit {
            soft: Some(soft),
            hard: Some(hard),
        }
    }

    #[test]
    fn a_limit_is_reached_at_its_value_and_the_hard_one_counts() {
        let now = Instant::now();
        let limits = ResourceLimits {
            memory: limit(10.0, 20.0),
            threads: limit(10.0, 20.0),
            ..ResourceLimits::default()
        };
        for (amount, expected) in [
            (9, None),
            (10, Some(false)),
            (19, Some(false)),
            (20, Some(true)),
        ] {
            let found = judge(&limits, None, &used(now, 0, amount));
            let hardness: Vec<_> = found
                .iter()
                .map(|excess| (excess.resource, excess.is_hard))
                .collect();
            let expected: Vec<_> = expected
                .map(|is_hard| vec![(Resource::Memory, is_hard), (Resource::Threads, is_hard)])
                .unwrap_or_default();
            assert_eq!(hardness, expected, "{amount}");
        }
    }

    #[test]
    fn cpu_time_is_judged_between_two_samples() {
        let began = Instant::now();
        let before = used(began, 1_000, 0);
        let after = used(began + Duration::from_secs(2), 2_600, 0);
        let limits = ResourceLimits {
            cpu: limit(80.0, 90.0),
            ..ResourceLimits::default()
        };
        let expected = Excess {
            resource: Resource::Cpu,
            is_hard: false,
            value: 80.0,
            limit: 80.0,
        };
        assert_eq!(judge(&limits, Some(&before), &after), [expected]);
        assert_eq!(judge(&limits, None, &after), []);
        assert_eq!(judge(&limits, Some(&after), &after), []);
        assert_eq!(expected.to_string(), "cpu: 80 %, the soft limit is 80 %");
    }

    #[test]
    fn the_history_is_bounded() {
        let began = Instant::now();
        let mut history = History::default();
        for number in 0..HISTORY_KEPT as u64 + 5 {
            history.push(used(began, number, 0));
        }
        assert_eq!(history.iter().len(), HISTORY_KEPT);
        assert_eq!(
            history.iter().next().map(|oldest| oldest.cpu.as_millis()),
            Some(5)
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_sample_sees_this_process() {
        let before = super::sample().expect("there is a /proc");
        let open: Vec<_> = (0..10)
            .map(|_| std::fs::File::open("/dev/null").expect("it opens"))
            .collect();
        let after = super::sample().expect("there is a /proc");
        assert!(before.resident_bytes > 0 && before.threads > 0);
        assert!(after.descriptors >= open.len() as u64);
    }
}
