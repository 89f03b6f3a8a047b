//! Adds records to one segment file, and leaves it valid when that fails.
//!
//! 1. `length` is the end of the last whole record. After a failed write the file is cut back to it.
//! 2. If it cannot be cut back, or if a sync fails, the writer refuses everything further: after a failed
//!    fsync the system may have dropped the pages and report success the next time, so a retry proves
//!    nothing. Opening the segment again finds out what is there.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{
    HEADER_BYTES, MAGIC, MAX_PAYLOAD, SegmentError, SegmentName, checksum, path_of, sync_directory,
};

/// What the writer needs of a file; tests put a failing disk in its place.
pub(crate) trait RecordFile: fmt::Debug + Send {
    /// Writes all bytes at the end, or fails with any part of them written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to `length` bytes; the next append begins there.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Returns once everything appended is on disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl RecordFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    path: PathBuf,
    file: Box<dyn RecordFile>,
    length: u64,
    unusable: bool,
}

impl SegmentWriter {
    /// Creates the empty segment whose first record will be `first`.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Io`] if the file cannot be created or exists with records in it.
    pub(crate) fn create(dir: &Path, first: u64) -> Result<Self, SegmentError> {
        let path = path_of(dir, first);
        let failed = || SegmentError::io("create", &path);
        // An empty file of that name is left when an earlier attempt failed at syncing the directory.
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed())?;
        if file.metadata().map_err(failed())?.len() > 0 {
            return Err(failed()(ErrorKind::AlreadyExists.into()));
        }
        sync_directory(dir)?;
        Ok(Self {
            path,
            file: Box::new(file),
            length: 0,
            unusable: false,
        })
    }

    /// Opens a segment that was read up to `length`, cuts off what follows, and makes the rest durable:
    /// a record can be read before it was ever synced.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Io`] if the file cannot be opened, cut or synced.
    pub(crate) fn reopen(name: &SegmentName, length: u64) -> Result<Self, SegmentError> {
        let path = name.path.clone();
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .open(&path)
            .map_err(SegmentError::io("open", &path))?;
        file.truncate(length)
            .map_err(SegmentError::io("cut", &path))?;
        file.sync_all().map_err(SegmentError::io("sync", &path))?;
        Ok(Self {
            path,
            file: Box::new(file),
            length,
            unusable: false,
        })
    }

    /// Says whether `payload` would take the file over `limit` bytes. An empty file takes any record.
    pub(crate) fn is_full_for(&self, payload: &[u8], limit: u64) -> bool {
        let after = self
            .length
            .saturating_add((HEADER_BYTES + payload.len()) as u64);
        self.length > 0 && after > limit
    }

    /// Adds one record. Nothing promises that it is on disk before [`SegmentWriter::sync`].
    ///
    /// # Errors
    ///
    /// [`SegmentError`]; the record is not in the file then, and unless the error is
    /// [`SegmentError::Unusable`] or the next one is, the writer can be used further.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<(), SegmentError> {
        self.check_usable()?;
        let record = encode(payload)?;
        if let Err(error) = self.file.append(&record) {
            self.unusable = self.file.truncate(self.length).is_err();
            return Err(SegmentError::io("write to", &self.path)(error));
        }
        self.length += record.len() as u64;
        Ok(())
    }

    /// Returns once every record is on disk.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Io`], after which the writer is unusable.
    pub(crate) fn sync(&mut self) -> Result<(), SegmentError> {
        self.check_usable()?;
        self.file.sync().map_err(|error| {
            self.unusable = true;
            SegmentError::io("sync", &self.path)(error)
        })
    }

    /// Puts another file under the writer: `wrap` is given the real one.
    #[cfg(test)]
    pub(crate) fn wrap_file(
        &mut self,
        wrap: impl FnOnce(Box<dyn RecordFile>) -> Box<dyn RecordFile>,
    ) {
        let real = OpenOptions::new().append(true).open(&self.path).unwrap();
        self.file = wrap(Box::new(real));
    }

    fn check_usable(&self) -> Result<(), SegmentError> {
        if self.unusable {
            return Err(SegmentError::Unusable {
                path: self.path.clone(),
            });
        }
        Ok(())
    }
}

/// Builds the whole record, so that it is one write.
fn encode(payload: &[u8]) -> Result<Vec<u8>, SegmentError> {
    let bytes = payload.len();
    let too_large = SegmentError::TooLarge { bytes };
    if bytes > MAX_PAYLOAD {
        return Err(too_large);
    }
    let length = u32::try_from(bytes).map_err(|_| too_large)?.to_le_bytes();
    let crc = checksum(length, payload).to_le_bytes();
    Ok([&MAGIC, &length, &crc, payload].concat())
}
