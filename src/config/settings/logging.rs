//! `[logging]`: what is logged, how and where to.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::optional_duration;

/// `[logging]`. The level is live; the rest needs a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LoggingSettings {
    /// A level, or directives as `RUST_LOG` has them: `"info,my_crate::store=debug"`. Default `"info"`.
    pub level: Cow<'static, str>,
    /// How a line looks. Default `"full"`.
    pub format: LogFormat,
    /// Whether there are colours. Default `"auto"`: on a terminal.
    pub color: Color,
    /// The file to write to. Links to it are followed once, at the start; a pipe needs a reader by then, and
    /// is not put aside. Default: none, and lines go to stderr.
    pub file: Option<PathBuf>,
    /// The size at which the file is put aside and a new one begun. Default 100 MiB; 0 is never.
    pub max_file_size_bytes: u64,
    /// The age at which the same is done, 1 s at least. Default: none.
    #[serde(with = "optional_duration")]
    pub max_file_age: Option<Duration>,
    /// How many files there are in all, the one that is written to included. Default 5.
    pub max_files: u32,
}

/// The size at which a log file is full: what an editor still opens, and with [`MAX_LOG_FILES`] half a
/// gigabyte in all, as the earlier systems had it.
const MAX_LOG_FILE_BYTES: u64 = 100 * 1024 * 1024;

/// How many log files are kept: see [`MAX_LOG_FILE_BYTES`].
const MAX_LOG_FILES: u32 = 5;

impl Default for LoggingSettings {
    fn default() -> Self {
        Self {
            level: Cow::Borrowed("info"),
            format: LogFormat::Full,
            color: Color::Auto,
            file: None,
            max_file_size_bytes: MAX_LOG_FILE_BYTES,
            max_file_age: None,
            max_files: MAX_LOG_FILES,
        }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogFormat {
    /// Time, level, target, message and fields on one line.
    #[default]
    Full,
    /// The same, shortened.
    Compact,
    /// One JSON object a line.
    Json,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
