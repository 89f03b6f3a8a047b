//! Conducts a daemon from its first handler to its last report, on the edges' runtime.
//!
//! Everything here waits for messages alone and runs no user code, so that the two promises of a
//! daemon, to hear signals and to end, do not depend on what the tree does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::attend::attend;
use super::beside;
use super::builder::{OnEnd, ReloadOn};
use super::configuration::{Configuration, News};
use super::heartbeat::Heartbeat;
use super::monitor::{self, OnLimit, ResourceMonitor, Watcher};
use super::open::{AdminSocket, Edges, open_http};
use super::orders::{Orders, Told};
use super::service::tell_manager;
use super::source::Program;
use super::{DaemonError, DaemonExit, LOG_FLUSH_PATIENCE};
use crate::config::{Cause, ReloadError, ReloadThread};
use crate::exit::{Exit, chain_panics};
use crate::http::{Server, Source};
use crate::lock::InstanceLock;
use crate::metrics::Registry;
use crate::notify::Notifier;
use crate::path::Path;
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::{Outcome, StopReport, Stopped};
use crate::signals::Lender;
use crate::supervisor::Supervisor;
use crate::tree::{Begun, Running, StartError};

/// How long the program may take with the end, as long as the log has.
const ON_END_PATIENCE: Duration = LOG_FLUSH_PATIENCE;

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
    pub(super) on_end: Option<Box<OnEnd>>,
    pub(super) lock: Option<InstanceLock>,
    pub(super) orders: Arc<Orders>,
    /// What the root of the tree may hear with.
    pub(super) lender: Option<Lender>,
}

/// A daemon that has ended but for its server, which closes when this is dropped, and its lock.
pub(super) struct Ended {
    pub(super) outcome: Result<(StopReport, DaemonExit), DaemonError>,
    pub(super) server: Option<Server>,
    pub(super) lock: Option<InstanceLock>,
    /// Lines of the log for which there was no room.
    pub(super) dropped_lines: u64,
}

/// Runs a daemon to its end; the tree runs on `workers`.
pub(super) async fn govern(mut plan: Plan, workers: Handle) -> Ended {
    let mut server = None;
    let lock = plan.lock.take();
    let news = Arc::clone(&plan.news);
    let orders = Arc::clone(&plan.orders);
    let outcome = try_govern(&mut server, plan, workers).await;
    if let Some(logging) = &news.logging {
        // What is not written by then is lost, and the process ends all the same.
        // What `main` logs after that is waited for.
        let patience = orders.at_most(LOG_FLUSH_PATIENCE);
        let _is_written = logging.flush_from_now_on(patience);
    }
    let dropped_lines = news
        .logging
        .as_ref()
        .map_or(0, |logging| logging.statistics().dropped);
    Ended {
        outcome,
        server,
        lock,
        dropped_lines,
    }
}

async fn try_govern(
    server: &mut Option<Server>,
    mut plan: Plan,
    workers: Handle,
) -> Result<(StopReport, DaemonExit), DaemonError> {
    let orders = Arc::clone(&plan.orders);
    let configuration = &plan.configuration;
    let heartbeat = Heartbeat::start(&workers, configuration);
    let told = (configuration, &orders);
    let program = Arc::new(Program::new(&plan.tree.name, heartbeat, &plan.news, told));
    *server = open_http(&mut plan, &program, &workers)?;
    // Before the tree starts: a socket that can't be had must not cost it a start.
    let socket = AdminSocket::open(&plan.configuration.settings().admin)?;
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
        on_end,
        lender,
        ..
    } = plan;
    if let Some(wish) = orders.wish() {
        return Ok(not_begun(&tree.name, wish.reason));
    }
    let begun = begin(tree, (&workers, lender), &orders)?;
    let running = begun.running().observer();
    program.watch(running.observer());
    news.watch(running.observer(), &*configuration);
    orders.set_running(&running);
    let reloads_on = |reload_on: Box<ReloadOn>| reload_on(Arc::clone(&configuration));
    reload_on.into_iter().for_each(reloads_on);
    let edges = Edges {
        running: &running,
        orders: &orders,
        configuration: &configuration,
        news: &news,
        monitor: &monitor,
    };
    let admin = socket.serve(&edges);
    let watcher = Watcher {
        configuration: Arc::clone(&configuration),
        running: Arc::new(running.observer()),
        registry,
        monitor,
        on_limit,
        workers,
    };
    let own = monitor::tree(watcher).start().await?;
    let up = || {
        orders.set_up();
        tracing::info!(daemon = %name, path = %running.path(), "the tree is up");
    };
    let ended = conduct(begun, up, (&orders, &configuration, &news)).await;
    // The socket closes before the probes do: nothing can be asked of a tree that has ended.
    drop((own, reloads, admin));
    tell_of_end(on_end, &ended, &*program, &orders).await;
    ended
}

/// Begins the tree on its threads.
fn begin(
    tree: Supervisor,
    (workers, lender): (&Handle, Option<Lender>),
    orders: &Arc<Orders>,
) -> Result<Begun, StartError> {
    let _inside = workers.enter();
    let ear = lender.and_then(|lender| beside::ear(&lender, orders));
    tree.begin_heard_by(orders.notice().clone(), ear)
}

/// Tells the program of the end, and waits for it as long as there is time.
async fn tell_of_end(
    told: Option<Box<OnEnd>>,
    ended: &Result<(StopReport, DaemonExit), DaemonError>,
    program: &dyn Source,
    orders: &Orders,
) {
    let (Some(told), Ok((report, _))) = (told, ended) else {
        return;
    };
    let report = report.clone();
    let metrics = program.metrics().unwrap_or_default();
    let (done, is_done) = oneshot::channel::<()>();
    let named = std::thread::Builder::new().name("perennial-end".to_owned());
    let tell = move || {
        told(&report, &metrics);
        drop(done);
    };
    let patience = orders.at_most(ON_END_PATIENCE);
    let told = match named.spawn(tell) {
        // Dropped, also by a panic, which the hook of the process tells of.
        Ok(_thread) => timeout(patience, is_done).await.is_ok(),
        Err(_none) => false,
    };
    if !told {
        tracing::warn!("the program was not done with the end in time");
    }
}

/// Follows a tree from its start to its end, and does meanwhile what is asked for.
async fn conduct(
    begun: Begun,
    up: impl FnOnce(),
    (orders, configuration, news): (&Arc<Orders>, &Arc<dyn Configuration>, &News),
) -> Result<(StopReport, DaemonExit), DaemonError> {
    let running = begun.running().observer();
    let notifier = notifier();
    let ready = || {
        up();
        notifier.ready("running");
    };
    let life = live(begun.wait_until_up(), &running, ready);
    tokio::select! {
        ended = attend(life, &running, orders) => ended,
        () = serve_requests(orders, configuration, news, &notifier) => Err(DaemonError::Lost),
        () = tell_manager(&notifier, &running, orders) => Err(DaemonError::Lost),
    }
}

/// Does what signals ask for that do not end the process.
async fn serve_requests(
    orders: &Arc<Orders>,
    configuration: &Arc<dyn Configuration>,
    news: &News,
    notifier: &Notifier,
) {
    let mut told = orders.watch();
    let mut done = Told::default();
    // Fails when nobody can tell anything any more.
    while told.changed().await.is_ok() {
        let now = *told.borrow_and_update();
        if now.reloads != done.reloads {
            let manager = (Arc::clone(orders), notifier.clone());
            tokio::spawn(reload(Arc::clone(configuration), manager));
        }
        if now.reopens != done.reopens
            && let Some(logging) = &news.logging
        {
            logging.reopen();
        }
        done = now;
    }
}

/// Reads the configuration anew. The manager hears of it only while the daemon serves: READY would end a
/// start before the tree is up, and take back that it stops.
async fn reload(
    configuration: Arc<dyn Configuration>,
    (orders, notifier): (Arc<Orders>, Notifier),
) {
    let is_told = orders.is_serving();
    if is_told {
        notifier.reloading();
    }
    let status = match configuration.reload(Cause::Signal).await {
        Ok(_reloaded) => "running",
        // That was told already, with every reason.
        Err(ReloadError::Rejected(_)) => "running; the last configuration was rejected",
        Err(error) => {
            tracing::error!(%error, "the configuration is not read anew");
            "running; the configuration could not be read anew"
        }
    };
    if is_told && orders.is_serving() {
        notifier.ready(status);
    }
}

/// Reaches the service manager, if there is one.
fn notifier() -> Notifier {
    Notifier::from_environment().unwrap_or_else(|error| {
        tracing::warn!(%error, "the service manager can't be told anything");
        Notifier::default()
    })
}

/// Follows the tree from its start to its report.
async fn live(
    up: impl Future<Output = Result<Running, StartError>>,
    running: &Running,
    told: impl FnOnce(),
) -> Result<StopReport, DaemonError> {
    match up.await {
        Ok(up) => {
            told();
            Ok(up.wait().await)
        }
        // A shutdown that comes during the start is no failure of the start.
        Err(StartError::ShutDown) => Ok(running.wait().await),
        Err(error) => Err(error.into()),
    }
}

/// Makes the report of a tree that never began, because the end was asked for first.
pub(super) fn not_begun(root: &str, reason: ShutdownReason) -> (StopReport, DaemonExit) {
    let report = StopReport {
        reason,
        exit: Exit::Shutdown,
        root: Stopped {
            path: Path::root(root),
            allotted: Duration::ZERO,
            spent: Duration::ZERO,
            outcome: Outcome::AlreadyDown,
            children: Vec::new(),
        },
        guards: Vec::new(),
    };
    (report, DaemonExit::Clean)
}
