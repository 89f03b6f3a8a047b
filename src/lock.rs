//! One instance of a program: a file that is locked as long as the process lives.
//!
//! The lock is the truth and the number in the file is a courtesy: the system gives the lock back when
//! the process ends, however it ends, so that a file that was left behind stops nobody.
//!
//! # Invariants
//!
//! 1. Nothing is written to the file before it is locked: a second instance does not destroy what the
//!    first has written.
//! 2. What is opened is what is looked at: no link is followed, and no other file can be put in its place
//!    between a look and the next step.
//! 3. The file is never removed. Whoever removes one that is open lets two processes hold "the" lock, on
//!    two files of one name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The most that is read of a file to find a process number in it.
const MOST_DIGITS: u64 = 32;

/// How often a file that somebody puts in the place of the one that was just locked is locked instead.
const MOST_TRIES: u32 = 8;

/// Who may read the file: everybody, as `kill $(cat app.pid)` does. Nobody else may write to it.
#[cfg(unix)]
const FILE_MODE: u32 = 0o644;

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
        for _ in 0..MOST_TRIES {
            let mut file = open(path)?;
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
            // Whoever tidies folders may have removed it between the two steps: then another instance
            // would lock another file.
            if is_at(&file, path) {
                restrict(&file).map_err(refused)?;
                write_holder(&mut file).map_err(refused)?;
                return Ok(Self {
                    _file: file,
                    path: path.to_owned(),
                });
            }
        }
        let changes = io::Error::other("somebody removes it again and again");
        Err(refused(changes))
    }

    /// Keeps the lock until the process ends.
    pub fn keep(self) {
        // What is never dropped is closed by the system.
        Box::leak(Box::new(self));
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens the file, or makes it; never a link, and nothing but a file.
fn open(path: &Path) -> Result<File, LockError> {
    let refused = |source| LockError::File {
        path: path.to_owned(),
        source,
    };
    let not_a_file = || LockError::NotAFile {
        path: path.to_owned(),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    careful(&mut options);
    let file = match options.open(path) {
        Ok(file) => file,
        // Asked only for the word of the complaint: whatever stands there now was not opened.
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) => {
            return Err(not_a_file());
        }
        Err(error) => return Err(refused(error)),
    };
    match file.metadata().map_err(refused)?.is_file() {
        true => Ok(file),
        false => Err(not_a_file()),
    }
}

/// Follows no link, waits for nobody at a pipe, and lets nobody else write to what is made.
#[cfg(unix)]
fn careful(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;

    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.mode(FILE_MODE);
    if let Ok(flags) = i32::try_from(flags.bits()) {
        options.custom_flags(flags);
    }
}

#[cfg(not(unix))]
fn careful(_options: &mut OpenOptions) {}

/// Takes the right to write to a file that was there from everybody but its owner: whoever can lock it
/// can keep the program from starting.
#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mode = file.metadata()?.permissions().mode();
    match mode & 0o022 {
        0 => Ok(()),
        _ => file.set_permissions(fs::Permissions::from_mode(FILE_MODE)),
    }
}

#[cfg(not(unix))]
fn restrict(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
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
    fn the_file_can_be_read_by_all_and_written_to_by_its_owner_alone() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};

        let path = path("mode");
        let mode = || std::fs::metadata(&path).expect("it is there").mode() & 0o777;
        drop(InstanceLock::acquire(&path).expect("nobody holds it"));
        assert_eq!(mode() & 0o022, 0, "whatever the umask says");
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&path, open).expect("it is ours");
        drop(InstanceLock::acquire(&path).expect("nobody holds it"));
        assert_eq!(mode(), 0o644);
        std::fs::remove_file(path).expect("it is there");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_refused_and_nobody_waits_at_it() {
        let path = path("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo is there").success());
        let error = InstanceLock::acquire(&path).expect_err("a pipe");
        assert_eq!(error.code(), "pid_file_not_a_file");
        std::fs::remove_file(path).expect("it is there");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_is_put_there_after_the_look_is_not_followed() {
        let (path, target) = (path("late-link"), path("late-target"));
        std::fs::write(&target, "precious").expect("a file");
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        // What `acquire` does after every look.
        let error = super::open(&path).expect_err("a link");
        assert_eq!(error.code(), "pid_file_not_a_file");
        assert_eq!(std::fs::read_to_string(&target).expect("text"), "precious");
        std::fs::remove_file(path).expect("it is there");
        std::fs::remove_file(target).expect("it is there");
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
