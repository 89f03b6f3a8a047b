//! What the process uses: CPU time, memory, threads, open descriptors; and when that is too much.
//!
//! Reading is one thing, judging another: a judgement is a function of two samples and the limits.
//! Linux only, from `/proc/self`; elsewhere a reading says that it is not supported.

mod limits;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

pub use self::limits::{Excess, Limit, ResourceLimits, cpu_percent, judge};

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

#[cfg(test)]
mod tests;
