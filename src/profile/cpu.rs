//! Where processor time goes: the stacks that run, looked at a hundred times a second of it.
//!
//! The kernel interrupts whichever thread runs (`SIGPROF`), and what it finds is counted by stack. A process that waits
//! has no samples. Stacks are followed by frame pointers alone, and each address is tried before it is read: to unwind
//! by tables takes locks that a thread which panics may hold, and in a supervised program threads panic. A program
//! that is built without frame pointers has short stacks; `RUSTFLAGS="-C force-frame-pointers=yes"` gives whole ones. Even
//! those begin one above: a frame pointer tells where a function returns to, so that the last name of a stack is the
//! function that called what ran.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pprof::{Frames, ProfilerGuard, ProfilerGuardBuilder};

use super::ProfileError;

/// How often a second of processor time is looked: as Go does it.
pub const DEFAULT_FREQUENCY_HZ: u32 = 100;

/// The largest frequency; beyond it the looking is what is seen.
pub const MAX_FREQUENCY_HZ: u32 = 1_000;

/// A profile that is being taken. Dropped, it is thrown away.
pub struct Recording {
    guard: ProfilerGuard<'static>,
}

impl Recording {
    /// Begins, with so many looks a second of processor time: at least 1, at most [`MAX_FREQUENCY_HZ`].
    ///
    /// # Errors
    ///
    /// When another one is being taken in this process, or the signal can't be had.
    pub fn start(frequency_hz: u32) -> Result<Self, ProfileError> {
        let frequency = frequency_hz.clamp(1, MAX_FREQUENCY_HZ).cast_signed();
        let guard = ProfilerGuardBuilder::default().frequency(frequency).build();
        match guard {
            Ok(guard) => Ok(Self { guard }),
            Err(pprof::Error::Running) => Err(ProfileError::InProgress),
            Err(error) => Err(ProfileError::Failed(error.to_string())),
        }
    }

    /// Ends it and names the functions. Reads the program's debug information, which takes a second or more of a large
    /// one: not for a worker thread of a runtime.
    ///
    /// # Errors
    ///
    /// When what was counted can't be read.
    pub fn finish(self) -> Result<CpuProfile, ProfileError> {
        let report = self.guard.report().build();
        let report = report.map_err(|error| ProfileError::Failed(error.to_string()))?;
        let counts = report.data.iter();
        Ok(CpuProfile::of(counts.map(|(frames, count)| {
            (stack(frames), u64::try_from(*count).unwrap_or(0))
        })))
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

/// A profile that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuProfile {
    /// How many looks found something running.
    pub samples: u64,
    /// A line for each stack: the name of the thread, the functions from the outermost to the innermost with `;` between them, a
    /// space, how often it was seen. `flamegraph.pl`, `inferno-flamegraph` and speedscope read it.
    pub folded: String,
}

impl CpuProfile {
    fn of(counts: impl Iterator<Item = (String, u64)>) -> Self {
        let mut stacks = BTreeMap::<String, u64>::new();
        for (stack, count) in counts {
            *stacks.entry(stack).or_default() += count;
        }
        let mut folded = String::new();
        for (stack, count) in &stacks {
            let _infallible = writeln!(folded, "{stack} {count}");
        }
        Self {
            samples: stacks.values().sum(),
            folded,
        }
    }
}

/// Writes a stack as one line, the outermost first. A frame may be several functions, one inlined in the other.
fn stack(frames: &Frames) -> String {
    let functions = frames.frames.iter().rev();
    let functions = functions.flat_map(|frame| frame.iter().rev());
    let thread = Some(without_separators(&frames.thread_name));
    let names = thread
        .into_iter()
        .chain(functions.map(|function| without_separators(&function.name())));
    names.collect::<Vec<_>>().join(";")
}

/// Replaces what has a meaning in a line: `[u8; 4]` is a name, too.
fn without_separators(name: &str) -> String {
    name.replace(';', ",").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests;
