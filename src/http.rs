//! Probes, scrape, tree, events and a page over HTTP.
//!
//! Only reads: nothing asked here changes anything. On loopback nobody has to prove who they are;
//! beyond it everything but a terse probe needs a token. What is served comes from a [`Source`]; this
//! module knows neither supervisors nor metrics.
//!
//! # Invariants
//!
//! 1. The server runs on a thread and a runtime of its own: probes answer while every worker of the
//!    program is blocked. What takes long to write is written on another thread, one at a time.
//! 2. Every connection is counted before it is accepted. One that has asked for nothing yet makes room
//!    for a newer one; a few places are kept for probes.
//! 3. Everything that a client can hold has a bound and an end, but for a stream of events that it
//!    reads, of which there are few.

mod answer;
mod events;
mod guard;
mod kept;
mod page;
mod patient;
mod probes;
mod routes;
mod server;
mod slots;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use self::answer::METRICS_CONTENT_TYPE;
pub use self::guard::Token;
pub use self::server::{BindError, Server};
use crate::bus::subscriber::Subscriber;
use crate::event::SubsystemEvent;

/// The configuration, once it is written: that may be code of the program's own, which takes its time, so
/// the future must wait for it and not block. `None` when there is none; the error says why it can't be
/// shown.
pub type Showing = Pin<Box<dyn Future<Output = Result<Option<Arc<str>>, String>> + Send>>;

/// What the server shows. Its functions must not wait for anything.
pub trait Source: Send + Sync + 'static {
    /// Tells whether the program makes progress, by name. Must not depend on anything outside the
    /// process.
    fn live(&self) -> Vec<Check>;

    /// Tells whether the program can do its work, and what is missing. Asked often.
    fn ready(&self) -> Readiness;

    /// Lists everything that readiness depends on, what is well included.
    fn ready_checks(&self) -> Vec<Check>;

    /// Returns the metrics in Prometheus' text format 0.0.4; `None` when there are none to show.
    fn metrics(&self) -> Option<String>;

    /// Returns everything known of the tree.
    fn tree(&self) -> Value;

    /// Returns everything known of one node and its past, but what is below its children; `None` when
    /// there is no such node.
    fn node(&self, path: &str) -> Option<Value>;

    /// Shows the configuration in force, without its secrets.
    fn config(&self) -> Showing;

    /// Returns a word that differs from one run of the program to the next: the numbers of events begin
    /// anew with each.
    fn run_id(&self) -> String;

    /// Subscribes to the events after this number, or from now on; `None` before there is a tree.
    fn subscribe(&self, after: Option<u64>) -> Option<Subscriber<SubsystemEvent>>;

    /// Turns an event into JSON.
    fn show(&self, event: &SubsystemEvent) -> Value;

    /// Hears of each answer.
    fn answered(&self, _answered: Answered) {}

    /// Hears of each connection that was not served, and why.
    fn turned_away(&self, _reason: TurnedAway) {}
}

/// One thing that is well, or is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is called: a path, a group, or a word.
    pub name: String,
    /// Why it is not well; `None` where it is.
    pub failure: Option<String>,
}

impl Check {
    /// Makes a check that passed.
    #[must_use]
    pub fn passed(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            failure: None,
        }
    }

    /// Makes a check that failed.
    #[must_use]
    pub fn failed(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            failure: Some(reason.into()),
        }
    }
}

/// Whether a program can do its work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What is not well and should be.
    pub missing: Vec<Check>,
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

/// One answer, for whoever counts them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Answered {
    /// The route; one of a few words, whatever was asked for.
    pub route: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// How long it took to make.
    pub took: Duration,
}

/// Why a connection was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TurnedAway {
    /// It had asked for nothing yet, and a newer one came.
    Idle,
    /// It took too long.
    Late,
    /// Only probes were served then.
    Busy,
}

impl TurnedAway {
    /// Every reason, in a fixed order.
    pub const ALL: [Self; 3] = [Self::Idle, Self::Late, Self::Busy];

    /// Returns the reason as a stable lower-case word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Late => "late",
            Self::Busy => "busy",
        }
    }
}

/// Where a server listens, and whom it answers.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<Token>,
    pub(crate) hosts: Vec<String>,
}

impl Options {
    /// Listens on this address. Port 0 lets the operating system choose.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            token: None,
            hosts: Vec::new(),
        }
    }

    /// Asks for this token in `Authorization: Bearer`, but for a terse probe. Default: none; without one
    /// only an address of loopback is listened on.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Answers requests for these host names too, beside those of loopback. An address instead of a name
    /// needs no entry here once there is a token.
    pub fn hosts(mut self, hosts: impl IntoIterator<Item = String>) -> Self {
        self.hosts.extend(hosts);
        self
    }
}
