//! Reads a segment's records in order and says where it stops being valid.
//!
//! The reader takes the file's length once, when it opens it. A query can so read the segment that
//! another process is writing: what is added later is not there, and what is there does not change.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::{HEADER_BYTES, MAGIC, MAX_PAYLOAD, SegmentError, SegmentName, checksum};

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A valid record.
    Payload {
        /// Where the record begins in the file.
        offset: u64,
        /// What was appended.
        payload: Vec<u8>,
    },
    /// The file ends after the last record.
    End,
    /// Bytes follow that are no valid record; every later call says the same.
    Invalid,
}

/// One pass over a segment file.
#[derive(Debug)]
pub(crate) struct SegmentReader<'a> {
    path: &'a Path,
    file: BufReader<File>,
    length: u64,
    offset: u64,
    invalid: bool,
}

impl<'a> SegmentReader<'a> {
    /// Opens the file for reading.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Io`] if it cannot be opened.
    pub(crate) fn open(name: &'a SegmentName) -> Result<Self, SegmentError> {
        let path = name.path.as_path();
        let file = File::open(path).map_err(SegmentError::io("open", path))?;
        let length = file
            .metadata()
            .map_err(SegmentError::io("read the length of", path))?
            .len();
        Ok(Self {
            path,
            file: BufReader::new(file),
            length,
            offset: 0,
            invalid: false,
        })
    }

    /// Where the next record begins; after [`Next::Invalid`], where the valid part ends.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes follow the valid part.
    pub(crate) fn remaining(&self) -> u64 {
        self.length.saturating_sub(self.offset)
    }

    /// Reads one record.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Io`] if the file cannot be read; an invalid record is no error yet.
    pub(crate) fn next_payload(&mut self) -> Result<Next, SegmentError> {
        if self.remaining() == 0 {
            return Ok(Next::End);
        }
        if self.invalid {
            return Ok(Next::Invalid);
        }
        let Some(payload) = self.read_record()? else {
            self.invalid = true;
            return Ok(Next::Invalid);
        };
        let offset = self.offset;
        self.offset += (HEADER_BYTES + payload.len()) as u64;
        Ok(Next::Payload { offset, payload })
    }

    /// Says whether what follows [`Next::Invalid`] is a torn tail, with no valid record in it.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Io`] if the file cannot be read.
    pub(crate) fn tail_is_torn(&mut self) -> Result<bool, SegmentError> {
        let mut tail = Vec::new();
        let from = SeekFrom::Start(self.offset);
        let read = self.file.seek(from).and_then(|_| {
            let limit = self.length.saturating_sub(self.offset);
            self.file.by_ref().take(limit).read_to_end(&mut tail)
        });
        read.map_err(SegmentError::io("read", self.path))?;
        Ok(!(1..tail.len()).any(|at| tail.get(at..).is_some_and(begins_with_record)))
    }

    fn read_record(&mut self) -> Result<Option<Vec<u8>>, SegmentError> {
        let mut bytes = [0; HEADER_BYTES];
        if self.remaining() < HEADER_BYTES as u64 || !self.fill(&mut bytes)? {
            return Ok(None);
        }
        let room = self.remaining() - HEADER_BYTES as u64;
        let Some(header) =
            Header::parse(bytes).filter(|header| header.payload_bytes as u64 <= room)
        else {
            return Ok(None);
        };
        let mut payload = vec![0; header.payload_bytes];
        let whole = self.fill(&mut payload)?;
        Ok((whole && header.fits(&payload)).then_some(payload))
    }

    /// Fills the buffer; `false` if the file became shorter, as a writer may cut a failed record off.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, SegmentError> {
        match self.file.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(SegmentError::io("read", self.path)(error)),
        }
    }
}

struct Header {
    length: [u8; 4],
    payload_bytes: usize,
    checksum: u32,
}

impl Header {
    fn parse(bytes: [u8; HEADER_BYTES]) -> Option<Self> {
        let [a, b, c, d, length @ .., e, f, g, h] = bytes;
        let payload_bytes = u32::from_le_bytes(length) as usize;
        let plausible = [a, b, c, d] == MAGIC && payload_bytes <= MAX_PAYLOAD;
        plausible.then(|| Self {
            length,
            payload_bytes,
            checksum: u32::from_le_bytes([e, f, g, h]),
        })
    }

    fn fits(&self, payload: &[u8]) -> bool {
        checksum(self.length, payload) == self.checksum
    }
}

fn begins_with_record(bytes: &[u8]) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk() else {
        return false;
    };
    Header::parse(*header).is_some_and(|header| {
        rest.get(..header.payload_bytes)
            .is_some_and(|payload| header.fits(payload))
    })
}
