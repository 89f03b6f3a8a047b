//! How a log file is opened: at first wherever the links to it lead, and from then on only there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file that lines can be appended to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) born: SystemTime,
}

/// Opens what stands at a path, or makes it; returns also where that is, behind all links, if it is a
/// regular file.
///
/// # Errors
///
/// The system's; one of them says that a pipe has no reader, which is not waited for.
pub(super) fn first(path: &Path) -> io::Result<(Opened, Option<PathBuf>)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    careful(&mut options, Links::Followed);
    let file = options.open(path)?;
    wait_for_readers(&file)?;
    let is_regular = file.metadata()?.is_file();
    // What has no path, such as a standard output that leads to a file without a name, has no home.
    let home = is_regular.then(|| fs::canonicalize(path).ok()).flatten();
    let home = home.filter(|home| is_at(&file, home));
    Ok((known(file)?, home))
}

/// Opens the file where it stood, or makes it. Whoever may write to the folder could have put a link there,
/// or a pipe: neither is opened.
pub(super) fn again(home: &Path) -> io::Result<Opened> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    careful(&mut options, Links::Refused);
    let opened = known(options.open(home)?)?;
    match opened.file.metadata()?.is_file() {
        true => Ok(opened),
        false => Err(io::Error::other("what stands there is no regular file")),
    }
}

/// Makes the file that comes after another, of the same owner and for the same readers.
pub(super) fn in_place_of(old: &File, path: &Path) -> io::Result<Opened> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    closed_to_others(&mut options);
    let file = options.open(path)?;
    let found = old.metadata()?;
    keep_owner(&file, &found);
    // Where a file system has none it stays closed to others: no reason to rotate no more.
    drop(file.set_permissions(found.permissions()));
    known(file)
}

fn known(file: File) -> io::Result<Opened> {
    let found = file.metadata()?;
    // Where the file system does not know when a file was made, its last change is near enough: what is
    // older was rotated by the process before.
    let born = found.created().or_else(|_| found.modified());
    Ok(Opened {
        file,
        bytes: found.len(),
        born: born.unwrap_or_else(|_| SystemTime::now()),
    })
}

/// What is done about a link at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    Followed,
    Refused,
}

/// Waits for nobody at a pipe, and does not take a terminal for the process's own.
#[cfg(unix)]
fn careful(options: &mut OpenOptions, links: Links) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;

    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refused {
        flags |= OFlags::NOFOLLOW;
    }
    if let Ok(flags) = i32::try_from(flags.bits()) {
        options.custom_flags(flags);
    }
}

#[cfg(not(unix))]
fn careful(_options: &mut OpenOptions, _links: Links) {}

/// Lets a write wait for room again, which only opening must not do: what is no regular file has a reader.
#[cfg(unix)]
fn wait_for_readers(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    rustix::fs::fcntl_setfl(file, flags - rustix::fs::OFlags::NONBLOCK)?;
    Ok(())
}

#[cfg(not(unix))]
fn wait_for_readers(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Tells whether a file is the one at a path, which is no link.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
pub(super) fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Until it has the permissions that it is to have, nobody else reads it.
#[cfg(unix)]
fn closed_to_others(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
fn closed_to_others(_options: &mut OpenOptions) {}

/// Gives a file to whom the one before belongs, as far as the process may.
#[cfg(unix)]
fn keep_owner(file: &File, before: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};

    let is_same = |now: fs::Metadata| (now.uid(), now.gid()) == (before.uid(), before.gid());
    if !file.metadata().is_ok_and(is_same) {
        // Refused to all but root: then it is ours, which is as good as can be.
        drop(fchown(file, Some(before.uid()), Some(before.gid())));
    }
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _before: &fs::Metadata) {}
