//! From what a daemon was told to a plan: command line, configuration, directory, lock, log, tree.
//!
//! Everything that can be wrong before anything starts is found out here, on the thread of the caller.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::builder::Make;
use super::configuration::{Configuration, News};
use super::govern::Plan;
use super::{Daemon, DaemonError, Ears, LOG_FLUSH_PATIENCE, workers};
use crate::config::{
    Color, CommandLine, Config, ConfigError, HELP, Invalid, Loader, LogFormat, LoggingSettings,
    Origin, Reloader, RuntimeSettings, Settings, Snapshot, Task, UsageError,
};
use crate::lock::InstanceLock;
use crate::logging::{self, FileOptions, Format, Logging, LoggingError, Options};
use crate::supervisor::Supervisor;

/// Whose the threads are that the tree runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threads {
    /// They are made as `[runtime]` says.
    OfTheDaemon,
    /// They are there already.
    OfTheProgram,
}

impl Threads {
    /// Tells from where a daemon is run: it makes none inside a runtime.
    fn of_here() -> Self {
        match Handle::try_current() {
            Ok(_inside) => Self::OfTheProgram,
            Err(_outside) => Self::OfTheDaemon,
        }
    }
}

/// What is ready to run, and the threads it wants.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) runtime: RuntimeSettings,
    pub(super) log: Log,
}

/// A log that has begun: when this is dropped what was logged is written, so that a start that fails says
/// why. Whoever waits for it by himself hands it over.
pub(super) struct Log(Option<Logging>);

impl Log {
    /// Leaves it to whoever takes over.
    pub(super) fn hand_over(mut self) {
        self.0 = None;
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(logging) = &self.0 {
            let _is_written = logging.flush_from_now_on(LOG_FLUSH_PATIENCE);
        }
    }
}

impl<C: Config> Daemon<C> {
    /// Prepares to run; [`DaemonError::Answered`] when the command line asks for something else, `None`
    /// when the end was asked for meanwhile.
    pub(super) fn prepare(self, ears: &mut Ears) -> Result<Option<Prepared>, DaemonError> {
        let orders = &Arc::clone(&ears.orders);
        orders.set_stage("the configuration was being read");
        let line = read(self.arguments)?;
        let name = self.loader.name().to_owned();
        if line.task == Task::Help {
            let text = format!("usage: {name} [options]\n\n{HELP}");
            return Err(DaemonError::Answered { text });
        }
        let reloader = load(self.loader, line.set, line.config)?;
        let live = reloader.live();
        let snapshot = live.snapshot();
        if let Some(text) = answer(line.task, &name, &snapshot) {
            return Err(DaemonError::Answered { text });
        }
        if matches!(self.tree, Make::Missing) {
            return Err(DaemonError::NoTree);
        }
        let settings = snapshot.settings();
        ears.heed(&settings.signals)?;
        if orders.wish().is_some() {
            return Ok(None);
        }
        let threads = Threads::of_here();
        let lock = enter(settings, threads)?;
        let logging = begin_to_log(&settings.logging)?;
        let log = Log(logging.clone());
        let registry = self.registry.unwrap_or_default();
        let interval = settings.monitoring.health_interval;
        let news = Arc::new(News::new(logging, registry.clone(), interval));
        news.begin(snapshot.version());
        let told = Arc::clone(&news);
        let reloads = reloader
            .start(
                settings.daemon.hot_reload,
                move |cause, result, snapshot| told.tell(cause, result, snapshot.settings()),
            )
            .map_err(DaemonError::Runtime)?;
        orders.set_stage("the tree was being made");
        let tree = configured(self.tree.make(&live)?, &snapshot);
        warn_of_what_does_nothing(&snapshot, threads);
        if orders.wish().is_some() {
            tracing::info!("asked to end before the tree began");
            return Ok(None);
        }
        let configuration: Arc<dyn Configuration> = Arc::new(live.clone());
        orders.set_configuration(&configuration);
        orders.set_stage("the tree was about to begin");
        Ok(Some(Prepared {
            runtime: settings.runtime.clone(),
            log,
            plan: Plan {
                name: settings.daemon.name.clone().map_or(name, Cow::into_owned),
                tree,
                configuration,
                reloads,
                reload_on: self.reloads,
                news,
                registry,
                monitor: self.monitor.into_inner().unwrap_or_default(),
                on_limit: self.on_limit.map(Arc::from),
                on_http_bound: self.on_http_bound,
                on_end: self.on_end,
                lock,
                orders: Arc::clone(orders),
                lender: ears.lender().filter(|_| threads == Threads::OfTheDaemon),
            },
        }))
    }
}

/// Reads the whole configuration.
fn load<C: Config>(
    loader: Loader<C>,
    set: Vec<String>,
    file: Option<PathBuf>,
) -> Result<Reloader<C>, ConfigError> {
    let loader = loader
        .arguments(set)
        .check(check_level)
        .check(workers::check);
    match file {
        Some(file) => loader.file(file).load(),
        None => loader.load(),
    }
}

/// Reads the command line. Where it is the program's own, it is still asked about the configuration: to ask
/// must not start it.
fn read(arguments: Option<Vec<OsString>>) -> Result<CommandLine, UsageError> {
    match arguments {
        Some(arguments) => CommandLine::parse(arguments),
        None => CommandLine::parse_questions(std::env::args_os().skip(1)),
    }
}

/// Names the keys that somebody has set in vain: not to be found out in production.
fn warn_of_what_does_nothing<C>(snapshot: &Snapshot<C>, threads: Threads) {
    if threads == Threads::OfTheProgram {
        for key in set_for_nobody(snapshot) {
            tracing::warn!(
                key,
                "this key is set and has no effect: the threads are those of the program's own runtime"
            );
        }
    }
}

/// Gives the tree's bus the capacity that the configuration names; what the tree was declared with holds
/// where it names none.
fn with_bus<C>(tree: Supervisor, snapshot: &Snapshot<C>) -> Supervisor {
    match snapshot.origin("bus.capacity") {
        Origin::Default => tree,
        _ => tree.bus_capacity(snapshot.settings().bus.capacity),
    }
}

/// Gives a tree what the configuration says of it.
fn configured<C>(tree: Supervisor, snapshot: &Snapshot<C>) -> Supervisor {
    let tree = with_health_interval(with_bus(tree, snapshot), snapshot);
    tree.shutdown_budget(snapshot.settings().shutdown.graceful)
}

/// Asks health checks as often as the configuration says, which what the tree was declared with gives way
/// to only where it is named.
fn with_health_interval<C>(tree: Supervisor, snapshot: &Snapshot<C>) -> Supervisor {
    match snapshot.origin("monitoring.health_interval") {
        Origin::Default => tree,
        _ => tree.health_interval(snapshot.settings().monitoring.health_interval),
    }
}

/// The keys of `[runtime]`.
const RUNTIME_KEYS: [&str; 6] = [
    "runtime.worker_threads",
    "runtime.cpus",
    "runtime.nice",
    "runtime.max_blocking_threads",
    "runtime.thread_name",
    "runtime.stack_size_bytes",
];

/// Lists the keys that speak of threads which the program has made itself.
fn set_for_nobody<C>(snapshot: &Snapshot<C>) -> Vec<&'static str> {
    let is_set = |key: &&str| !matches!(snapshot.origin(key), Origin::Default);
    RUNTIME_KEYS.into_iter().filter(is_set).collect()
}

/// Says what the command line asks to be told of a valid configuration.
fn answer<C: Config>(task: Task, name: &str, snapshot: &Snapshot<C>) -> Option<String> {
    match task {
        Task::PrintConfig => Some(snapshot.effective()),
        Task::CheckConfig => Some(format!("{name}: the configuration is valid\n")),
        _ => None,
    }
}

fn check_level(settings: &Settings) -> Result<(), Invalid> {
    let checked = logging::check_level(&settings.logging.level);
    checked.map_err(|error| Invalid::at("logging.level", error.to_string()))
}

/// Changes into the working directory, sets the priority and locks the pid file, in this order: the file
/// may lie in the directory.
fn enter(settings: &Settings, threads: Threads) -> Result<Option<InstanceLock>, DaemonError> {
    if let Some(path) = &settings.daemon.work_dir {
        std::env::set_current_dir(path).map_err(|source| DaemonError::WorkDir {
            path: path.clone(),
            source,
        })?;
    }
    // A priority is one thread's, and is passed on to those that it makes: others' would stay as they are.
    if let Some(nice) = settings.runtime.nice
        && threads == Threads::OfTheDaemon
    {
        workers::set_nice(nice).map_err(|source| DaemonError::Nice { nice, source })?;
    }
    let lock = settings
        .daemon
        .pid_file
        .as_deref()
        .map(InstanceLock::acquire);
    Ok(lock.transpose()?)
}

/// Installs the subscriber, unless the program has one of its own.
fn begin_to_log(settings: &LoggingSettings) -> Result<Option<Logging>, DaemonError> {
    let format = match settings.format {
        LogFormat::Compact => Format::Compact,
        LogFormat::Json => Format::Json,
        _ => Format::Full,
    };
    let mut options = Options::new().level(&*settings.level).format(format);
    options = match settings.color {
        Color::Always => options.colors(true),
        Color::Never => options.colors(false),
        _ => options,
    };
    if let Some(path) = &settings.file {
        let file = FileOptions::new(path)
            .max_bytes(settings.max_file_size_bytes)
            .max_age(settings.max_file_age)
            .max_files(settings.max_files);
        options = options.file(file);
    }
    match options.install() {
        Ok(logging) => Ok(Some(logging)),
        Err(LoggingError::AlreadySet) => {
            tracing::info!(
                "the program has a subscriber of its own, which stays: [logging] does nothing"
            );
            Ok(None)
        }
        Err(error) => Err(DaemonError::Logging(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{RUNTIME_KEYS, set_for_nobody, with_bus};
    use crate::config::{BusSettings, Loader};
    use crate::supervisor::Supervisor;

    #[test]
    fn a_capacity_that_is_named_wins_over_the_tree_s_although_it_is_the_default() {
        let default = BusSettings::default().capacity;
        for (set, expected) in [
            (None, 3),
            (Some("bus.capacity=7".to_owned()), 7),
            (Some(format!("bus.capacity={default}")), default),
        ] {
            let loader = Loader::new("perennial-tests-bus").environment([]);
            let reloader = loader.arguments(set).load().expect("it is valid");
            let tree = Supervisor::one_for_one("app").bus_capacity(3);
            let tree = with_bus(tree, &reloader.live().snapshot());
            assert_eq!(tree.bus_capacity, expected);
        }
    }

    #[test]
    fn a_key_of_threads_that_are_the_program_s_own_is_named_where_it_is_set() {
        let written = serde_json::to_value(crate::config::RuntimeSettings {
            cpus: Some("0".parse().expect("a list")),
            nice: Some(1),
            ..Default::default()
        });
        let mut keys: Vec<String> = RUNTIME_KEYS.map(str::to_owned).into();
        keys.sort();
        let there = written.expect("it can be written");
        let there = there.as_object().expect("a table").keys();
        assert!(there.map(|key| format!("runtime.{key}")).eq(keys));
        let loader = Loader::new("perennial-tests-threads").environment([]);
        let set = ["runtime.nice=5".to_owned()];
        let reloader = loader.arguments(set).load().expect("it is valid");
        assert_eq!(
            set_for_nobody(&reloader.live().snapshot()),
            ["runtime.nice"]
        );
    }
}
