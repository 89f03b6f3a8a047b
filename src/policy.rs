//! What a user may decide about a child, as plain values.
//!
//! One file for each: whether to restart ([`restart`]), when ([`backoff`]), how often at most
//! ([`intensity`]), and how to stop ([`stop`]). Values validate when they are made and decide
//! nothing by themselves; `supervisor/decide` reads them.

pub mod backoff;
pub mod intensity;
pub mod restart;
pub mod stop;
