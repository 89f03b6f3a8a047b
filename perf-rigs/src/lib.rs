//! What the rigs share: their flags, their progress, and the report that each leaves behind.
//!
//! A rig is one program in `src/bin`: it puts a load on one part of the library for some seconds and says how that
//! went. Everything but the load itself stands here, so that all of them are called and read alike.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

pub mod arguments;
pub mod durations;
pub mod gate;
pub mod machine;
pub mod plot;
pub mod ratios;
pub mod report;
pub mod rig;
pub mod slope;
pub mod usage;

/// The allocator of the rigs and of the league, where the feature asks for it: a build to be compared with one without.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: perennial::allocator::MiMalloc = perennial::allocator::MiMalloc;
