//! Whether files are as they were when they were read, without reading them.
//!
//! A file that is written to gets the time of that as its own, and nobody can give it another: a program
//! that sets the time of the last change sets the time of the last change of the *inode* to now. But that
//! time is a tick of the file system's clock, and two changes within one tick have the same. So files are
//! trusted to be the same only after they were read when they had had their times for longer than a tick
//! lasts ("racily clean", as git calls what is not).
//!
//! # Invariants
//!
//! 1. Files are at rest only if they were read at least [`LONGEST_TICK`] after all of them were first seen with
//!    the marks that they had then and have now. No clock of this machine is held against a file system's.
//! 2. Not for ever: what a program writes through a mapping may get its time late or, while nothing is
//!    written back, not at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

/// No tick is longer than this: FAT counts in 2 s, others in 1 s, most in milliseconds.
const LONGEST_TICK: Duration = Duration::from_secs(3);

/// How long files are trusted without being read: as long as between two looks at them.
const LONGEST_TRUST: Duration = Duration::from_secs(30);

/// What a file system says of one path, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "nothing has a mark")
)]
pub(in crate::config) enum Mark {
    /// There is nothing.
    Absent,
    /// There is something, and this changes with it.
    There {
        device: (u32, u32),
        number: u64,
        mode: u16,
        size: u64,
        written: (i64, u32),
        changed: (i64, u32),
    },
}

impl Mark {
    /// Asks for the mark of a path; `None` where the system has none that can be trusted.
    ///
    /// Network file systems are made to ask their server.
    #[cfg(target_os = "linux")]
    pub(in crate::config) fn of(path: &Path) -> Option<Self> {
        use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

        let found = match statx(
            CWD,
            path,
            AtFlags::STATX_FORCE_SYNC,
            StatxFlags::BASIC_STATS,
        ) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => return Some(Self::Absent),
            Err(_unknown) => return None,
        };
        let is_whole =
            StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BASIC_STATS);
        is_whole.then_some(Self::There {
            device: (found.stx_dev_major, found.stx_dev_minor),
            number: found.stx_ino,
            mode: found.stx_mode,
            size: found.stx_size,
            written: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
            changed: (found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
        })
    }

    /// Elsewhere nothing is known of how a file system keeps its times.
    #[cfg(not(target_os = "linux"))]
    pub(in crate::config) fn of(_path: &Path) -> Option<Self> {
        None
    }
}

/// What was looked at while files were read, each before it was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::config) struct Marks {
    found: Vec<(PathBuf, Option<Mark>)>,
}

impl Marks {
    /// Notes the mark of a path that is read next.
    pub(in crate::config) fn note(&mut self, path: &Path) {
        self.found.push((path.to_owned(), Mark::of(path)));
    }

    /// Tells whether all of them are as they were.
    fn hold(&self) -> bool {
        let holds =
            |(path, mark): &(PathBuf, Option<Mark>)| mark.is_some() && Mark::of(path) == *mark;
        self.found.iter().all(holds)
    }
}

/// What is known of the files of the configuration in force.
#[derive(Debug, Default)]
pub(in crate::config) struct Rest {
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    marks: Marks,
    /// When all of these marks had been seen for the first time.
    since: Instant,
    /// When the last reading began that found the bytes as they were; absent before one that counts.
    read: Option<Instant>,
}

impl Rest {
    /// Notes that the files of the configuration in force were read between two instants, with these marks.
    pub(in crate::config) fn note(&mut self, marks: Marks, (began, ended): (Instant, Instant)) {
        match &mut self.seen {
            Some(seen) if seen.marks == marks => {
                if began >= seen.since + LONGEST_TICK {
                    seen.read = Some(began);
                }
            }
            _ => {
                self.seen = Some(Seen {
                    marks,
                    since: ended,
                    read: None,
                });
            }
        }
    }

    /// Forgets everything: what was read last is not what is in force.
    pub(in crate::config) fn disturb(&mut self) {
        self.seen = None;
    }

    /// Tells whether to read the files would find what is in force.
    pub(in crate::config) fn lasts(&self, now: Instant) -> bool {
        let is_trusted = |seen: &&Seen| seen.read.is_some_and(|read| now < read + LONGEST_TRUST);
        self.seen
            .as_ref()
            .filter(is_trusted)
            .is_some_and(|seen| seen.marks.hold())
    }
}

#[cfg(test)]
mod tests;
