//! Where memory comes from: each allocation of a while, by the stack that made it.
//!
//! For a process that grows and nobody knows why: what was allocated in that while and is still there at its end
//! stands in the profile beside what was freed again. While one is taken each allocation costs a look at the stack, which
//! makes a program several times slower; while none is, it still costs one lock of the whole process. So it is for a
//! build in which something is looked for, and not for the one that serves. The program has to name the allocator that
//! counts as its own:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: perennial::profile::heap::Allocator = perennial::profile::heap::Allocator;
//! # fn main() -> Result<(), perennial::profile::ProfileError> {
//! let recording = perennial::profile::heap::Recording::start()?;
//! let kept = vec![7_u8; 100_000];
//! let profile = recording.finish()?;
//! assert!(profile.kept_bytes >= kept.len() as u64);
//! # Ok(())
//! # }
//! ```

use std::hint::black_box;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use dhat::{HeapStats, Profiler};
use tempfile::NamedTempFile;

use super::ProfileError;

pub use dhat::Alloc as Allocator;

/// Whether one is being taken. dhat itself panics at a second one.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The right to take one.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn take() -> Result<Self, ProfileError> {
        match IS_TAKEN.swap(true, Ordering::AcqRel) {
            false => Ok(Self),
            true => Err(ProfileError::InProgress),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        IS_TAKEN.store(false, Ordering::Release);
    }
}

/// A profile that is being taken. Dropped, it is thrown away.
// Dropped in this order: the turn is over when everything else is.
#[derive(Debug)]
pub struct Recording {
    profiler: Profiler,
    file: NamedTempFile,
    turn: Turn,
}

impl Recording {
    /// Begins.
    ///
    /// # Errors
    ///
    /// When another one is being taken in this process, when the program's allocator is another one, or when there can
    /// be no temporary file.
    pub fn start() -> Result<Self, ProfileError> {
        let turn = Turn::take()?;
        let file = NamedTempFile::new().map_err(|error| failed(&error))?;
        // It panics when the program itself has made one, with dhat and without this module.
        let profiler = Profiler::builder().file_name(file.path());
        let profiler = catch_unwind(AssertUnwindSafe(|| profiler.build()));
        let profiler = profiler.map_err(|_panicked| ProfileError::InProgress)?;
        let recording = Self {
            profiler,
            file,
            turn,
        };
        drop(black_box(Box::new(0_u8)));
        match HeapStats::get().total_blocks {
            0 => Err(ProfileError::NoAllocator),
            _ => Ok(recording),
        }
    }

    /// Ends it and names the functions. Reads the program's debug information, which takes a second or more of a large
    /// one: not for a worker thread of a runtime. dhat says the sums on stderr.
    ///
    /// # Errors
    ///
    /// When the temporary file can't be written or read.
    pub fn finish(self) -> Result<HeapProfile, ProfileError> {
        let Self {
            profiler,
            file,
            turn,
        } = self;
        let counted = HeapStats::get();
        drop(profiler);
        let json = std::fs::read_to_string(file.path()).map_err(|error| failed(&error))?;
        drop(turn);
        if json.is_empty() {
            let error = io::Error::other("the temporary file could not be written");
            return Err(failed(&error));
        }
        Ok(HeapProfile {
            allocated_bytes: counted.total_bytes,
            allocations: counted.total_blocks,
            kept_bytes: counted.curr_bytes as u64,
            kept_allocations: counted.curr_blocks as u64,
            json,
        })
    }
}

/// A profile that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeapProfile {
    /// How much was allocated.
    pub allocated_bytes: u64,
    /// How often.
    pub allocations: u64,
    /// How much of that was still there at the end.
    pub kept_bytes: u64,
    /// In how many pieces.
    pub kept_allocations: u64,
    /// All of it by stack, as DHAT writes it: for <https://nnethercote.github.io/dh_view/dh_view.html>.
    pub json: String,
}

fn failed(error: &io::Error) -> ProfileError {
    ProfileError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::Recording;
    use crate::profile::ProfileError;

    #[test]
    fn without_the_allocator_that_counts_there_is_no_heap_profile_and_it_is_said() {
        for _ in 0..2 {
            let refused = Recording::start().expect_err("these tests have the system's allocator");
            assert_eq!(refused, ProfileError::NoAllocator);
            assert_eq!(refused.code(), "unsupported");
        }
    }
}
