//! From what a daemon was told to a plan: command line, configuration, directory, lock, log, tree.
//!
//! Everything that can be wrong before anything starts is found out here, on the thread of the caller.

use std::sync::{Arc, OnceLock};

use super::builder::Make;
use super::configuration::News;
use super::govern::Plan;
use super::{Daemon, DaemonError, LOG_FLUSH_PATIENCE, workers};
use crate::config::{
    Color, CommandLine, Config, HELP, Invalid, LogFormat, LoggingSettings, Origin, RuntimeSettings,
    Settings, Snapshot, Task,
};
use crate::lock::InstanceLock;
use crate::logging::{self, FileOptions, Format, Logging, LoggingError, Options};
use crate::supervisor::Supervisor;

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
    /// Prepares to run; [`DaemonError::Answered`] when the command line asks for something else.
    pub(super) fn prepare(self) -> Result<Prepared, DaemonError> {
        let line = CommandLine::parse(self.arguments.unwrap_or_default())?;
        let name = self.loader.name().to_owned();
        if line.task == Task::Help {
            let text = format!("usage: {name} [options]\n\n{HELP}");
            return Err(DaemonError::Answered { text });
        }
        let mut loader = self
            .loader
            .arguments(line.set)
            .check(check_level)
            .check(workers::check);
        if let Some(file) = line.config {
            loader = loader.file(file);
        }
        let reloader = loader.load()?;
        let live = reloader.live();
        let snapshot = live.snapshot();
        if let Some(text) = answer(line.task, &name, &snapshot) {
            return Err(DaemonError::Answered { text });
        }
        if matches!(self.tree, Make::Missing) {
            return Err(DaemonError::NoTree);
        }
        let settings = snapshot.settings();
        let lock = enter(settings)?;
        let logging = begin_to_log(&settings.logging)?;
        let log = Log(logging.clone());
        let news = Arc::new(News {
            running: OnceLock::new(),
            logging,
            registry: self.registry.clone(),
        });
        news.begin(snapshot.version());
        let told = Arc::clone(&news);
        let reloads = reloader
            .start(
                settings.daemon.hot_reload,
                move |cause, result, snapshot| told.tell(cause, result, snapshot.settings()),
            )
            .map_err(DaemonError::Runtime)?;
        let tree = match self.tree {
            Make::Missing => return Err(DaemonError::NoTree),
            Make::Ready(tree) => *tree,
            Make::From(make) => make(&live).map_err(DaemonError::Tree)?,
        };
        let tree = with_bus(tree, &snapshot);
        for key in set_in_vain(&snapshot) {
            tracing::warn!(key, "this key is set and has no effect yet");
        }
        Ok(Prepared {
            runtime: settings.runtime.clone(),
            log,
            plan: Plan {
                name: settings.daemon.name.clone().unwrap_or(name),
                tree,
                configuration: Arc::new(live.clone()),
                reloads,
                reload_on: self.reloads,
                news,
                registry: self.registry,
                monitor: self.monitor,
                on_limit: self.on_limit.map(Arc::from),
                on_http_bound: self.on_http_bound,
                lock,
            },
        })
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

/// Keys that are read and checked and have no effect yet.
const WITHOUT_EFFECT: [&str; 4] = [
    "shutdown.drain_delay",
    "shutdown.force",
    "shutdown.kill",
    "monitoring.health_interval",
];

/// Lists the keys that somebody set in vain: not to be found out in production.
fn set_in_vain<C>(snapshot: &Snapshot<C>) -> Vec<&'static str> {
    let is_set = |key: &&str| !matches!(snapshot.origin(key), Origin::Default);
    WITHOUT_EFFECT.into_iter().filter(is_set).collect()
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
fn enter(settings: &Settings) -> Result<Option<InstanceLock>, DaemonError> {
    if let Some(path) = &settings.daemon.work_dir {
        std::env::set_current_dir(path).map_err(|source| DaemonError::WorkDir {
            path: path.clone(),
            source,
        })?;
    }
    if let Some(nice) = settings.runtime.nice {
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
    use super::{set_in_vain, with_bus};
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
    fn a_key_that_has_no_effect_yet_is_named_where_it_is_set() {
        for (set, expected) in [
            (None, vec![]),
            (
                Some("shutdown.kill=\"20s\"".to_owned()),
                vec!["shutdown.kill"],
            ),
        ] {
            let loader = Loader::new("perennial-tests-vain").environment([]);
            let reloader = loader.arguments(set).load().expect("it is valid");
            assert_eq!(set_in_vain(&reloader.live().snapshot()), expected);
        }
    }
}
