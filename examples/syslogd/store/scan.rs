//! Reads every entry of a directory in order; recovery and queries share it.
//!
//! It changes nothing and needs no lock, so a query can read beside the process that writes: what that
//! process has begun and not ended looks like a torn tail, and is counted and left alone.

use std::path::Path;

use super::{Entry, StoreError};
use crate::segment::{self, Next, SegmentError, SegmentName, SegmentReader};

/// What was read, and where the readable part ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// The segments, the oldest first.
    pub(crate) segments: Vec<SegmentName>,
    /// The records read.
    pub(crate) records: u64,
    /// The number the next record will have.
    pub(crate) next: u64,
    /// Where the newest segment's last whole record ends.
    pub(crate) tail_offset: u64,
    /// The bytes after it.
    pub(crate) torn_bytes: u64,
}

/// Calls `on_entry` with each entry in the order they were stored.
///
/// # Errors
///
/// [`StoreError`] if a file cannot be read, is damaged before its end, or is missing between two others.
pub(crate) fn read_all(dir: &Path, mut on_entry: impl FnMut(Entry)) -> Result<Scanned, StoreError> {
    let segments = segment::list(dir)?;
    // The first segments may have been removed to save space, so counting starts at the oldest there is.
    let next = segments.first().map_or(1, |oldest| oldest.first);
    let mut scanned = Scanned {
        segments: Vec::new(),
        records: 0,
        next,
        tail_offset: 0,
        torn_bytes: 0,
    };
    for (index, name) in segments.iter().enumerate() {
        check_continues(name, scanned.next)?;
        let may_be_torn = index + 1 == segments.len();
        scanned.read_segment(name, may_be_torn, &mut on_entry)?;
    }
    scanned.segments = segments;
    Ok(scanned)
}

impl Scanned {
    /// Only the newest segment was being written when a process stopped, so only it may be torn.
    fn read_segment(
        &mut self,
        name: &SegmentName,
        may_be_torn: bool,
        on_entry: &mut impl FnMut(Entry),
    ) -> Result<(), StoreError> {
        let mut reader = SegmentReader::open(name)?;
        loop {
            match reader.next_payload()? {
                Next::End => break,
                Next::Payload { offset, payload } => {
                    let undecodable = || StoreError::Undecodable {
                        path: name.path.clone(),
                        offset,
                    };
                    on_entry(Entry::decode(&payload).ok_or_else(undecodable)?);
                    self.records += 1;
                    self.next = self.next.saturating_add(1);
                }
                Next::Invalid => {
                    if may_be_torn && reader.tail_is_torn()? {
                        break;
                    }
                    let (path, offset) = (name.path.clone(), reader.offset());
                    return Err(SegmentError::Corrupt { path, offset }.into());
                }
            }
        }
        (self.tail_offset, self.torn_bytes) = (reader.offset(), reader.remaining());
        Ok(())
    }
}

fn check_continues(name: &SegmentName, next: u64) -> Result<(), StoreError> {
    if name.first == next {
        return Ok(());
    }
    Err(StoreError::NotContiguous {
        path: name.path.clone(),
        expected: next,
    })
}
