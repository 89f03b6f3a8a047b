//! Logs: what is written, how it looks and where it goes.
//!
//! A line is formatted by whoever logs it and handed to a thread that writes, over a queue that is
//! bounded: a full disk or a slow reader costs lines, which are counted, and never holds the program up.
//!
//! # Invariants
//!
//! 1. Nobody who logs waits for a file, a pipe or a lock that is held while something is written.
//! 2. A line that is not written is counted, as dropped (there was no room) or as failed (the system
//!    refused it).
//! 3. A subscriber that the program has installed itself stays.

mod journal;
mod queue;
mod rotate;

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::{fmt as lines, reload};

use self::journal::Prefixed;
pub use self::queue::LogStatistics;
use self::queue::{Queue, Target};
pub use self::rotate::FileOptions;
use self::rotate::RotatingFile;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Time, level, target, message and fields on one line.
    #[default]
    Full,
    /// The same, shortened: for a terminal.
    Compact,
    /// One JSON object a line.
    Json,
}

/// What is logged, how and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "nothing is logged before `install`"]
pub struct Options {
    level: Option<String>,
    format: Format,
    colors: Option<bool>,
    file: Option<FileOptions>,
}

impl Options {
    /// Begins with the defaults: full lines at `info` on stderr, with colours on a terminal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a level, or directives as `RUST_LOG` has them. Default `info`.
    pub fn level(mut self, level: impl Into<String>) -> Self {
        self.level = Some(level.into());
        self
    }

    /// Sets how a line looks. Default [`Format::Full`].
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets whether there are colours. Default: on a terminal, unless `NO_COLOR` is set.
    pub fn colors(mut self, colors: bool) -> Self {
        self.colors = Some(colors);
        self
    }

    /// Writes to a file instead of stderr.
    pub fn file(mut self, file: FileOptions) -> Self {
        self.file = Some(file);
        self
    }

    /// Installs the subscriber for the whole process and starts the thread that writes.
    ///
    /// On stderr under systemd each line begins with its priority, as `sd-daemon(3)` wants it, without
    /// time or colours, which the journal has itself.
    ///
    /// # Errors
    ///
    /// [`LoggingError`]; the process logs as before then.
    pub fn install(self) -> Result<Logging, LoggingError> {
        let filter = parse_filter(self.level.as_deref().unwrap_or("info"))?;
        let is_journal = self.file.is_none() && journal::is_stderr();
        let to_terminal = self.file.is_none() && io::stderr().is_terminal();
        let wants_colors =
            || to_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let target = match self.file {
            Some(file) => Target::File(RotatingFile::open(file).map_err(LoggingError::File)?),
            None => Target::Stderr,
        };
        let queue = Queue::start(target).map_err(LoggingError::Thread)?;
        let (filter, level) = reload::Layer::new(filter);
        let shape = Shape {
            format: self.format,
            colors: self.colors.unwrap_or_else(wants_colors) && !is_journal,
            is_journal,
        };
        if !shape.install(filter, &queue) {
            return Err(LoggingError::AlreadySet);
        }
        Ok(Logging {
            level,
            queue: Arc::new(queue),
        })
    }
}

/// How lines are made.
struct Shape {
    format: Format,
    colors: bool,
    is_journal: bool,
}

impl Shape {
    fn install(&self, filter: reload::Layer<EnvFilter, Registry>, queue: &Queue) -> bool {
        let writer = Prefixed::new(queue.clone(), self.is_journal);
        let layer = lines::layer()
            .with_ansi(self.colors)
            // Told of a write that failed, the subscriber prints on stderr and panics there.
            .log_internal_errors(false)
            .with_writer(writer);
        let registry = tracing_subscriber::registry().with(filter);
        match (self.format, self.is_journal) {
            (Format::Full, false) => set_for_all(registry.with(layer)),
            (Format::Full, true) => set_for_all(registry.with(layer.without_time())),
            (Format::Compact, false) => set_for_all(registry.with(layer.compact())),
            (Format::Compact, true) => set_for_all(registry.with(layer.compact().without_time())),
            (Format::Json, _) => set_for_all(registry.with(layer.json())),
        }
    }
}

/// Installs a subscriber for the whole process; false when it has one already. One that a thread has set
/// for itself is none.
fn set_for_all(subscriber: impl Subscriber + Send + Sync) -> bool {
    let is_ours = tracing::subscriber::set_global_default(subscriber).is_ok();
    if is_ours {
        // Fails when the program has a logger for `log` of its own, which stays too. Everything is let
        // through: the level can change, and it is the subscriber that decides.
        drop(tracing_log::LogTracer::init());
    }
    is_ours
}

/// The subscriber that was installed. Clones speak of the same one.
#[derive(Clone)]
pub struct Logging {
    level: reload::Handle<EnvFilter, Registry>,
    queue: Arc<Queue>,
}

impl Logging {
    /// Changes what is logged from now on: a level, or directives as `RUST_LOG` has them.
    ///
    /// # Errors
    ///
    /// [`LoggingError::Level`]; everything is logged as before then.
    pub fn set_level(&self, level: &str) -> Result<(), LoggingError> {
        let filter = parse_filter(level)?;
        // Fails when the subscriber is gone, and it never goes.
        self.level
            .reload(filter)
            .map_err(|_gone| LoggingError::AlreadySet)
    }

    /// Returns what is logged now.
    #[must_use]
    pub fn level(&self) -> String {
        self.level
            .with_current(ToString::to_string)
            .unwrap_or_default()
    }

    /// Closes the file and opens what stands at its path now, for whoever has moved it away.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Waits until everything that was logged before is written; `false` when that takes longer than
    /// `patience`.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue.flush(patience)
    }

    /// Waits as [`flush`](Self::flush) does, and for five seconds for each line that is logged: for the end
    /// of a program, after which nobody flushes any more.
    ///
    /// What is not written within `patience` is given up, and counted as dropped; after that nobody is made
    /// to wait until something is written again.
    #[must_use]
    pub fn flush_from_now_on(&self, patience: Duration) -> bool {
        self.queue.end(patience)
    }

    /// Counts what was written and what was not.
    #[must_use]
    pub fn statistics(&self) -> LogStatistics {
        self.queue.statistics()
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logging")
            .field("level", &self.level())
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

/// Says why nothing was installed or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// It is no level and no list of directives.
    #[error(
        "`{level}` is no level and no list of directives; write \"info\" or \"info,my_crate=debug\""
    )]
    Level {
        /// What was given.
        level: String,
    },
    /// The program has a subscriber already.
    #[error("the program has a subscriber of its own, which stays")]
    AlreadySet,
    /// The file can't be opened.
    #[error(transparent)]
    File(#[from] rotate::OpenError),
    /// There is no thread to be had.
    #[error("cannot start the thread that writes the log")]
    Thread(#[source] io::Error),
}

impl LoggingError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Level { .. } => "log_level",
            Self::AlreadySet => "log_already_set",
            Self::File(_) => "log_file_failed",
            Self::Thread(_) => "log_thread_failed",
        }
    }
}

/// Tells whether a text is a level or a list of directives.
///
/// # Errors
///
/// [`LoggingError::Level`].
pub fn check_level(level: &str) -> Result<(), LoggingError> {
    parse_filter(level).map(drop)
}

fn parse_filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let refused = || LoggingError::Level {
        level: level.to_owned(),
    };
    // A word alone would be taken for the name of a module: a level that is misspelt would turn
    // everything off.
    let is_word = !level.is_empty() && level.chars().all(|letter| letter.is_ascii_alphanumeric());
    if level.trim().is_empty() || (is_word && level.parse::<LevelFilter>().is_err()) {
        return Err(refused());
    }
    EnvFilter::builder().parse(level).map_err(|_| refused())
}

/// Installs the subscriber with the defaults, and the level of `RUST_LOG` where that is set to one.
///
/// Returns false, and changes nothing, when the process has a subscriber already.
pub fn init_default() -> bool {
    // There a word that is no level is a target, of which everything is logged.
    let variable = std::env::var("RUST_LOG").ok();
    let level = variable
        .into_iter()
        .flat_map(|level| [format!("{level}=trace"), level].into_iter().rev())
        .find(|level| check_level(level).is_ok());
    let options = Options::new().level(level.unwrap_or_else(|| "info".to_owned()));
    options.install().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{check_level, init_default};

    #[test]
    fn a_subscriber_that_is_installed_already_stays() {
        init_default();
        assert!(!init_default(), "the second call finds the first one's");
    }

    #[test]
    fn a_level_that_is_misspelt_is_refused_and_does_not_turn_everything_off() {
        for (level, is_one) in [
            ("info", true),
            ("WARN", true),
            ("off", true),
            ("info,my_crate::store=debug", true),
            ("my_crate=trace", true),
            ("inof", false),
            ("", false),
            ("info,my_crate=loud", false),
        ] {
            assert_eq!(check_level(level).is_ok(), is_one, "{level:?}");
        }
    }
}
