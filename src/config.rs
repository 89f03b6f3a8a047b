//! Configuration: layers with the origin of every value, read into structs, replaced as a whole.
//!
//! A program has a struct of its own beside the daemon's [`Settings`]; both are read from one document,
//! in which later layers win: defaults < the program < the file < `conf.d/*.toml` in the order of their
//! names < environment < command line. Whatever is wrong is told with file, line, column and key; nothing
//! is dropped in silence.
//!
//! # Invariants
//!
//! 1. A [`Snapshot`] is whole and valid, and never changes. Readers see one or the other, never a mixture.
//! 2. What can't be read, merged or agreed on changes nothing: the snapshot that is there stays.
//! 3. A value is shown, in a complaint or a printed configuration, only if its type is not [`Secret`]. Of
//!    a value whose type is not known, or may hold one, its kind and place alone are shown.
//! 4. A file that is not there any more is no configuration: it never brings defaults back.

mod command_line;
mod document;
pub mod duration;
mod files;
mod given;
mod layers;
mod live;
mod load;
mod merge;
mod origin;
mod print;
mod problem;
mod reader;
mod reload;
mod renamed;
mod requests;
mod secret;
mod settings;
mod snapshot;
mod watch;

pub use self::command_line::{CommandLine, HELP, Task, UsageError};
pub use self::files::search_path;
pub use self::given::environment_prefix;
pub use self::live::{Cached, Live, ReloadError, Section, Vote};
pub use self::load::Loader;
pub use self::origin::{Given, Origin, Place};
pub use self::problem::{ConfigError, Invalid, Problem, ProblemKind};
pub use self::reload::{Cause, ReloadThread, Reloaded, Reloader};
pub use self::secret::Secret;
pub use self::settings::{
    AdminSettings, BusSettings, Color, CpuList, DaemonSettings, HttpSettings, InvalidCpuList,
    Limits, LogFormat, LoggingSettings, MonitoringSettings, RuntimeSettings, Settings,
    ShutdownSettings, SignalMeaning, SignalSettings,
};
pub use self::snapshot::{Config, NoConfig, Snapshot};
