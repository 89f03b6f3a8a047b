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
//! 5. Only a regular file is put aside, or looked for when it is gone. What else stands at the path, a pipe
//!    or a terminal, stays there and is written to.
//! 6. Links are followed once, at the start: from then on the file is where they led, and what is renamed
//!    or opened is there.

use std::fmt;
mod open;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::time::Instant;

use self::open::Opened;

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
    /// Where it stands, behind all links; `None` for what is no regular file.
    home: Option<PathBuf>,
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
        match open::first(&options.path) {
            Ok((opened, home)) => Ok(Self {
                options,
                file: opened.file,
                home,
                bytes: opened.bytes,
                born: opened.born,
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
        if self.is_due(line.len() as u64)
            && now >= self.next_rotation
            && let Some(home) = self.home.clone()
            && self.rotate(&home).is_err()
        {
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
        let opened = match &self.home {
            Some(home) => open::again(home)?,
            None => open::first(&self.options.path)?.0,
        };
        self.take(opened);
        Ok(())
    }

    /// Writes to this one from now on.
    fn take(&mut self, opened: Opened) {
        Opened {
            file: self.file,
            bytes: self.bytes,
            born: self.born,
        } = opened;
        self.is_torn = false;
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

    fn rotate(&mut self, home: &Path) -> io::Result<()> {
        let next = aside(home, "next");
        ignore_missing(fs::remove_file(&next))?;
        let new = open::in_place_of(&self.file, &next)?;
        if let Err(error) = exchange(home, self.options.max_files - 1, &next) {
            // One that can't be removed is removed by the next rotation.
            drop(fs::remove_file(&next));
            return Err(error);
        }
        self.take(new);
        Ok(())
    }

    /// Tells whether the file stands where it was opened; what is no file always does.
    fn is_at_its_path(&self) -> bool {
        let home = self.home.as_deref();
        home.is_none_or(|home| open::is_at(&self.file, home))
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
}

/// Puts the file aside, if any are kept, and another in its place.
fn exchange(home: &Path, kept: u32, next: &Path) -> io::Result<()> {
    if kept == 0 {
        // Another file and not the same one emptied, whose age would not begin anew.
        return fs::rename(next, home);
    }
    // A gap that an earlier try has left is room enough.
    let is_free = |number: &u32| fs::symlink_metadata(aside(home, number)).is_err();
    let last = (1..kept).find(is_free).unwrap_or(kept);
    for number in (1..last).rev() {
        fs::rename(aside(home, number), aside(home, number + 1))?;
    }
    fs::rename(home, aside(home, 1))?;
    fs::rename(next, home).inspect_err(|_| {
        // Where this fails too the file is found not to be at its path, and opened again.
        drop(fs::rename(aside(home, 1), home));
    })
}

fn aside(home: &Path, number: impl fmt::Display) -> PathBuf {
    let mut name = home.to_owned().into_os_string();
    name.push(format!(".{number}"));
    name.into()
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
