//! A log file that is put aside when it is too large or too old, and kept a number of times.
//!
//! `app.log` is written to; `app.log.1` is the one before, `app.log.2` the one before that.
//!
//! # Invariants
//!
//! 1. A line is whole in one file.
//! 2. A file that can't be put aside is written on: a folder that nobody may write to costs space and no
//!    line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::time::Instant;

/// How long to wait after a rotation that failed before the next is tried.
const RETRY_PERIOD: Duration = Duration::from_secs(10);

/// How often it is looked whether the file still stands at its path.
const CHECK_PERIOD: Duration = Duration::from_secs(1);

/// Which file, and when it is put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "these are options; give them to `Options::file`"]
pub struct FileOptions {
    path: PathBuf,
    max_bytes: u64,
    max_age: Option<Duration>,
    max_files: u32,
}

impl FileOptions {
    /// Names the file. By default it is put aside at 100 MiB, and there are 5 in all.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_bytes: 100 * 1024 * 1024,
            max_age: None,
            max_files: 5,
        }
    }

    /// Sets the size at which it is put aside; 0 is never.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets the age at which it is put aside. Default: none.
    pub fn max_age(mut self, max_age: Option<Duration>) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets how many files there are in all; with 1 the file begins anew each time.
    pub fn max_files(mut self, max_files: u32) -> Self {
        self.max_files = max_files.max(1);
        self
    }
}

/// Says that the file can't be opened.
#[derive(Debug, Error)]
#[error("cannot open the log file {}", path.display())]
pub struct OpenError {
    path: PathBuf,
    source: io::Error,
}

/// The file that is written to.
#[derive(Debug)]
pub(super) struct RotatingFile {
    options: FileOptions,
    file: File,
    bytes: u64,
    born: SystemTime,
    next_rotation: Instant,
    next_check: Instant,
}

impl RotatingFile {
    pub(super) fn open(options: FileOptions) -> Result<Self, OpenError> {
        match open(&options.path) {
            Ok((file, bytes, born)) => Ok(Self {
                options,
                file,
                bytes,
                born,
                next_rotation: Instant::now(),
                next_check: Instant::now() + CHECK_PERIOD,
            }),
            Err(source) => Err(OpenError {
                path: options.path,
                source,
            }),
        }
    }

    /// Appends a line, after putting the file aside if that is due.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let now = Instant::now();
        if now >= self.next_check {
            self.next_check = now + CHECK_PERIOD;
            if !self.is_at_its_path() {
                // Removed or moved by somebody who did not say so.
                self.reopen()?;
            }
        }
        if self.is_due(line.len() as u64) && now >= self.next_rotation && self.rotate().is_err() {
            self.next_rotation = now + RETRY_PERIOD;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Opens what stands at the path now; when that fails the old file is kept.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.bytes, self.born) = open(&self.options.path)?;
        Ok(())
    }

    fn is_due(&self, more: u64) -> bool {
        let is_full = self.options.max_bytes > 0 && self.bytes + more > self.options.max_bytes;
        let age = || {
            SystemTime::now()
                .duration_since(self.born)
                .unwrap_or_default()
        };
        let is_old = self.options.max_age.is_some_and(|max| age() >= max);
        self.bytes > 0 && (is_full || is_old)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let kept = self.options.max_files - 1;
        if kept == 0 {
            self.file.set_len(0)?;
            self.bytes = 0;
            self.born = SystemTime::now();
            return Ok(());
        }
        for number in (1..kept).rev() {
            ignore_missing(fs::rename(self.aside(number), self.aside(number + 1)))?;
        }
        fs::rename(&self.options.path, self.aside(1))?;
        self.reopen()
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.options.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    #[cfg(unix)]
    fn is_at_its_path(&self) -> bool {
        use std::os::unix::fs::MetadataExt;

        let (Ok(open), Ok(there)) = (self.file.metadata(), fs::metadata(&self.options.path)) else {
            return false;
        };
        (open.dev(), open.ino()) == (there.dev(), there.ino())
    }

    #[cfg(not(unix))]
    fn is_at_its_path(&self) -> bool {
        self.options.path.exists()
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open(path: &Path) -> io::Result<(File, u64, SystemTime)> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let found = file.metadata()?;
    // Where the file system does not know when a file was made, its last change is near enough: what is
    // older was rotated by the process before.
    let born = found.created().or_else(|_| found.modified())?;
    Ok((file, found.len(), born))
}

#[cfg(test)]
mod tests;
