//! The store: every line received, in the order it was received, in one directory.
//!
//! This is the state the collector must not lose when a part of it restarts, so it lives in files and
//! comes back by reading them: [`Store::open`] scans all segments, cuts a torn tail off the newest, and
//! rebuilds what it knows of each client.
//!
//! 1. Records are numbered from 1 without gaps; a segment's name is the number of its first record.
//! 2. Of two appends with one client and number only the first is kept. Numbers of a client rise, so its
//!    highest is all that is remembered.
//! 3. [`Store::synced_number`] never names a line that a power failure could still take.
//! 4. One process writes: the file `lock` is locked as long as a [`Store`] lives. It is never removed, as
//!    two processes could then hold locks on two files of that name. A restarted writer has to drop the
//!    old store before it opens the new one.
//! 5. An append that fails stores nothing. If the segment may not be whole any more, or a sync failed, the
//!    store refuses everything further until it is opened again.
//!
//! It does no retention: remove old segment files, the oldest first, while it is closed or open.

mod entry;
mod fsync;
mod scan;
#[cfg(test)]
pub(crate) mod scratch;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::segment::{self, SegmentError, SegmentWriter};

pub(crate) use self::entry::Entry;
pub(crate) use self::fsync::{FsyncPolicy, SyncSchedule};
pub(crate) use self::scan::read_all;

/// How the store lays out its files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreOptions {
    /// Where a segment ends and the next begins, in bytes. One record may be larger.
    pub(crate) segment_bytes: u64,
}

/// What [`Store::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// The records kept: all that were whole.
    pub(crate) records: u64,
    /// The bytes of an unfinished record that were cut off.
    pub(crate) bytes_cut: u64,
    /// The segment files, with the one being written.
    pub(crate) segments: usize,
    /// The highest number of each client.
    pub(crate) highest: BTreeMap<String, u64>,
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The entry is the record of this number. It is durable after the next [`Store::sync`].
    Stored(u64),
    /// The client's number was stored before; nothing was written.
    Duplicate,
}

/// Says why the store cannot be opened, read or written.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// Another store has the directory.
    #[error("{} is in use by another process", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// A segment failed.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A record is valid and its content is not: another version wrote it.
    #[error("{} has an entry of an unknown format at byte {offset}", path.display())]
    Undecodable {
        /// The segment.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
    },
    /// A segment does not begin where the one before it ended: a file was removed or put there.
    #[error("{} should begin with record {expected}: a segment before it is missing or too long", path.display())]
    NotContiguous {
        /// The segment.
        path: PathBuf,
        /// The record that should come first in it.
        expected: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    appended: u64,
    synced: Option<u64>,
}

/// The open store. It blocks on the disk: call it where blocking is allowed.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    options: StoreOptions,
    writer: SegmentWriter,
    // The number of the next record.
    next: u64,
    clients: HashMap<String, Progress>,
    // The clients whose `appended` may be ahead of `synced`.
    unsynced_clients: HashSet<String>,
    unsynced_records: u64,
    // Released when the store is dropped, last of all fields: the file is closed then.
    _lock: File,
}

impl Store {
    /// Opens the directory, creates it if needed, and recovers what it holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another store has it; the others if what it holds cannot be trusted.
    pub(crate) fn open(dir: &Path, options: StoreOptions) -> Result<(Self, Recovery), StoreError> {
        create_directory(dir)?;
        let lock = lock(dir)?;
        let mut highest = BTreeMap::new();
        let scanned = read_all(dir, |entry| {
            if let Some((client, number)) = entry.client {
                let known = highest.entry(client).or_insert(number);
                *known = number.max(*known);
            }
        })?;
        let writer = match scanned.segments.last() {
            Some(name) => SegmentWriter::reopen(name, scanned.tail_offset)?,
            None => SegmentWriter::create(dir, scanned.next)?,
        };
        // `reopen` synced the newest segment; the older ones were synced before the next was begun.
        let progress = |(client, number): (&String, &u64)| {
            (
                client.clone(),
                Progress {
                    appended: *number,
                    synced: Some(*number),
                },
            )
        };
        let store = Self {
            dir: dir.to_path_buf(),
            options,
            writer,
            next: scanned.next,
            clients: highest.iter().map(progress).collect(),
            unsynced_clients: HashSet::new(),
            unsynced_records: 0,
            _lock: lock,
        };
        let segments = scanned.segments.len().max(1);
        Ok((
            store,
            Recovery {
                records: scanned.records,
                bytes_cut: scanned.torn_bytes,
                segments,
                highest,
            },
        ))
    }

    /// Adds an entry unless its client's number is there already.
    ///
    /// # Errors
    ///
    /// [`StoreError::Segment`]; the entry is not stored then (invariant 5).
    pub(crate) fn append(&mut self, entry: &Entry) -> Result<Appended, StoreError> {
        if let Some((client, number)) = &entry.client
            && self.highest_number(client) >= Some(*number)
        {
            return Ok(Appended::Duplicate);
        }
        let payload = entry.encode();
        if self
            .writer
            .is_full_for(&payload, self.options.segment_bytes)
        {
            // Invariant 3 needs the old segment on disk before it can no longer be synced.
            self.sync()?;
            self.writer = SegmentWriter::create(&self.dir, self.next)?;
        }
        self.writer.append(&payload)?;
        let sequence = self.next;
        self.next += 1;
        self.unsynced_records += 1;
        if let Some((client, number)) = &entry.client {
            self.note_appended(client, *number);
        }
        Ok(Appended::Stored(sequence))
    }

    /// Returns once every stored entry is on disk; at once if none is new.
    ///
    /// # Errors
    ///
    /// [`StoreError::Segment`], after which the store has to be opened again (invariant 5).
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if self.unsynced_records == 0 {
            return Ok(());
        }
        self.writer.sync()?;
        self.unsynced_records = 0;
        for client in self.unsynced_clients.drain() {
            if let Some(progress) = self.clients.get_mut(&client) {
                progress.synced = Some(progress.appended);
            }
        }
        Ok(())
    }

    /// The client's last number that is on disk: what it may be told as `ACK`.
    pub(crate) fn synced_number(&self, client: &str) -> Option<u64> {
        self.clients
            .get(client)
            .and_then(|progress| progress.synced)
    }

    /// The client's last number that is stored, on disk or not: what a next line may follow.
    pub(crate) fn highest_number(&self, client: &str) -> Option<u64> {
        self.clients.get(client).map(|progress| progress.appended)
    }

    fn note_appended(&mut self, client: &str, number: u64) {
        if let Some(progress) = self.clients.get_mut(client) {
            progress.appended = number;
        } else {
            self.clients.insert(
                client.to_owned(),
                Progress {
                    appended: number,
                    synced: None,
                },
            );
        }
        if !self.unsynced_clients.contains(client) {
            self.unsynced_clients.insert(client.to_owned());
        }
    }
}

fn create_directory(dir: &Path) -> Result<(), SegmentError> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(SegmentError::io("create", dir))?;
    dir.parent().map_or(Ok(()), segment::sync_directory)
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let mut options = File::options();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(SegmentError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            dir: dir.to_path_buf(),
        }),
        Err(TryLockError::Error(error)) => Err(SegmentError::io("lock", &path)(error).into()),
    }
}
