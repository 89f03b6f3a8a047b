//! What a daemon opens to the outside: probes and metrics, and commands.

use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
#[cfg(unix)]
use tokio::task::AbortHandle;

use super::configuration::{Configuration, News};
use super::govern::Plan;
use super::monitor::ResourceMonitor;
use super::orders::Orders;
use super::source::Program;
use super::{DaemonError, token};
#[cfg(unix)]
use crate::admin::{self, socket::Listener};
use crate::config::AdminSettings;
use crate::http::{Options, Server};
use crate::tree::Running;

/// What those outside can reach of a daemon whose tree has begun.
#[cfg_attr(not(unix), expect(dead_code, reason = "there is no way in but HTTP"))]
pub(super) struct Edges<'a> {
    pub(super) running: &'a Running,
    pub(super) orders: &'a Arc<Orders>,
    pub(super) configuration: &'a Arc<dyn Configuration>,
    pub(super) news: &'a Arc<News>,
    pub(super) monitor: &'a ResourceMonitor,
}

/// Makes the runtime of what is opened here. HTTP has one of its own.
pub(super) fn edges() -> Result<Runtime, DaemonError> {
    let mut edges = Builder::new_current_thread();
    edges.enable_all().build().map_err(DaemonError::Runtime)
}

/// The socket for commands, if the configuration says where.
#[cfg(unix)]
pub(super) struct AdminSocket(Option<Listener>);

#[cfg(unix)]
impl AdminSocket {
    /// Binds it.
    pub(super) fn open(settings: &AdminSettings) -> Result<Self, DaemonError> {
        let Some(path) = &settings.socket else {
            return Ok(Self(None));
        };
        let listener = Listener::bind(path, &settings.allowed_uids)?;
        tracing::info!(path = %path.display(), "taking commands");
        Ok(Self(Some(listener)))
    }

    /// Takes commands until what is returned is dropped.
    pub(super) fn serve(self, edges: &Edges<'_>) -> Option<AbortOnDrop> {
        let desk = super::commands::Desk {
            running: Arc::new(edges.running.observer()),
            configuration: Arc::clone(edges.configuration),
            news: Arc::clone(edges.news),
            monitor: edges.monitor.clone(),
            orders: Arc::clone(edges.orders),
        };
        let serving = tokio::spawn(admin::serve(self.0?, Arc::new(desk)));
        Some(AbortOnDrop(serving.abort_handle()))
    }
}

/// There is none here.
#[cfg(not(unix))]
pub(super) struct AdminSocket;

#[cfg(not(unix))]
impl AdminSocket {
    /// Says so, if the configuration wants one.
    pub(super) fn open(settings: &AdminSettings) -> Result<Self, DaemonError> {
        if settings.socket.is_some() {
            tracing::warn!("`admin.socket` is set and has no effect: it is for Unix alone");
        }
        Ok(Self)
    }

    /// Takes no commands.
    pub(super) fn serve(self, _edges: &Edges<'_>) -> Self {
        self
    }
}

/// A task that ends with this.
#[cfg(unix)]
pub(super) struct AbortOnDrop(AbortHandle);

#[cfg(unix)]
impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves probes and metrics, unless the configuration says not to.
pub(super) fn open_http(
    plan: &mut Plan,
    program: &Arc<Program>,
    workers: &Handle,
) -> Result<Option<Server>, DaemonError> {
    let settings = plan.configuration.settings().http;
    if !settings.enabled {
        return Ok(None);
    }
    let source: Arc<Program> = Arc::clone(program);
    let mut options = Options::new(settings.listen).hosts(settings.allowed_hosts);
    if let Some(path) = settings.token_file {
        options = options.token(token::read(&path)?);
    }
    let server = Server::bind(options, source)?;
    tracing::info!(daemon = %plan.name, address = %server.local_addr(), "serving probes and metrics");
    if let Some(told) = plan.on_http_bound.take() {
        // What it begins runs beside the tree, with all that its runtime has.
        let _inside = workers.enter();
        told(server.local_addr());
    }
    Ok(Some(server))
}
