//! What a rig itself used: processor time and memory, descriptors and threads.

use std::time::Duration;

use perennial::resources::{self, Sample};
use serde::{Deserialize, Serialize};

/// What a run used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds of processor time.
    pub cpu_seconds: f64,
    /// The same as a share of one processor, in percent.
    pub cpu_percent: f64,
    /// Resident memory at the beginning.
    pub resident_before_bytes: u64,
    /// Resident memory at the end.
    pub resident_after_bytes: u64,
    /// The most that was ever resident.
    pub resident_peak_bytes: u64,
    /// Open descriptors at the end.
    pub descriptors: u64,
    /// Threads at the end.
    pub threads: u64,
}

/// Reads what this process uses now.
///
/// # Panics
///
/// Elsewhere than on Linux.
#[must_use]
pub fn now() -> Sample {
    resources::sample().expect("the rigs run on Linux")
}

impl Usage {
    /// Says what was used since `before`.
    #[must_use]
    pub fn since(before: &Sample) -> Self {
        let after = now();
        let cpu = after.cpu.saturating_sub(before.cpu);
        let time = (after.at - before.at).max(Duration::from_nanos(1));
        Self {
            cpu_seconds: cpu.as_secs_f64(),
            cpu_percent: cpu.as_secs_f64() / time.as_secs_f64() * 100.0,
            resident_before_bytes: before.resident_bytes,
            resident_after_bytes: after.resident_bytes,
            resident_peak_bytes: peak().unwrap_or(after.resident_bytes),
            descriptors: after.descriptors,
            threads: after.threads,
        }
    }
}

/// Returns the most memory that was ever resident.
fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::{Usage, now};

    #[test]
    fn a_process_uses_some_memory_and_a_thread() {
        let usage = Usage::since(&now());
        assert!(usage.resident_peak_bytes >= usage.resident_after_bytes / 2);
        assert!(usage.threads >= 1 && usage.descriptors >= 1);
    }
}
