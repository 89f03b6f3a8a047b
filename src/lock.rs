//! One instance of a program: a file that is locked as long as the process lives.
//!
//! The lock is the truth and the number in the file is a courtesy: the system gives the lock back when
//! the process ends, however it ends, so that a file that was left behind stops nobody.
//!
//! # Invariants
//!
//! 1. Nothing is written to the file before it is locked: a second instance does not destroy what the
//!    first has written.
//! 2. The file is never removed. Whoever removes one that is open lets two processes hold "the" lock, on
//!    two files of one name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The most that is read of a file to find a process number in it.
const MOST_DIGITS: u64 = 32;

/// Holds the lock until it is dropped, or the process ends.
#[derive(Debug)]
#[must_use = "the lock is given back when this is dropped"]
pub struct InstanceLock {
    _file: File,
    path: PathBuf,
}

/// Says why the lock could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process holds it.
    #[error("another instance{} holds {}", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(), path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// The number that stands in it.
        holder: Option<u32>,
    },
    /// It is a folder, a device, a pipe or a link.
    #[error("{} is no regular file", path.display())]
    NotAFile {
        /// What is none.
        path: PathBuf,
    },
    /// The file can't be opened, made, locked or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl LockError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "instance_running",
            Self::NotAFile { .. } => "pid_file_not_a_file",
            Self::File { .. } => "pid_file_failed",
        }
    }
}

impl InstanceLock {
    /// Locks the file, makes it if there is none, and writes the number of this process into it.
    ///
    /// # Errors
    ///
    /// [`LockError`]; a file that another process holds is as it was.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let refused = |source| LockError::File {
            path: path.to_owned(),
            source,
        };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => {
                return Err(LockError::NotAFile {
                    path: path.to_owned(),
                });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    path: path.to_owned(),
                    holder: read_holder(&file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        write_holder(&mut file).map_err(refused)?;
        Ok(Self {
            _file: file,
            path: path.to_owned(),
        })
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn read_holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(MOST_DIGITS).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::{InstanceLock, LockError};
    use std::path::PathBuf;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("perennial-lock-{name}-{}", std::process::id()))
    }

    #[test]
    fn the_second_is_told_who_holds_it_and_destroys_nothing() {
        let path = path("second");
        std::fs::write(&path, "4000000000 and much more of an older one").expect("a file");
        let first = InstanceLock::acquire(&path).expect("nobody holds it");
        let number = std::process::id();
        assert_eq!(
            std::fs::read_to_string(&path).expect("text"),
            format!("{number}\n")
        );
        let Err(LockError::Held { holder, .. }) = InstanceLock::acquire(&path) else {
            panic!("it is held")
        };
        assert_eq!(holder, Some(number));
        assert_eq!(
            std::fs::read_to_string(&path).expect("text"),
            format!("{number}\n")
        );
        drop(first);
        assert!(path.exists(), "it is never removed");
        drop(InstanceLock::acquire(&path).expect("nobody holds it any more"));
        std::fs::remove_file(path).expect("it is there");
    }

    #[test]
    fn what_can_t_be_a_pid_file_is_refused_by_name() {
        let error = InstanceLock::acquire(&std::env::temp_dir()).expect_err("a folder");
        assert_eq!(error.code(), "pid_file_not_a_file");
        let error =
            InstanceLock::acquire("/nonexistent/app.pid".as_ref()).expect_err("no such folder");
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("pid_file_failed", "cannot use /nonexistent/app.pid")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused() {
        let (path, target) = (path("link"), path("target"));
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        let error = InstanceLock::acquire(&path).expect_err("a link");
        assert_eq!(error.code(), "pid_file_not_a_file");
        assert!(!target.exists());
        std::fs::remove_file(path).expect("it is there");
    }
}
