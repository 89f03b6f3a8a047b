//! Claims about the store: what survives a stop at any byte, and what a client may rely on.

mod disk;

use std::fs;
use std::path::Path;

use super::scratch::ScratchDir;
use super::{Appended, Entry, Recovery, Store, StoreError, StoreOptions, read_all};
use crate::segment::{self, SegmentError};

const LARGE: StoreOptions = StoreOptions {
    segment_bytes: 1 << 20,
};
const SMALL: StoreOptions = StoreOptions { segment_bytes: 300 };

fn entry(text: &str, client: Option<(&str, u64)>) -> Entry {
    let client = client.map(|(name, number)| (name.to_owned(), number));
    let raw = format!("<13>Nov 21 04:54:32 web app: {text}").into_bytes();
    Entry::received(1, "127.0.0.1:514".parse().unwrap(), client, raw).0
}

fn open(dir: &Path, options: StoreOptions) -> (Store, Recovery) {
    Store::open(dir, options).unwrap()
}

/// Stores `count` lines of client `web`, numbered from 1.
fn fill(dir: &Path, options: StoreOptions, count: u64) {
    let (mut store, _) = open(dir, options);
    for number in 1..=count {
        let stored = store
            .append(&entry(&format!("line {number}"), Some(("web", number))))
            .unwrap();
        assert_eq!(stored, Appended::Stored(number));
    }
    store.sync().unwrap();
}

fn texts(dir: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    read_all(dir, |entry| {
        texts.push(String::from_utf8(entry.raw).unwrap())
    })
    .unwrap();
    texts
}

#[test]
fn an_empty_directory_opens_empty_and_is_created() {
    let dir = ScratchDir::new("store-empty");
    let (store, recovery) = open(&dir.path().join("a/b"), LARGE);
    assert_eq!(
        (recovery.records, recovery.bytes_cut, recovery.segments),
        (0, 0, 1)
    );
    assert_eq!(store.synced_number("web"), None);
}

#[test]
fn everything_comes_back_in_order_over_many_segments() {
    let dir = ScratchDir::new("store-roll");
    fill(dir.path(), SMALL, 40);
    let (mut store, recovery) = open(dir.path(), SMALL);
    assert_eq!((recovery.records, recovery.bytes_cut), (40, 0));
    assert!(recovery.segments > 10, "{recovery:?}");
    assert_eq!(recovery.highest, [("web".to_owned(), 40)].into());
    assert_eq!(
        store.append(&entry("more", None)).unwrap(),
        Appended::Stored(41)
    );
    let texts = texts(dir.path());
    assert!(
        texts[0].ends_with("line 1")
            && texts[39].ends_with("line 40")
            && texts[40].ends_with("more")
    );
}

#[test]
fn a_stop_at_every_byte_keeps_exactly_the_whole_records() {
    let dir = ScratchDir::new("store-torn");
    fill(dir.path(), LARGE, 4);
    let path = segment::path_of(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    let record = whole.len() / 4;
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let kept = (cut / record) as u64;
        let torn = (cut % record) as u64;
        assert_eq!(read_all(dir.path(), drop).unwrap().torn_bytes, torn);
        assert_eq!(
            fs::metadata(&path).unwrap().len(),
            cut as u64,
            "reading changes nothing"
        );
        let (mut store, recovery) = open(dir.path(), LARGE);
        assert_eq!(
            (recovery.records, recovery.bytes_cut),
            (kept, torn),
            "cut at {cut}"
        );
        assert_eq!(store.synced_number("web"), (kept > 0).then_some(kept));
        let again = entry("again", Some(("web", kept + 1)));
        assert_eq!(store.append(&again).unwrap(), Appended::Stored(kept + 1));
        drop(store);
        assert_eq!(texts(dir.path()).len() as u64, kept + 1);
    }
}

#[test]
fn damage_before_the_tail_is_refused_with_file_and_offset_and_nothing_is_cut() {
    let dir = ScratchDir::new("store-damage");
    fill(dir.path(), LARGE, 3);
    let path = segment::path_of(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let record = bytes.len() / 3;
    bytes[record + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let Err(StoreError::Segment(SegmentError::Corrupt {
        path: named,
        offset,
    })) = Store::open(dir.path(), LARGE)
    else {
        panic!("damage was accepted");
    };
    assert_eq!((named, offset), (path.clone(), record as u64));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_torn_tail_in_an_older_segment_is_damage() {
    let dir = ScratchDir::new("store-old-tail");
    fill(dir.path(), SMALL, 10);
    let first = segment::path_of(dir.path(), 1);
    let bytes = fs::read(&first).unwrap();
    fs::write(&first, &bytes[..bytes.len() - 1]).unwrap();
    let refused = Store::open(dir.path(), SMALL);
    assert!(
        matches!(
            refused,
            Err(StoreError::Segment(SegmentError::Corrupt { .. }))
        ),
        "{refused:?}"
    );
}

#[test]
fn a_missing_segment_is_refused_unless_it_was_the_oldest() {
    let dir = ScratchDir::new("store-missing");
    fill(dir.path(), SMALL, 20);
    let names = segment::list(dir.path()).unwrap();
    fs::remove_file(&names[0].path).unwrap();
    drop(open(dir.path(), SMALL));
    fs::remove_file(&names[2].path).unwrap();
    let Err(StoreError::NotContiguous { path, expected }) = Store::open(dir.path(), SMALL) else {
        panic!("a gap was accepted");
    };
    assert_eq!((path, expected), (names[3].path.clone(), names[2].first));
}

#[test]
fn a_record_of_another_format_is_refused() {
    let dir = ScratchDir::new("store-format");
    segment::SegmentWriter::create(dir.path(), 1)
        .unwrap()
        .append(b"\x09from the future")
        .unwrap();
    let refused = Store::open(dir.path(), LARGE);
    assert!(
        matches!(refused, Err(StoreError::Undecodable { offset: 0, .. })),
        "{refused:?}"
    );
}

#[test]
fn a_number_is_stored_once_even_after_a_restart_and_clients_do_not_meet() {
    let dir = ScratchDir::new("store-duplicates");
    fill(dir.path(), SMALL, 5);
    let (mut store, _) = open(dir.path(), SMALL);
    for number in [5, 1, 3] {
        assert_eq!(
            store
                .append(&entry("again", Some(("web", number))))
                .unwrap(),
            Appended::Duplicate
        );
    }
    assert_eq!(
        store.append(&entry("other", Some(("db", 3)))).unwrap(),
        Appended::Stored(6)
    );
    assert_eq!(
        store.append(&entry("gap", Some(("web", 9)))).unwrap(),
        Appended::Stored(7)
    );
    assert_eq!(
        store.append(&entry("plain", None)).unwrap(),
        Appended::Stored(8)
    );
    assert_eq!(
        store.append(&entry("plain", None)).unwrap(),
        Appended::Stored(9),
        "plain lines may repeat"
    );
}

#[test]
fn a_number_counts_as_synced_only_after_a_sync() {
    let dir = ScratchDir::new("store-synced");
    let (mut store, _) = open(dir.path(), LARGE);
    store.append(&entry("a", Some(("web", 1)))).unwrap();
    assert_eq!(
        (store.synced_number("web"), store.highest_number("web")),
        (None, Some(1))
    );
    store.sync().unwrap();
    store.append(&entry("b", Some(("web", 2)))).unwrap();
    assert_eq!(
        (store.synced_number("web"), store.highest_number("web")),
        (Some(1), Some(2))
    );
}

#[test]
fn a_second_store_on_the_directory_is_refused_until_the_first_is_dropped() {
    let dir = ScratchDir::new("store-lock");
    let first = open(dir.path(), LARGE);
    assert!(matches!(
        Store::open(dir.path(), LARGE),
        Err(StoreError::Locked { .. })
    ));
    drop(first);
    assert!(
        dir.path().join("lock").exists(),
        "the lock file is never unlinked"
    );
    drop(open(dir.path(), LARGE));
}
