//! The composition root: a supervision tree with a process around it.
//!
//! A [`Daemon`] reads its configuration, locks its pid file, begins to log, installs signal handlers,
//! serves probes and metrics on loopback, starts the tree, and turns its end into a report and an exit
//! code. It reads as the story of the process; what each part does stands in that part.
//!
//! # Invariants
//!
//! 1. Signals are heard from before the configuration is read until the process ends, on a thread that
//!    runs nothing else: a blocked child, runtime or start delays nothing here, but for the first SIGTERM by the
//!    50 ms at most in which nobody looks whether the tree has come to it.
//! 2. The HTTP server is the first to open and the last to close; from the beginning of a shutdown
//!    on it says that the program is not ready.
//! 3. Once a shutdown has begun the daemon returns, whatever the children do; and should its own threads
//!    not come to that, the process ends at the last instant of its ladder.
//! 4. Nothing is opened, locked or started before the whole configuration is valid.

mod attend;
mod beside;
mod builder;
#[cfg(unix)]
mod commands;
mod configuration;
mod course;
mod ending;
mod govern;
mod heartbeat;
mod lane;
mod meanings;
mod monitor;
mod open;
mod orders;
mod prepare;
#[cfg(unix)]
mod profiles;
mod service;
mod source;
mod token;
mod view;
mod workers;
mod written;

use std::fmt;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

use self::builder::Make;
pub use self::ending::{DaemonError, DaemonExit};
use self::govern::{Ended, Plan, govern};
pub use self::monitor::ResourceMonitor;
use self::orders::Orders;
use self::prepare::{Log, Prepared};
use crate::config::{Config, Loader, NoConfig, SignalSettings};
use crate::exit::ErrorChain;
use crate::lock::InstanceLock;
use crate::metrics::Registry;
use crate::shutdown::report::StopReport;
use crate::shutdown::{EarlyNotice, ShutdownReason};
use crate::signals::{Lender, Listener, SignalMap};

/// Where probes and metrics are served when nothing was set: loopback, and a port in the range that
/// Prometheus' exporters use.
pub const DEFAULT_HTTP_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9600);

/// How long the end of the log may take to be written; a disk that stands still must not hold the
/// process.
const LOG_FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// How long after the last step of a shutdown a tree that nobody waits for may still take.
const ABANDONED_PATIENCE: Duration = Duration::from_secs(1);

/// Owns a process: its configuration, runtime, signals, logs, probes, and the tree that does its work.
///
/// Defaults: those of [`Settings`](crate::config::Settings), which every setter here, every file, variable
/// and argument changes, in this order.
///
/// The first SIGTERM, SIGINT or SIGQUIT shuts the tree down, a second one kills what still runs and gives up on
/// what can't be killed, a third one ends the process at once. SIGHUP reads the configuration anew, SIGUSR1
/// opens the log file anew. [`on_signal`](Self::on_signal) changes that; `docs/shutdown.md` has it all.
#[must_use = "a daemon does nothing until it is run"]
pub struct Daemon<C = NoConfig> {
    loader: Loader<C>,
    /// What the command line says; `None` where the program reads its own.
    arguments: Option<Vec<std::ffi::OsString>>,
    tree: Make<C>,
    reloads: Vec<Box<builder::ReloadOn>>,
    /// Made when it is asked for: many a daemon is only ever declared, or brings its own.
    registry: Option<Registry>,
    monitor: OnceLock<ResourceMonitor>,
    on_limit: Option<Box<monitor::OnLimit>>,
    on_http_bound: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
    on_end: Option<Box<builder::OnEnd>>,
    signals: SignalMap,
    notice: EarlyNotice,
}

impl<C: Config> Daemon<C> {
    /// Runs the daemon to its end, prints the stop report on stderr and returns the exit code.
    ///
    /// For a plain `fn main() -> ExitCode`. It waits here for a thread that conducts the daemon: what holds for the
    /// calling thread alone, such as a subscriber set with `tracing::subscriber::set_default`, does not hold there. The codes are those of [`DaemonExit::exit_code`] and
    /// [`DaemonError::exit_code`]. What `--print-config`, `--check-config` and `--help` ask for is printed
    /// on stdout.
    pub fn run(self) -> ExitCode {
        let (name, ended, ears) = self.execute();
        let Ended {
            outcome,
            server,
            lock,
            dropped_lines,
        } = ended;
        let code = match &outcome {
            Ok((_, exit)) => exit.exit_code(),
            Err(error) => error.exit_code(),
        };
        if let Some(ears) = &ears {
            ears.orders.ended(code);
        }
        let patience = match &ears {
            Some(ears) => ears.orders.at_most(LOG_FLUSH_PATIENCE),
            None => LOG_FLUSH_PATIENCE,
        };
        match &outcome {
            Ok((report, exit)) => {
                let dropped = dropped_in_words(dropped_lines, &name);
                print(format!("{report}{dropped}{name}: {exit}\n"), patience);
            }
            Err(DaemonError::Answered { text }) => say(text),
            Err(error) => print(format!("{name}: {}\n", ErrorChain::new(error)), patience),
        }
        // Here, and not earlier, the server closes (invariant 2) and another instance may begin.
        drop(server);
        give_back(lock, &outcome);
        // Signals are heard until the process ends (invariant 1).
        std::mem::forget(ears);
        ExitCode::from(code)
    }

    /// Runs the daemon to its end and returns its report, printing nothing.
    ///
    /// # Errors
    ///
    /// [`DaemonError`]: why the tree was never up. What had started has been stopped.
    pub fn run_report(self) -> Result<(StopReport, DaemonExit), DaemonError> {
        let (_, ended, ears) = self.execute();
        let Ended {
            outcome,
            server,
            lock,
            ..
        } = ended;
        drop(server);
        give_back(lock, &outcome);
        drop(ears);
        outcome
    }

    /// Runs the daemon to its end inside a tokio runtime of the program's own, printing nothing.
    ///
    /// The tree runs on that runtime, whose threads `[runtime]` does not change, their priority neither; a
    /// key of it that is set is warned of. Signals and HTTP have a thread of their own.
    ///
    /// # Errors
    ///
    /// [`DaemonError`]: why the tree was never up. What had started has been stopped.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the tree is asked to stop, and nobody waits for its end; until then the
    /// pid file stays locked and the probes are served.
    pub async fn run_async(self) -> Result<(StopReport, DaemonExit), DaemonError> {
        let workers = Handle::try_current().map_err(|_outside| DaemonError::OutsideRuntime)?;
        let mut ears = Ears::open(self.orders()?)?;
        let name = self.loader.name().to_owned();
        let Some(Prepared { plan, log, .. }) = self.prepare(&mut ears)? else {
            return Ok(govern::not_begun(&name, ears.reason()));
        };
        let edges = open::edges()?;
        let (mut told, ended) = oneshot::channel();
        let (news, configuration) = (Arc::clone(&plan.news), Arc::clone(&plan.configuration));
        let conduct = move || {
            let _ears = ears;
            let ended = edges.block_on(async {
                let mut life = Box::pin(govern(plan, workers));
                tokio::select! {
                    ended = &mut life => return Some(ended),
                    () = told.closed() => {}
                }
                let shutdown = configuration.shutdown();
                let running = news.running.get()?;
                running.shutdown(ShutdownReason::Requested, shutdown.graceful);
                // Longer than that only where the program's runtime went with the future.
                let patience = shutdown.kill().saturating_add(ABANDONED_PATIENCE);
                tokio::time::timeout(patience, life).await.ok()
            });
            if let Some(Ended {
                outcome,
                server,
                lock,
                ..
            }) = ended
            {
                drop(server);
                // Nobody waits any more when this fails, and the tree has ended.
                drop(told.send((outcome, lock)));
            }
        };
        let _detached = edges_thread()
            .spawn(conduct)
            .map_err(DaemonError::Runtime)?;
        log.hand_over();
        let (outcome, lock) = ended.await.map_err(|_lost| DaemonError::Lost)?;
        // Not before nobody waits any more: who awaits this may begin another instance at once.
        give_back(lock, &outcome);
        outcome
    }

    /// Runs to the end; returns what the process calls itself as well, and who hears signals, which is to be
    /// dropped last.
    fn execute(self) -> (String, Ended, Option<Ears>) {
        let mut name = self.loader.name().to_owned();
        let failed = |error| Ended {
            outcome: Err(error),
            server: None,
            lock: None,
            dropped_lines: 0,
        };
        if Handle::try_current().is_ok() {
            return (name, failed(DaemonError::InsideRuntime), None);
        }
        let mut ears = match self.orders().and_then(Ears::open) {
            Ok(ears) => ears,
            Err(error) => return (name, failed(error), None),
        };
        let ended = self
            .try_execute(&mut name, &mut ears)
            .unwrap_or_else(failed);
        (name, ended, Some(ears))
    }

    fn try_execute(self, name: &mut String, ears: &mut Ears) -> Result<Ended, DaemonError> {
        let Some(prepared) = self.prepare(ears)? else {
            return Ok(Ended {
                outcome: Ok(govern::not_begun(name, ears.reason())),
                server: None,
                lock: None,
                dropped_lines: 0,
            });
        };
        let Prepared { plan, runtime, log } = prepared;
        name.clone_from(&plan.name);
        let edges = open::edges()?;
        let workers = workers::build(&runtime).map_err(DaemonError::Runtime)?;
        let ended = on_a_thread(&edges, (plan, log), workers.handle().clone())?;
        // Does not wait: a child that blocks its thread must not hold the process (invariant 3).
        workers.shutdown_background();
        // Neither does this, for an answer that is being written still.
        edges.shutdown_background();
        Ok(ended)
    }

    /// Makes what the daemon is told by.
    fn orders(&self) -> Result<Arc<Orders>, DaemonError> {
        let notice = self.notice.clone();
        Orders::new(self.loader.name(), &self.signals, notice).map_err(DaemonError::Signals)
    }
}

/// Conducts a daemon on a thread of its own, and waits for its end.
///
/// The kernel has the program's first thread run handlers while it can. There it waits in a call that goes on by itself
/// after a handler, so that nothing else is run while the tree's threads are being roused.
fn on_a_thread(
    edges: &Runtime,
    (plan, log): (Plan, Log),
    workers: Handle,
) -> Result<Ended, DaemonError> {
    let conduct = || {
        log.hand_over();
        edges.block_on(Box::pin(govern(plan, workers)))
    };
    std::thread::scope(|scope| {
        let conducting = edges_thread().spawn_scoped(scope, conduct);
        let ended = conducting.map_err(DaemonError::Runtime)?.join();
        Ok(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn edges_thread() -> std::thread::Builder {
    std::thread::Builder::new().name("perennial-edges".to_owned())
}

/// Hears signals until it is dropped; then the process is the program's own again.
struct Ears {
    orders: Arc<Orders>,
    listener: Option<Listener>,
}

impl Ears {
    /// Begins to hear signals, before anything that may take long.
    fn open(orders: Arc<Orders>) -> Result<Self, DaemonError> {
        let listener = orders.listen().map_err(DaemonError::Signals)?;
        Ok(Self {
            orders,
            listener: Some(listener),
        })
    }

    /// Follows what the configuration says of signals.
    fn heed(&mut self, wanted: &SignalSettings) -> Result<(), DaemonError> {
        let heard = self.orders.set_meanings(wanted);
        match &mut self.listener {
            Some(listener) => listener.change(&heard).map_err(DaemonError::Signals),
            None => Ok(()),
        }
    }

    /// Returns what lends a signal to the tree.
    fn lender(&self) -> Option<Lender> {
        self.listener.as_ref().map(Listener::lender)
    }

    /// Returns why a start was broken off.
    fn reason(&self) -> ShutdownReason {
        let wish = self.orders.wish();
        wish.map_or(ShutdownReason::Requested, |wish| wish.reason)
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        // First: a signal that comes between the two does what it does by default.
        drop(self.listener.take());
        self.orders.let_go();
    }
}

impl<C> fmt::Debug for Daemon<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon")
            .field("loader", &self.loader)
            .finish_non_exhaustive()
    }
}

/// Unlocks the pid file, unless something of the tree still runs: then it is locked as long as the process
/// lives.
fn give_back(lock: Option<InstanceLock>, outcome: &Result<(StopReport, DaemonExit), DaemonError>) {
    let is_alive = |(report, _): &(StopReport, DaemonExit)| !report.hung().is_empty();
    match lock {
        Some(lock) if outcome.as_ref().is_ok_and(is_alive) => lock.keep(),
        lock => drop(lock),
    }
}

/// Says how many lines of the log are missing.
fn dropped_in_words(lines: u64, name: &str) -> String {
    match lines {
        0 => String::new(),
        lines => {
            format!("{name}: {lines} lines of the log were dropped: nobody wrote them in time\n")
        }
    }
}

/// Writes for the person who started the process, and waits for it so long. A closed stderr, or one that
/// nobody reads, is no reason to fail or to stay.
fn print(text: String, patience: Duration) {
    let (done, is_done) = std::sync::mpsc::channel();
    let write = move || {
        let mut stderr = std::io::stderr().lock();
        drop(stderr.write_all(text.as_bytes()));
        drop(stderr.flush());
        // Fails when nobody waits any more.
        let _nobody_waits = done.send(());
    };
    let named = std::thread::Builder::new().name("perennial-report".to_owned());
    if named.spawn(write).is_ok() {
        let _is_written = is_done.recv_timeout(patience);
    }
}

/// Writes what the command line asked for. A closed stdout is no reason to fail.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(stdout.write_all(text.as_bytes()));
    drop(stdout.flush());
}

#[cfg(test)]
mod tests;
