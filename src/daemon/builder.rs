//! What a daemon is told before it runs.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::configuration::Configuration;
use super::monitor::ResourceMonitor;
use super::{Daemon, DaemonError};
use crate::bus::Bus;
use crate::config::{Cause, Config, Invalid, Live, Loader, NoConfig, duration};
use crate::exit::BoxError;
use crate::metrics::Registry;
use crate::resources::Excess;
use crate::shutdown::EarlyNotice;
use crate::shutdown::guard::ShutdownHandle;
use crate::shutdown::report::StopReport;
use crate::signals::{Signal, SignalAction, SignalMap};
use crate::supervisor::Supervisor;

/// How the tree is made.
pub(super) enum Make<C> {
    Missing,
    Ready(Box<Supervisor>),
    From(Box<MakeFrom<C>>),
}

/// Makes the tree once the configuration is loaded.
type MakeFrom<C> = dyn FnOnce(&Live<C>) -> Result<Supervisor, BoxError> + Send;

/// What is told of the end: the report, and the metrics as they were at last.
pub(super) type OnEnd = dyn FnOnce(&StopReport, &str) + Send;

/// Begins to reload when something outside says so, on the edges' runtime.
pub(super) type ReloadOn = dyn FnOnce(Arc<dyn Configuration>) + Send;

impl Daemon {
    /// Makes a daemon without a tree. The name is that of its files (`<name>.toml`) and variables
    /// (`<NAME>__SECTION__KEY`), and stands before its errors. `daemon.name` changes what stands there and in
    /// the log, and never the names of files and variables.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            loader: Loader::new(name),
            arguments: None,
            tree: Make::Missing,
            reloads: Vec::new(),
            registry: None,
            monitor: OnceLock::new(),
            on_limit: None,
            on_http_bound: None,
            on_end: None,
            signals: SignalMap::default(),
            notice: EarlyNotice::default(),
        }
    }

    /// Reads what is not the daemon's own in the configuration into this struct, and the command line of
    /// the process ([`CommandLine`](crate::config::CommandLine)) for where it is and what it says.
    ///
    /// Comes before [`tree_with`](Self::tree_with), [`tree_live`](Self::tree_live) and
    /// [`validate`](Self::validate), which speak of it: those set before are forgotten.
    pub fn config<C: Config>(self) -> Daemon<C> {
        let process = || std::env::args_os().skip(1).collect();
        Daemon {
            loader: self.loader.config(),
            arguments: Some(self.arguments.unwrap_or_else(process)),
            tree: match self.tree {
                Make::Ready(tree) => Make::Ready(tree),
                Make::Missing | Make::From(_) => Make::Missing,
            },
            reloads: self.reloads,
            registry: self.registry,
            monitor: self.monitor,
            on_limit: self.on_limit,
            on_http_bound: self.on_http_bound,
            on_end: self.on_end,
            signals: self.signals,
            notice: self.notice,
        }
    }
}

impl<C: Config> Daemon<C> {
    /// Sets the tree to run. There is no default.
    pub fn tree(mut self, tree: Supervisor) -> Self {
        self.tree = Make::Ready(Box::new(tree));
        self
    }

    /// Makes the tree to run once the configuration is loaded, from the program's own sections.
    pub fn tree_with(
        self,
        make: impl FnOnce(&C) -> Result<Supervisor, BoxError> + Send + 'static,
    ) -> Self {
        self.tree_live(move |live| make(live.snapshot().config()))
    }

    /// Makes the tree to run once the configuration is loaded, for children that read it while they run:
    /// they take clones of what this is given.
    pub fn tree_live(
        mut self,
        make: impl FnOnce(&Live<C>) -> Result<Supervisor, BoxError> + Send + 'static,
    ) -> Self {
        self.tree = Make::From(Box::new(make));
        self
    }

    /// Sets the arguments of the command line, without the program's name. Default: those of the process
    /// after [`config`](Daemon::config). Those of a daemon without it are its program's: of them only
    /// `--check-config` and `--print-config` are heeded, which never start it.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = OsString>) -> Self {
        self.arguments = Some(arguments.into_iter().collect());
        self
    }

    /// Names the configuration file, as `--config` does, which wins.
    pub fn config_file(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.loader = self.loader.file(path);
        self
    }

    /// Sets one value, `section.key=value`, over the default and under every file.
    pub fn set(mut self, assignment: impl Into<String>) -> Self {
        self.loader = self.loader.set(assignment);
        self
    }

    /// Lets the program refuse a configuration, at the start and at each reload. It is given the one in
    /// force, `None` at the start, and the new one. It runs on a thread of its own, also while the tree
    /// runs.
    pub fn validate(
        mut self,
        validate: impl Fn(Option<&C>, &C) -> Result<(), Invalid> + Send + 'static,
    ) -> Self {
        self.loader = self.loader.validate(validate);
        self
    }

    /// Reads the configuration anew whenever something is published on this bus.
    pub fn reload_on<T: Clone + Send + Sync + 'static>(mut self, bus: &Bus<T>) -> Self {
        // From now on: what is published before the daemon runs is not lost.
        let mut wishes = bus.subscribe("perennial-config");
        self.reloads.push(Box::new(move |configuration| {
            tokio::spawn(async move {
                use crate::bus::subscriber::ReceiveError;
                while let Ok(_) | Err(ReceiveError::Lagged(_)) = wishes.recv().await {
                    // Fails when many wait, each of which reads what is there then.
                    drop(configuration.request(Cause::Bus));
                }
            });
        }));
        self
    }

    /// Sets where probes, metrics and the tree are served. Default 127.0.0.1:9600. An address beyond
    /// loopback needs `[http] token_file`, without which the daemon does not start. With port 0 the
    /// operating system chooses; see [`on_http_bound`](Self::on_http_bound).
    pub fn http(self, address: SocketAddr) -> Self {
        self.set("http.enabled=true")
            .set(format!("http.listen=\"{address}\""))
    }

    /// Serves nothing over HTTP.
    pub fn without_http(self) -> Self {
        self.set("http.enabled=false")
    }

    /// Sets how long a shutdown by a signal may take before what still runs is killed. Default 5 s.
    pub fn graceful(self, graceful: Duration) -> Self {
        self.set(format!(
            "shutdown.graceful=\"{}\"",
            duration::format(graceful)
        ))
    }

    /// Gives a signal another meaning, or one that had none: see [`SignalMap`] for what each means by
    /// default. `[signals]` in the configuration has the last word. With [`SignalAction::Default`] the
    /// daemon does not listen for it.
    pub fn on_signal(mut self, signal: Signal, action: SignalAction) -> Self {
        self.signals.set(signal, action);
        self
    }

    /// Listens for no signal but for those that [`on_signal`](Self::on_signal) adds after this. Then the
    /// program has to see to it that the daemon ends: SIGTERM is its sudden death.
    pub fn without_signals(mut self) -> Self {
        self.signals = SignalMap::none();
        self
    }

    /// Serves these metrics beside those of the tree. Default: a registry that only the daemon's own are
    /// in.
    pub fn metrics(mut self, registry: &Registry) -> Self {
        self.registry = Some(registry.clone());
        self
    }

    /// Returns what tells work outside of the tree of its shutdown, asks for one, and lets that work hold
    /// the end. Valid before the daemon runs.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle::new(&self.notice)
    }

    /// Returns what the process has used lately, once the daemon runs.
    pub fn resources(&self) -> ResourceMonitor {
        self.monitor.get_or_init(ResourceMonitor::new).clone()
    }

    /// Calls `told` when the process comes to use more than a limit of `[monitoring.limits]` allows, on a
    /// thread where it may block.
    pub fn on_limit(mut self, told: impl Fn(&Excess) + Send + Sync + 'static) -> Self {
        self.on_limit = Some(Box::new(told));
        self
    }

    /// Calls `told` with the report and the last metrics, as a scrape would have them, once the tree has
    /// ended: the moment to push them to where nobody scrapes any more. On a thread of its own, for which the
    /// daemon waits for a second, and less when the process is about to be killed.
    pub fn on_end(mut self, told: impl FnOnce(&StopReport, &str) + Send + 'static) -> Self {
        self.on_end = Some(Box::new(told));
        self
    }

    /// Calls `told` with the address that was bound, before the tree starts, inside the runtime of the tree.
    /// Default: it is logged and nobody is told.
    pub fn on_http_bound(mut self, told: impl FnOnce(SocketAddr) + Send + 'static) -> Self {
        self.on_http_bound = Some(Box::new(told));
        self
    }
}

impl<C: Config> Make<C> {
    pub(super) fn make(self, live: &Live<C>) -> Result<Supervisor, DaemonError> {
        match self {
            Self::Missing => Err(DaemonError::NoTree),
            Self::Ready(tree) => Ok(*tree),
            Self::From(make) => make(live).map_err(DaemonError::Tree),
        }
    }
}

impl std::fmt::Debug for Make<NoConfig> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Make")
    }
}
