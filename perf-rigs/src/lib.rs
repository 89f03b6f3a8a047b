//! The place of the load rigs: programs that put a tree of `perennial` under load and measure it.
//!
//! A crate of its own, so that what measuring needs is no dependency of the library. It holds no
//! rig yet.
