//! Claims about a disk that fails: what an append and a sync leave when they do not succeed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{LARGE, entry, fill, open};
use crate::segment::{self, RecordFile, SegmentError};
use crate::store::scratch::ScratchDir;
use crate::store::{Appended, Store, StoreError};

const HEALTHY: u8 = 0;
/// Half of each write arrives, as on a full disk.
const FULL: u8 = 1;
/// As full, and the file cannot be cut back either.
const BROKEN: u8 = 2;
const SYNC_FAILS: u8 = 3;

/// A file on a disk whose state the test sets.
#[derive(Debug)]
struct FaultyFile {
    real: Box<dyn RecordFile>,
    state: Arc<AtomicU8>,
}

impl RecordFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if matches!(self.state.load(Ordering::SeqCst), FULL | BROKEN) {
            self.real.append(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.real.append(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.state.load(Ordering::SeqCst) == BROKEN {
            return Err(io::ErrorKind::Other.into());
        }
        self.real.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.state.load(Ordering::SeqCst) == SYNC_FAILS {
            return Err(io::ErrorKind::Other.into());
        }
        self.real.sync()
    }
}

/// A store with one durable line of client `web`, on a disk in `state`.
fn store_on_faulty_disk(dir: &Path, state: u8) -> (Store, Arc<AtomicU8>) {
    fill(dir, LARGE, 1);
    let (mut store, _) = open(dir, LARGE);
    let state = Arc::new(AtomicU8::new(state));
    let shared = Arc::clone(&state);
    store.writer.wrap_file(move |real| {
        Box::new(FaultyFile {
            real,
            state: shared,
        })
    });
    (store, state)
}

#[test]
fn a_full_disk_loses_the_line_and_nothing_else() {
    let dir = ScratchDir::new("store-full");
    let (mut store, disk) = store_on_faulty_disk(dir.path(), FULL);
    let line = entry("two", Some(("web", 2)));
    for _ in 0..3 {
        assert!(matches!(
            store.append(&line),
            Err(StoreError::Segment(SegmentError::Io { .. }))
        ));
    }
    assert_eq!(
        store.highest_number("web"),
        Some(1),
        "a refused line is no duplicate later"
    );
    disk.store(HEALTHY, Ordering::SeqCst);
    assert_eq!(store.append(&line).unwrap(), Appended::Stored(2));
    drop(store);
    let (_, recovery) = open(dir.path(), LARGE);
    assert_eq!((recovery.records, recovery.bytes_cut), (2, 0));
}

#[test]
fn a_file_that_cannot_be_cut_back_makes_the_store_unusable_until_reopened() {
    let dir = ScratchDir::new("store-broken");
    let (mut store, disk) = store_on_faulty_disk(dir.path(), BROKEN);
    store.append(&entry("two", None)).unwrap_err();
    disk.store(HEALTHY, Ordering::SeqCst);
    let refused = store.append(&entry("three", None));
    assert!(
        matches!(
            refused,
            Err(StoreError::Segment(SegmentError::Unusable { .. }))
        ),
        "{refused:?}"
    );
    drop(store);
    let (_, recovery) = open(dir.path(), LARGE);
    assert_eq!(recovery.records, 1);
    assert!(recovery.bytes_cut > 0);
}

#[test]
fn a_failed_sync_is_never_repeated_into_a_success() {
    let dir = ScratchDir::new("store-sync");
    let (mut store, disk) = store_on_faulty_disk(dir.path(), SYNC_FAILS);
    store.append(&entry("two", Some(("web", 2)))).unwrap();
    store.sync().unwrap_err();
    disk.store(HEALTHY, Ordering::SeqCst);
    let refused = store.sync();
    assert!(
        matches!(
            refused,
            Err(StoreError::Segment(SegmentError::Unusable { .. }))
        ),
        "{refused:?}"
    );
    assert_eq!(store.synced_number("web"), Some(1));
}

#[test]
fn a_segment_is_synced_before_the_next_is_begun() {
    let dir = ScratchDir::new("store-roll-sync");
    let (mut store, _disk) = store_on_faulty_disk(dir.path(), HEALTHY);
    store.append(&entry("two", Some(("web", 2)))).unwrap();
    store.options.segment_bytes = 1;
    store.append(&entry("three", Some(("web", 3)))).unwrap();
    assert_eq!(store.synced_number("web"), Some(2));
}

#[test]
fn a_sync_that_fails_at_a_segments_end_stores_nothing_behind_it() {
    let dir = ScratchDir::new("store-roll-fails");
    let (mut store, _disk) = store_on_faulty_disk(dir.path(), SYNC_FAILS);
    store.append(&entry("two", Some(("web", 2)))).unwrap();
    store.options.segment_bytes = 1;
    store.append(&entry("three", Some(("web", 3)))).unwrap_err();
    assert_eq!(store.synced_number("web"), Some(1));
    assert_eq!(segment::list(dir.path()).unwrap().len(), 1);
}
