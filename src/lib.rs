//! A supervision-tree runtime for Rust daemons.
//!
//! Each subsystem is a supervised child in an Erlang-style tree declared in code. The tree starts its
//! children in order, restarts them when they fail, stops them in reverse order inside a deadline, and
//! tells everyone who asks what it is doing.
//!
//! Begin with [`Child`] and [`Supervisor`]; [`Supervisor::start`] runs a tree inside a runtime of
//! yours, `Daemon` (feature `daemon`) owns the process. The modules stand in the order in which they
//! build on one another.
//!
//! ```
//! use std::time::Duration;
//!
//! use perennial::{BoxError, Child, Inbox, Supervisor};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let greeter = Child::worker("greeter", |_cx, mut inbox: Inbox<String>| async move {
//!     // The inbox ends when the worker is asked to stop.
//!     while let Some(name) = inbox.recv().await {
//!         println!("hello, {name}");
//!     }
//!     Ok(())
//! });
//! let handle = greeter.handle();
//! let running = Supervisor::one_for_one("app").child(greeter).start().await?;
//! handle.cast("world".to_owned())?;
//! let report = running.stop(Duration::from_secs(1)).await;
//! assert!(report.is_clean());
//! # Ok(())
//! # }
//! ```

pub mod time;
mod sync;
pub mod path;
pub mod exit;
pub mod error;
pub mod resource;
pub mod pool;
pub mod policy;
pub mod shutdown;
pub mod health;
pub mod bus;
pub mod event;
pub mod handle;
pub mod command;
pub mod context;
pub mod child;
pub mod supervisor;
pub mod tree;
// -- edges: each uses the core, none uses another edge --
#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "daemon")]
pub mod lock;
#[cfg(feature = "logging")]
pub mod logging;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "resources")]
pub mod resources;
#[cfg(any(feature = "profiling", feature = "heap-profiling"))]
pub mod profile;
#[cfg(feature = "mimalloc")]
pub mod allocator;
#[cfg(feature = "signals")]
pub mod signals;
#[cfg(feature = "daemon")]
pub mod kill;
#[cfg(feature = "daemon")]
pub mod notify;
#[cfg(feature = "http")]
pub mod http;
#[cfg(all(unix, feature = "admin"))]
pub mod admin;
#[cfg(feature = "testkit")]
pub mod testkit;
// -- top --
#[cfg(feature = "daemon")]
pub mod daemon;

pub use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};

pub use crate::bus::Bus;
pub use crate::bus::subscriber::{ReceiveError, Subscriber};
pub use crate::child::Child;
pub use crate::context::Context;
#[cfg(feature = "daemon")]
pub use crate::daemon::Daemon;
pub use crate::event::{EventFilter, EventKind, SubsystemEvent};
pub use crate::exit::{BoxError, Exit};
pub use crate::handle::inbox::Inbox;
pub use crate::handle::{CallError, CastError, Handle, Reply};
pub use crate::path::Path;
pub use crate::policy::backoff::Backoff;
pub use crate::policy::restart::Restart;
pub use crate::policy::while_down::WhileDown;
pub use crate::shutdown::ShutdownReason;
pub use crate::shutdown::guard::{ShutdownGuard, ShutdownHandle};
pub use crate::shutdown::report::StopReport;
pub use crate::supervisor::{Supervisor, SupervisorHandle};
pub use crate::tree::{Running, StartError};

/// The code of the guide, compiled and run with the tests.
#[cfg(all(doctest, feature = "config", feature = "metrics"))]
#[doc = include_str!("../docs/guide.md")]
struct Guide;
