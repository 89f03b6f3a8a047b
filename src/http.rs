//! Probes, scrape and tree over HTTP, for loopback.
//!
//! Only reads: nothing asked here changes anything, so nobody has to prove who they are, and so it
//! is not served beyond loopback at all. What is served comes from a [`Source`]; this module knows
//! neither trees nor metrics.
//!
//! # Invariants
//!
//! 1. The server runs on a thread and a runtime of its own: probes answer while every worker of the
//!    program is blocked.
//! 2. Every connection is counted before it is accepted and ends within a fixed time.

mod routes;
mod server;

use serde_json::Value;

pub use self::routes::METRICS_CONTENT_TYPE;
pub use self::server::{BindError, Server};

/// What the server shows. Its functions run on the server's thread and must not block.
pub trait Source: Send + Sync + 'static {
    /// Tells whether the program makes progress. Must not depend on anything outside the process.
    fn live(&self) -> bool;

    /// Tells whether the program can do its work, and what is missing.
    fn ready(&self) -> Readiness;

    /// Returns the metrics in Prometheus' text format 0.0.4; `None` when there are none to show.
    fn metrics(&self) -> Option<String>;

    /// Returns everything known of the tree.
    fn tree(&self) -> Value;
}

/// Whether a program can do its work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What is not up and should be, by path.
    pub missing: Vec<String>,
    /// Whether the shutdown has begun: then a program is not ready, whatever is still up.
    pub is_shutting_down: bool,
}

impl Readiness {
    /// Tells whether nothing is missing and the shutdown has not begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty() && !self.is_shutting_down
    }
}
