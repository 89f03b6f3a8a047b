//! Segment files: records one after another, only ever added at the end, each with its own checksum.
//!
//! A process or a machine can stop in the middle of a write, so a reader must be able to tell a whole
//! record from a part of one; and a file that only grows cannot lose what it already held. A record is
//!
//! ```text
//! "SLG1" | payload length, u32 | crc32 of length and payload, u32 | payload      (little endian)
//! ```
//!
//! and a file is named after the sequence number of its first record, `00000000000000000001.seg`.
//!
//! 1. A record is valid or it is not; the checksum covers the length, so a run of zeros is not valid.
//! 2. What follows the last valid record of the newest segment is a torn tail: a write that did not end.
//! 3. An invalid record *before* a valid one is damage to data that was whole once. Nothing here skips or
//!    cuts it: [`SegmentError::Corrupt`] names file and byte, and a person decides.
//!
//! It knows nothing of what a payload means; that is [`crate::store`]'s part.

mod crc32;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub(crate) use self::reader::{Next, SegmentReader};
#[cfg(test)]
pub(crate) use self::writer::RecordFile;
pub(crate) use self::writer::SegmentWriter;

/// The largest payload in bytes, 128 KiB: the longest frame and the fields around it fit twice. A length
/// above it is damage, and a reader never allocates for it.
pub(crate) const MAX_PAYLOAD: usize = 128 * 1024;

/// Marks a record's beginning; the digit is the format's version.
const MAGIC: [u8; 4] = *b"SLG1";

/// Magic, length and checksum.
const HEADER_BYTES: usize = 12;

/// Says what is wrong with a segment file, and where.
#[derive(Debug, Error)]
pub(crate) enum SegmentError {
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A record that had been written whole is not valid any more.
    #[error("{} is damaged at byte {offset}: move the file away to start without it", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where its first invalid record begins.
        offset: u64,
    },
    /// A payload is over [`MAX_PAYLOAD`]; nothing was written.
    #[error("a record of {bytes} bytes is over {MAX_PAYLOAD}")]
    TooLarge {
        /// The payload's length.
        bytes: usize,
    },
    /// An earlier failure left the file in a state only a new scan can tell.
    #[error("{} failed before and must be opened again", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
}

impl SegmentError {
    /// Binds the place of an error of the system, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }
}

/// A segment file and the sequence number of its first record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentName {
    /// The number in the file's name.
    pub(crate) first: u64,
    /// Where the file is.
    pub(crate) path: PathBuf,
}

/// Lists the segments in `dir`, the oldest first; other files are none of ours.
///
/// # Errors
///
/// [`SegmentError::Io`] if the directory cannot be read.
pub(crate) fn list(dir: &Path) -> Result<Vec<SegmentName>, SegmentError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(SegmentError::io("list", dir))? {
        let path = entry.map_err(SegmentError::io("list", dir))?.path();
        if let Some(first) = first_of(&path) {
            names.push(SegmentName { first, path });
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Names the segment whose first record is `first`: 20 digits hold any `u64`, so names sort as numbers.
pub(crate) fn path_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.seg"))
}

/// Makes the directory's own entries durable: a new file can be gone after a power failure otherwise.
pub(crate) fn sync_directory(dir: &Path) -> Result<(), SegmentError> {
    // Only Unix lets a directory be opened and synced.
    if cfg!(unix) {
        // `Path::parent` gives an empty path for the working directory.
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        File::open(dir)
            .and_then(|opened| opened.sync_all())
            .map_err(SegmentError::io("sync", dir))?;
    }
    Ok(())
}

fn first_of(path: &Path) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

/// Computes a record's checksum over its length and its payload.
fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    crc32::of(&[&length, payload])
}
