//! What a user may decide about a child, as plain values.
//!
//! One file for each: whether to restart ([`restart`]), when ([`backoff`]), how often at most
//! ([`intensity`]) and what follows then ([`limit`]), how to stop ([`stop`]), what becomes of messages
//! meanwhile ([`while_down`]), and when a supervisor has nothing left to do ([`auto_shutdown`]).
//! Values validate when they are made and decide nothing by themselves; `supervisor/decide` reads
//! them.

pub mod auto_shutdown;
pub mod backoff;
pub mod intensity;
pub mod limit;
pub mod restart;
pub mod stop;
pub mod stuck;
pub mod while_down;
