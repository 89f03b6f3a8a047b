//! A log file that is put aside when it is too large or too old, and kept a number of times.
//!
//! `app.log` is written to; `app.log.1` is the one before, `app.log.2` the one before that.
//!
//! # Invariants
//!
//! 1. A line is whole in one file.
//! 2. A file that can't be put aside is written on: a folder that nobody may write to costs space and no
//!    line.
//! 3. Nothing is renamed before there is a new file to write to, and only what makes room for another is:
//!    a rotation that fails, however often, costs no file that is kept.
//! 4. A line that the system takes half of is taken back, or ended, so that the next one is whole.

use std::fmt;
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
    /// Whether the file ends within a line.
    is_torn: bool,
    /// Why the file could not be opened again, until somebody asks.
    trouble: Option<io::Error>,
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
                is_torn: false,
                trouble: None,
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
            self.find_again(now)?;
        }
        if self.is_due(line.len() as u64) && now >= self.next_rotation && self.rotate().is_err() {
            self.next_rotation = now + RETRY_PERIOD;
        }
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.is_torn = false;
        }
        self.append(line)
    }

    /// Returns why the file could not be opened again, once.
    pub(super) fn trouble(&mut self) -> Option<io::Error> {
        self.trouble.take()
    }

    /// Opens what stands at the path, if the file was removed or moved by somebody who did not say so.
    ///
    /// # Errors
    ///
    /// When that can't be and the file stands nowhere any more: what is written to it is lost.
    fn find_again(&mut self, now: Instant) -> io::Result<()> {
        if !self.is_at_its_path()
            && let Err(error) = self.reopen()
        {
            if self.is_nowhere() {
                return Err(error);
            }
            self.trouble = Some(error);
            self.next_check = now + RETRY_PERIOD;
            return Ok(());
        }
        self.next_check = now + CHECK_PERIOD;
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(more) if more > 0 => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                refused => {
                    self.take_back(written);
                    return Err(refused.err().unwrap_or(io::ErrorKind::WriteZero.into()));
                }
            }
        }
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Takes the beginning of a line back: half a line would make the next one no line either.
    fn take_back(&mut self, written: usize) {
        if written == 0 {
            return;
        }
        let length = self.file.metadata().map_or(0, |found| found.len());
        let before = length.checked_sub(written as u64);
        self.is_torn = before.is_none_or(|before| self.file.set_len(before).is_err());
    }

    /// Opens what stands at the path now; when that fails the old file is kept.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.bytes, self.born) = open(&self.options.path)?;
        self.is_torn = false;
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
        let next = self.aside("next");
        ignore_missing(fs::remove_file(&next))?;
        let new = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&next)?;
        if let Err(error) = self.exchange(kept, &next) {
            // One that can't be removed is removed by the next rotation.
            drop(fs::remove_file(&next));
            return Err(error);
        }
        self.file = new;
        self.bytes = 0;
        self.born = SystemTime::now();
        self.is_torn = false;
        Ok(())
    }

    /// Puts the file aside and another in its place.
    fn exchange(&self, kept: u32, next: &Path) -> io::Result<()> {
        let path = &self.options.path;
        // A gap that an earlier try has left is room enough.
        let is_free = |number: &u32| fs::symlink_metadata(self.aside(number)).is_err();
        let last = (1..kept).find(is_free).unwrap_or(kept);
        for number in (1..last).rev() {
            fs::rename(self.aside(number), self.aside(number + 1))?;
        }
        fs::rename(path, self.aside(1))?;
        fs::rename(next, path).inspect_err(|_| {
            // Where this fails too the file is found not to be at its path, and opened again.
            drop(fs::rename(self.aside(1), path));
        })
    }

    fn aside(&self, number: impl fmt::Display) -> PathBuf {
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

    /// Tells whether the file has no name any more.
    #[cfg(unix)]
    fn is_nowhere(&self) -> bool {
        use std::os::unix::fs::MetadataExt;

        self.file.metadata().is_ok_and(|open| open.nlink() == 0)
    }

    #[cfg(not(unix))]
    fn is_nowhere(&self) -> bool {
        false
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
