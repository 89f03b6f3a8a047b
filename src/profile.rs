//! Profiles of the running process: where its time goes ([`cpu`]), where its memory comes from ([`heap`]).
//!
//! Both are taken for a while and then looked at; nothing is paid before or after. A daemon that is built with these
//! features takes them on its admin socket. Neither keeps a profile running for good: that is for a profiler outside
//! of the process.

#[cfg(all(unix, feature = "profiling"))]
pub mod cpu;
#[cfg(feature = "heap-profiling")]
pub mod heap;

use thiserror::Error;

/// Says why there is no profile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Another one is being taken; there can be one of a kind in a process.
    #[error("another profile of this process is being taken; try again when it is done")]
    InProgress,
    /// The program's allocator counts nothing.
    #[error(
        "the program's allocator counts nothing; name perennial::profile::heap::Allocator as its #[global_allocator]"
    )]
    NoAllocator,
    /// It went wrong.
    #[error("a profile can't be taken: {0}")]
    Failed(String),
}

impl ProfileError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::NoAllocator => "unsupported",
            Self::Failed(_) => "profile_failed",
        }
    }
}
