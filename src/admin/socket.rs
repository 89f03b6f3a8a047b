//! A Unix socket that nobody else can use, take over or be fooled by. Programs can bind their own in the
//! same way.
//!
//! # Invariants
//!
//! 1. The folder belongs to the user that the process runs as and nobody else can put anything into it,
//!    whatever its path is. It is closed to all others, unless some of them are allowed: then all may
//!    pass, and those who are not allowed are turned away by what the kernel says of them.
//! 2. What stands at the path and is no socket, or a link to one, is left there.
//! 3. A socket on which somebody listens is never removed. To look and to bind is one step: the folder is
//!    locked while it lasts.
//! 4. Only the process that bound a socket removes it.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;

use crate::sync::{Mutex, lock};

/// Who may enter the folder: its owner. With other users allowed all may pass through it, and see nothing
/// of what is in it.
const FOLDER_MODES: [u32; 2] = [0o700, 0o711];

/// Who may connect to the socket: its owner. With other users allowed all may, and the kernel says who
/// has.
const SOCKET_MODES: [u32; 2] = [0o600, 0o666];

/// Who connected, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The user's number.
    pub uid: u32,
    /// The process's number; `None` where the system does not tell.
    pub pid: Option<i32>,
}

/// A socket that takes connections of those who may connect. It is removed when this is dropped.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
    /// Which file it is: its device and its number.
    identity: (u64, u64),
    allowed: Vec<u32>,
    /// Those of others.
    knocks: Mutex<Knocks>,
}

/// How often it is told at most that somebody may not connect: everybody on the machine can knock.
const KNOCKS_TOLD: Duration = Duration::from_secs(1);

/// Those who may not connect, and have been told of or not yet.
#[derive(Debug, Default)]
struct Knocks {
    told: Option<Instant>,
    untold: u64,
}

impl Knocks {
    /// Counts one more; returns how many there are to tell of, when that is due.
    fn next(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now < told + KNOCKS_TOLD) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// Says why there is no socket.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The path can't be used as it is.
    #[error("cannot listen on {}: {why}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody listens there already.
    #[error("somebody listens on {} already", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot listen on {}", path.display())]
    System {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl SocketError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Path { .. } => "socket_path",
            Self::InUse { .. } => "instance_running",
            Self::System { .. } => "socket_failed",
        }
    }
}

impl Listener {
    /// Binds a socket in a folder that is made if it is not there, for root, for the user that the
    /// process runs as, and for those of `allowed`.
    ///
    /// A folder that is there must be 0700, or 0711 (or 0755) where users are allowed, who could not get
    /// to the socket otherwise; one that is made is given the mode. The socket is 0600, or 0666.
    ///
    /// # Errors
    ///
    /// [`SocketError`]; what stood at the path still does.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime with I/O.
    pub fn bind(path: &Path, allowed: &[u32]) -> Result<Self, SocketError> {
        let system = |source| SocketError::System {
            path: path.to_owned(),
            source,
        };
        let refuse = |why| SocketError::Path {
            path: path.to_owned(),
            why,
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => return Err(refuse("it needs a folder of its own")),
        };
        let is_shared = !allowed.is_empty();
        prepare(folder, is_shared)
            .map_err(system)?
            .map_err(refuse)?;
        let lock = File::open(folder).map_err(system)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SocketError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(system(error)),
        }
        clear(path)?;
        let listener = UnixListener::bind(path).map_err(system)?;
        fs::set_permissions(
            path,
            Permissions::from_mode(SOCKET_MODES[usize::from(is_shared)]),
        )
        .map_err(system)?;
        let bound = fs::symlink_metadata(path).map_err(system)?;
        drop(lock);
        let mut allowed = allowed.to_vec();
        allowed.extend([0, own_uid()]);
        Ok(Self {
            listener,
            path: path.to_owned(),
            identity: (bound.dev(), bound.ino()),
            allowed,
            knocks: Mutex::default(),
        })
    }

    /// Waits for the next client that may connect. Others are closed without a word, and logged.
    ///
    /// # Errors
    ///
    /// The operating system's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let credentials = stream.peer_cred()?;
            let peer = Peer {
                uid: credentials.uid(),
                pid: credentials.pid(),
            };
            if self.allowed.contains(&peer.uid) {
                return Ok((stream, peer));
            }
            if let Some(times) = lock(&self.knocks).next(Instant::now()) {
                tracing::warn!(uid = peer.uid, pid = peer.pid, times, path = %self.path.display(), "may not connect");
            }
        }
    }

    /// Returns where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == self.identity) {
            // One that can't be removed is found to be dead by whoever comes next.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Makes the folder, or looks whether the one that is there can be trusted.
fn prepare(folder: &Path, is_shared: bool) -> io::Result<Result<(), &'static str>> {
    let mode = FOLDER_MODES[usize::from(is_shared)];
    let made = DirBuilder::new().mode(FOLDER_MODES[0]).create(folder);
    match made {
        // The mode of what is made is what the process's umask leaves of it.
        Ok(()) if is_shared => fs::set_permissions(folder, Permissions::from_mode(mode))?,
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = fs::symlink_metadata(folder)?;
    let why = match () {
        () if !found.is_dir() => "what it lies in is no folder, or a link to one",
        () if found.uid() != own_uid() => "its folder belongs to another user",
        () if is_shared && found.mode() & 0o022 != 0 => {
            "others can write to its folder: its mode must be 0711"
        }
        () if is_shared && found.mode() & 0o001 == 0 => {
            "those who are allowed cannot enter its folder: its mode must be 0711"
        }
        () if !is_shared && found.mode() & 0o077 != 0 => {
            "its folder is open to others: its mode must be 0700"
        }
        () => return Ok(Ok(())),
    };
    Ok(Err(why))
}

/// Removes a socket on which nobody listens any more.
fn clear(path: &Path) -> Result<(), SocketError> {
    let system = |source| SocketError::System {
        path: path.to_owned(),
        source,
    };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(error)),
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::Path {
            path: path.to_owned(),
            why: "what stands there is no socket",
        });
    }
    match is_dead(path).map_err(system)? {
        true => fs::remove_file(path).map_err(system),
        false => Err(SocketError::InUse {
            path: path.to_owned(),
        }),
    }
}

/// Tells whether nobody listens on a socket, without waiting for whoever does: one whose queue is full
/// would be waited for until it takes a connection, and that may be never.
fn is_dead(path: &Path) -> io::Result<bool> {
    use rustix::net;

    let socket = net::socket(net::AddressFamily::UNIX, net::SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    let connected = net::connect(&socket, &net::SocketAddrUnix::new(path)?);
    // Somebody has it too where the queue is full, or where it is no stream.
    Ok(connected == Err(rustix::io::Errno::CONNREFUSED))
}

#[cfg(test)]
mod tests;
