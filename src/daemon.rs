//! The composition root: a supervision tree with a process around it.
//!
//! A [`Daemon`] installs signal handlers, serves probes and metrics on loopback, starts the tree,
//! and turns its end into a report and an exit code. It reads as the story of the process; what
//! each part does stands in that part.
//!
//! # Invariants
//!
//! 1. Signals are heard from before the tree starts until the process ends, on a runtime that no
//!    child runs on: a blocked child delays nothing here.
//! 2. The HTTP server is the first to open and the last to close; from the beginning of a shutdown
//!    on it says that the program is not ready.
//! 3. Once a shutdown has begun the daemon returns, whatever the children do.

mod ending;
mod govern;
mod source;
mod view;

use std::fmt;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub use self::ending::{DaemonError, DaemonExit};
use self::govern::{Ended, Plan, govern};
use crate::exit::ErrorChain;
use crate::logging;
use crate::shutdown::DEFAULT_SHUTDOWN_BUDGET;
use crate::shutdown::report::StopReport;
use crate::supervisor::Supervisor;

/// Where probes and metrics are served when nothing was set: loopback, and a port in the range that
/// Prometheus' exporters use.
pub const DEFAULT_HTTP_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9600);

/// Owns a process: its runtime, signals, logs, probes, and the tree that does its work.
///
/// Defaults: HTTP on 127.0.0.1:9600, 5 s to stop gracefully, logs on stderr at `info` unless
/// `RUST_LOG` says otherwise.
///
/// The first SIGTERM, SIGINT or SIGQUIT shuts the tree down; a second one ends
/// [`run`](Self::run) at once.
#[must_use = "a daemon does nothing until it is run"]
pub struct Daemon {
    name: String,
    tree: Option<Supervisor>,
    http: Option<SocketAddr>,
    graceful: Duration,
    on_http_bound: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
}

impl Daemon {
    /// Makes a daemon without a tree; the name stands in its logs and before its errors.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            tree: None,
            http: Some(DEFAULT_HTTP_ADDRESS),
            graceful: DEFAULT_SHUTDOWN_BUDGET,
            on_http_bound: None,
        }
    }

    /// Sets the tree to run. There is no default.
    pub fn tree(mut self, tree: Supervisor) -> Self {
        self.tree = Some(tree);
        self
    }

    /// Sets where probes, metrics and the tree are served; only loopback is accepted. Default
    /// 127.0.0.1:9600. With port 0 the operating system chooses; see
    /// [`on_http_bound`](Self::on_http_bound).
    pub fn http(mut self, address: SocketAddr) -> Self {
        self.http = Some(address);
        self
    }

    /// Serves nothing over HTTP.
    pub fn without_http(mut self) -> Self {
        self.http = None;
        self
    }

    /// Sets how long a shutdown by a signal may take before what still runs is killed. Default 5 s.
    pub fn graceful(mut self, graceful: Duration) -> Self {
        self.graceful = graceful;
        self
    }

    /// Calls `told` with the address that was bound, before the tree starts. Default: it is logged
    /// and nobody is told.
    pub fn on_http_bound(mut self, told: impl FnOnce(SocketAddr) + Send + 'static) -> Self {
        self.on_http_bound = Some(Box::new(told));
        self
    }

    /// Runs the daemon to its end, prints the stop report on stderr and returns the exit code.
    ///
    /// For a plain `fn main() -> ExitCode`. The codes are those of [`DaemonExit::exit_code`] and
    /// [`DaemonError::exit_code`].
    pub fn run(self) -> ExitCode {
        let name = self.name.clone();
        let ended = self.execute();
        let code = match &ended.outcome {
            Ok((report, exit)) => {
                print(&format!("{report}{name}: {exit}\n"));
                exit.exit_code()
            }
            Err(error) => {
                print(&format!("{name}: {}\n", ErrorChain::new(error)));
                error.exit_code()
            }
        };
        // Here, and not earlier, the server closes (invariant 2).
        drop(ended);
        ExitCode::from(code)
    }

    /// Runs the daemon to its end and returns its report, printing nothing.
    ///
    /// # Errors
    ///
    /// [`DaemonError`]: why the tree was never up. What had started has been stopped.
    pub fn run_report(self) -> Result<(StopReport, DaemonExit), DaemonError> {
        self.execute().outcome
    }

    /// Runs the daemon to its end inside a tokio runtime of the program's own, printing nothing.
    ///
    /// The tree runs on that runtime; signals and HTTP have a thread of their own.
    ///
    /// # Errors
    ///
    /// [`DaemonError`]: why the tree was never up. What had started has been stopped.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the tree is asked to stop, and nobody waits for its end.
    pub async fn run_async(self) -> Result<(StopReport, DaemonExit), DaemonError> {
        let workers = Handle::try_current().map_err(|_outside| DaemonError::OutsideRuntime)?;
        let plan = self.plan()?;
        let edges = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DaemonError::Runtime)?;
        let (mut told, ended) = oneshot::channel();
        let conduct = move || {
            let ended = edges.block_on(async {
                tokio::select! {
                    ended = Box::pin(govern(plan, workers)) => Some(ended),
                    // Dropping the other future asks the tree to stop.
                    () = told.closed() => None,
                }
            });
            if let Some(Ended { outcome, server }) = ended {
                // Nobody waits any more when this fails, and the tree has ended.
                drop(told.send(outcome));
                drop(server);
            }
        };
        let named = std::thread::Builder::new().name("perennial-edges".to_owned());
        let _detached = named.spawn(conduct).map_err(DaemonError::Runtime)?;
        ended.await.unwrap_or(Err(DaemonError::Lost))
    }

    fn execute(self) -> Ended {
        match self.try_execute() {
            Ok(ended) => ended,
            Err(error) => Ended {
                outcome: Err(error),
                server: None,
            },
        }
    }

    fn try_execute(self) -> Result<Ended, DaemonError> {
        if Handle::try_current().is_ok() {
            return Err(DaemonError::InsideRuntime);
        }
        let plan = self.plan()?;
        let edges = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DaemonError::Runtime)?;
        let workers = Builder::new_multi_thread()
            .thread_name("perennial-worker")
            .enable_all()
            .build()
            .map_err(DaemonError::Runtime)?;
        let ended = edges.block_on(Box::pin(govern(plan, workers.handle().clone())));
        // Does not wait: a child that blocks its thread must not hold the process (invariant 3).
        workers.shutdown_background();
        Ok(ended)
    }

    fn plan(self) -> Result<Plan, DaemonError> {
        let tree = self.tree.ok_or(DaemonError::NoTree)?;
        logging::init_default();
        Ok(Plan {
            name: self.name,
            tree,
            http: self.http,
            graceful: self.graceful,
            on_http_bound: self.on_http_bound,
        })
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon")
            .field("name", &self.name)
            .field("tree", &self.tree)
            .field("http", &self.http)
            .field("graceful", &self.graceful)
            .finish_non_exhaustive()
    }
}

/// Writes for the person who started the process. A closed stderr is no reason to fail.
fn print(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()));
    drop(stderr.flush());
}

#[cfg(test)]
mod tests;
