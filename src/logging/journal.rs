//! Lines for systemd's journal: each begins with its priority, as `sd-daemon(3)` has it.

use std::io;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::queue::Queue;

/// Tells whether stderr goes to the journal: systemd says of which stream that is true in
/// `JOURNAL_STREAM`, as `device:inode`.
#[cfg(unix)]
pub(super) fn is_stderr() -> bool {
    use std::os::unix::fs::MetadataExt;

    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    // A path and no descriptor: to stat a descriptor takes unsafe code or a crate.
    let stderr = std::fs::metadata("/dev/fd/2");
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// Tells whether stderr goes to the journal; elsewhere than on Unix there is none.
#[cfg(not(unix))]
pub(super) fn is_stderr() -> bool {
    false
}

/// Makes writers that put the priority before the line, where that is wanted.
#[derive(Debug)]
pub(super) struct Prefixed {
    queue: Queue,
    is_journal: bool,
}

impl Prefixed {
    pub(super) fn new(queue: Queue, is_journal: bool) -> Self {
        Self { queue, is_journal }
    }
}

/// syslog's numbers for the levels.
fn priority(level: Level) -> &'static [u8] {
    match level {
        Level::ERROR => b"<3>",
        Level::WARN => b"<4>",
        Level::INFO => b"<6>",
        _ => b"<7>",
    }
}

impl<'a> MakeWriter<'a> for Prefixed {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            queue: &self.queue,
            prefix: b"",
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line {
            queue: &self.queue,
            prefix: if self.is_journal {
                priority(*metadata.level())
            } else {
                b""
            },
        }
    }
}

/// Takes one line; the subscriber writes it in one piece.
#[derive(Debug)]
pub(super) struct Line<'a> {
    queue: &'a Queue,
    prefix: &'static [u8],
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let prefix = std::mem::take(&mut self.prefix);
        self.queue.push([prefix, bytes].concat());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
