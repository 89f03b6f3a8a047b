//! The allocator mimalloc, for a program that wants another than the system's.
//!
//! The feature brings it, and the program names it, in one line of its own:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: perennial::allocator::MiMalloc = perennial::allocator::MiMalloc;
//! # fn main() {
//! # assert_eq!(vec![7; 1_000].len(), 1_000);
//! # }
//! ```
//!
//! The feature alone changes nothing: there is one allocator in a program, the features of a library are switched on by
//! whoever depends on it, and a library that set it would break each program that has one of its own, or counts
//! allocations in its tests. Written in C, so that a C compiler is needed to build it.

pub use mimalloc::MiMalloc;
