//! Logs on stderr, filtered by `RUST_LOG`.
//!
//! A daemon leaves rotation, shipping and storage to whoever started it, so there is one place to
//! write to and it is stderr. It does not replace a subscriber that is installed already: a program
//! that logs in its own way installs its own first, and this one stands back. A stderr that nobody
//! reads any more costs the lines and nothing else.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Time, level, target, message and fields on one line.
    #[default]
    Full,
    /// The same, shortened: for a terminal.
    Compact,
}

/// Installs the subscriber: lines on stderr, filtered by `RUST_LOG`, at `level` where that is unset.
///
/// Returns false, and changes nothing, when the process has a subscriber already. A part of
/// `RUST_LOG` that is not a filter is ignored.
pub fn init(format: Format, level: LevelFilter) -> bool {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    // Colours belong on a terminal; in a file or a journal they are noise.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // Told of a write that failed, the subscriber prints on the same stderr and panics: whoever
        // logged would die of a reader that went away.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match format {
        Format::Full => lines.try_init().is_ok(),
        Format::Compact => lines.compact().try_init().is_ok(),
    }
}

/// Installs the subscriber with the defaults: [`Format::Full`], `info`.
pub fn init_default() -> bool {
    init(Format::default(), LevelFilter::INFO)
}

#[cfg(test)]
mod tests {
    use super::init_default;

    #[test]
    fn a_subscriber_that_is_installed_already_stays() {
        init_default();
        assert!(!init_default(), "the second call finds the first one's");
    }
}
