//! Conducts a daemon from its first handler to its last report, on the edges' runtime.
//!
//! Everything here waits for messages alone and runs no user code, so that the two promises of a
//! daemon, to hear signals and to end, do not depend on what the tree does.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::builder::ReloadOn;
use super::commands::Desk;
use super::configuration::{Configuration, News};
use super::heartbeat::Heartbeat;
use super::monitor::{self, OnLimit, ResourceMonitor, Watcher};
use super::source::Program;
use super::view::still_alive;
use super::{DaemonError, DaemonExit, LOG_FLUSH_PATIENCE};
use crate::admin;
use crate::admin::socket::Listener;
use crate::config::{Cause, ReloadThread};
use crate::exit::chain_panics;
use crate::http::{Options, Server, Token};
use crate::lock::InstanceLock;
use crate::metrics::Registry;
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::StopReport;
use crate::signals::{Request, Requests, Terminations};
use crate::supervisor::Supervisor;
use crate::time::later;
use crate::tree::{Running, StartError};

/// How long after its deadline a tree may still report. It ends at the deadline by itself; only
/// when every worker is blocked does it not, and a second tells that from a busy machine.
const REPORT_PATIENCE: Duration = Duration::from_secs(1);

/// What a daemon was told to do.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) tree: Supervisor,
    pub(super) configuration: Arc<dyn Configuration>,
    pub(super) reloads: ReloadThread,
    pub(super) reload_on: Vec<Box<ReloadOn>>,
    pub(super) news: Arc<News>,
    pub(super) registry: Registry,
    pub(super) monitor: ResourceMonitor,
    pub(super) on_limit: Option<Arc<OnLimit>>,
    pub(super) on_http_bound: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
    pub(super) lock: Option<InstanceLock>,
}

/// A daemon that has ended but for its server, which closes when this is dropped, and its lock.
pub(super) struct Ended {
    pub(super) outcome: Result<(StopReport, DaemonExit), DaemonError>,
    pub(super) server: Option<Server>,
    pub(super) lock: Option<InstanceLock>,
}

/// Runs a daemon to its end; the tree runs on `workers`.
pub(super) async fn govern(mut plan: Plan, workers: Handle) -> Ended {
    let mut server = None;
    let lock = plan.lock.take();
    let news = Arc::clone(&plan.news);
    let outcome = try_govern(&mut server, plan, workers).await;
    if let Some(logging) = &news.logging {
        // What is not written by then is lost, and the process ends all the same.
        // What `main` logs after that is waited for.
        let _is_written = logging.flush_from_now_on(LOG_FLUSH_PATIENCE);
    }
    Ended {
        outcome,
        server,
        lock,
    }
}

async fn try_govern(
    server: &mut Option<Server>,
    mut plan: Plan,
    workers: Handle,
) -> Result<(StopReport, DaemonExit), DaemonError> {
    let mut signals = Terminations::listen().map_err(DaemonError::Signals)?;
    let requests = Requests::listen().map_err(DaemonError::Signals)?;
    let configuration = &plan.configuration;
    let heartbeat = Heartbeat::start(&workers, configuration);
    let program = Program::new(&plan.tree.name, heartbeat, &plan.news, configuration);
    let program = Arc::new(program);
    *server = open_http(&mut plan, &program)?;
    // Before the tree starts: a socket that can't be had must not cost it a start.
    let listener = open_admin(&*plan.configuration)?;
    // Each supervisor logs the panics of its children; twice is once too often.
    chain_panics(false);
    let Plan {
        name,
        tree,
        configuration,
        reloads,
        reload_on,
        news,
        registry,
        monitor,
        on_limit,
        ..
    } = plan;
    let begun = {
        let _inside = workers.enter();
        tree.begin()?
    };
    let running = begun.running().observer();
    program.watch(running.observer());
    news.running.get_or_init(|| running.observer());
    for begin in reload_on {
        begin(Arc::clone(&configuration));
    }
    let desk = Desk {
        running: Arc::new(running.observer()),
        configuration: Arc::clone(&configuration),
        news: Arc::clone(&news),
        monitor: monitor.clone(),
    };
    let admin = listener.map(|listener| serve_clients(listener, desk));
    let watcher = Watcher {
        configuration: Arc::clone(&configuration),
        running: Arc::new(running.observer()),
        registry,
        monitor,
        on_limit,
        workers,
    };
    let own = monitor::tree(watcher).start().await?;
    let life = live(begun.wait_until_up(), &running, &name);
    let conduct = attend(life, &running, &mut signals, &*configuration);
    let ended = tokio::select! {
        ended = conduct => ended,
        () = serve_requests(requests, &*configuration, &news) => Err(DaemonError::Lost),
    };
    // The socket closes before the probes do: nothing can be asked of a tree that has ended.
    drop((own, reloads, admin));
    ended
}

/// Does what signals ask for that do not end the process.
async fn serve_requests(mut requests: Requests, configuration: &dyn Configuration, news: &News) {
    loop {
        match requests.recv().await {
            Request::Reload => {
                if let Err(error) = configuration.request(Cause::Signal) {
                    tracing::error!(%error, "the configuration is not read anew");
                }
            }
            Request::Reopen => {
                if let Some(logging) = &news.logging {
                    logging.reopen();
                }
            }
        }
    }
}

fn open_http(plan: &mut Plan, program: &Arc<Program>) -> Result<Option<Server>, DaemonError> {
    let settings = plan.configuration.settings().http;
    if !settings.enabled {
        return Ok(None);
    }
    let source: Arc<Program> = Arc::clone(program);
    let mut options = Options::new(settings.listen).hosts(settings.allowed_hosts);
    if let Some(path) = settings.token_file {
        options = options.token(read_token(&path)?);
    }
    let server = Server::bind(options, source)?;
    tracing::info!(daemon = %plan.name, address = %server.local_addr(), "serving probes and metrics");
    if let Some(told) = plan.on_http_bound.take() {
        told(server.local_addr());
    }
    Ok(Some(server))
}

fn read_token(path: &std::path::Path) -> Result<Token, DaemonError> {
    let unusable = |why| DaemonError::Token {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    Token::new(&text)
        .ok_or_else(|| unusable("it needs 16 characters at least, and no space".into()))
}

/// Binds the socket for commands, if the configuration says where.
fn open_admin(configuration: &dyn Configuration) -> Result<Option<Listener>, DaemonError> {
    let settings = configuration.settings().admin;
    let Some(path) = settings.socket else {
        return Ok(None);
    };
    let listener = Listener::bind(&path, &settings.allowed_uids)?;
    tracing::info!(path = %path.display(), "taking commands");
    Ok(Some(listener))
}

/// Takes commands until what is returned is dropped.
fn serve_clients(listener: Listener, desk: Desk) -> AbortOnDrop {
    let serving = tokio::spawn(admin::serve(listener, Arc::new(desk)));
    AbortOnDrop(serving.abort_handle())
}

/// A task that ends with this.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for the tree's end and for signals, whichever way it goes.
async fn attend(
    life: impl Future<Output = Result<StopReport, DaemonError>>,
    running: &Running,
    signals: &mut Terminations,
    configuration: &dyn Configuration,
) -> Result<(StopReport, DaemonExit), DaemonError> {
    let mut life = pin!(life);
    // Whoever asked for it: a signal, a child, or one that hangs and ends the process.
    let mut begun = pin!(running.shutdown_began());
    let mut has_signal = false;
    let mut give_up: Option<(Instant, DaemonExit)> = None;
    // A shutdown goes by what the configuration says when it begins.
    let mut graceful = None;
    let says = || configuration.settings().shutdown.graceful;
    loop {
        tokio::select! {
            biased;
            report = &mut life => {
                let report = report?;
                let exit = DaemonExit::of(&report, graceful.unwrap_or_else(says));
                return Ok((report, exit));
            }
            signal = signals.recv() => {
                if has_signal {
                    return Ok(give_up_on(running, DaemonExit::Forced(signal)));
                }
                has_signal = true;
                let graceful = *graceful.get_or_insert_with(says);
                running.shutdown(ShutdownReason::Signal(signal), graceful);
                let at = later(Instant::now(), graceful.saturating_add(REPORT_PATIENCE));
                let earlier = give_up.filter(|(known, _)| *known < at);
                give_up = earlier.or(Some((at, DaemonExit::Late)));
            }
            shutdown = &mut begun, if give_up.is_none() => {
                graceful.get_or_insert_with(says);
                give_up = Some((later(shutdown.deadline, REPORT_PATIENCE), late(shutdown.reason)));
            }
            exit = until(give_up) => return Ok(give_up_on(running, exit)),
        }
    }
}

/// Follows the tree from its start to its report.
async fn live(
    up: impl Future<Output = Result<Running, StartError>>,
    running: &Running,
    name: &str,
) -> Result<StopReport, DaemonError> {
    match up.await {
        Ok(up) => {
            tracing::info!(daemon = %name, path = %up.path(), "the tree is up");
            Ok(up.wait().await)
        }
        // A shutdown that comes during the start is no failure of the start.
        Err(_ended) if running.snapshot().shutdown.is_some() => Ok(running.wait().await),
        Err(error) => Err(error.into()),
    }
}

/// Returns what it means that a tree is late: nobody waits for one that failed to be called late.
fn late(reason: ShutdownReason) -> DaemonExit {
    match reason {
        ShutdownReason::Error => DaemonExit::Failed,
        _ => DaemonExit::Late,
    }
}

/// Makes the report of a tree that nobody waits for any longer.
fn give_up_on(running: &Running, exit: DaemonExit) -> (StopReport, DaemonExit) {
    let report = still_alive(&running.snapshot());
    for path in report.hung() {
        tracing::error!(%path, "still alive");
    }
    (report, exit)
}

async fn until(give_up: Option<(Instant, DaemonExit)>) -> DaemonExit {
    match give_up {
        Some((at, exit)) => {
            sleep_until(at).await;
            exit
        }
        None => pending().await,
    }
}
