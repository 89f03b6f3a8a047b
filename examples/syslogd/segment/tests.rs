//! Claims about segment files: what a stop in the middle of a write leaves, and what damage looks like.

use std::fs;
use std::path::Path;

use super::{
    MAX_PAYLOAD, Next, SegmentError, SegmentName, SegmentReader, SegmentWriter, list, path_of,
};
use crate::store::scratch::ScratchDir;

fn write(dir: &Path, payloads: &[&[u8]]) -> SegmentName {
    let mut writer = SegmentWriter::create(dir, 1).unwrap();
    for payload in payloads {
        writer.append(payload).unwrap();
    }
    writer.sync().unwrap();
    SegmentName {
        first: 1,
        path: path_of(dir, 1),
    }
}

fn read(name: &SegmentName) -> (Vec<Vec<u8>>, Next, u64, bool) {
    let mut reader = SegmentReader::open(name).unwrap();
    let mut payloads = Vec::new();
    loop {
        match reader.next_payload().unwrap() {
            Next::Payload { payload, .. } => payloads.push(payload),
            end => {
                return (
                    payloads,
                    end,
                    reader.offset(),
                    reader.tail_is_torn().unwrap(),
                );
            }
        }
    }
}

#[test]
fn what_is_written_is_read_in_order_even_when_empty() {
    let dir = ScratchDir::new("segment-order");
    let name = write(dir.path(), &[b"one", b"", &[0; MAX_PAYLOAD]]);
    let (payloads, end, ..) = read(&name);
    assert_eq!(
        payloads,
        [b"one".to_vec(), Vec::new(), vec![0; MAX_PAYLOAD]]
    );
    assert_eq!(end, Next::End);
}

#[test]
fn a_file_cut_at_any_byte_holds_exactly_the_records_before_the_cut() {
    let dir = ScratchDir::new("segment-cut");
    // A payload that contains the magic must not confuse the search for a later record.
    let name = write(dir.path(), &[b"one", b"SLG1SLG1\x04\0\0\0", b"three"]);
    let whole = fs::read(&name.path).unwrap();
    let ends = [0, 15, 39, 56];
    for cut in 0..=whole.len() {
        fs::write(&name.path, &whole[..cut]).unwrap();
        let (payloads, end, offset, torn) = read(&name);
        let kept = ends.iter().filter(|&&end| end > 0 && end <= cut).count();
        assert_eq!(
            (payloads.len(), offset),
            (kept, ends[kept] as u64),
            "cut at {cut}"
        );
        assert_eq!(end == Next::End, ends.contains(&cut));
        assert!(torn);
    }
}

#[test]
fn any_changed_byte_makes_its_record_invalid_and_only_the_last_one_looks_torn() {
    let dir = ScratchDir::new("segment-flip");
    let name = write(dir.path(), &[b"one", b"two", b"three"]);
    let whole = fs::read(&name.path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&name.path, changed).unwrap();
        let (payloads, end, _, torn) = read(&name);
        assert_eq!(
            (payloads.len(), end),
            ((at / 15).min(2), Next::Invalid),
            "byte {at}"
        );
        assert_eq!(torn, at >= 30, "byte {at}");
    }
}

#[test]
fn zeros_after_the_last_record_are_a_torn_tail() {
    let dir = ScratchDir::new("segment-zeros");
    let name = write(dir.path(), &[b"one"]);
    let mut bytes = fs::read(&name.path).unwrap();
    bytes.resize(4096, 0);
    fs::write(&name.path, bytes).unwrap();
    assert_eq!(
        read(&name),
        (vec![b"one".to_vec()], Next::Invalid, 15, true)
    );
}

#[test]
fn a_reopened_segment_loses_its_torn_tail_and_goes_on_behind_the_last_record() {
    let dir = ScratchDir::new("segment-reopen");
    let name = write(dir.path(), &[b"one", b"two"]);
    let whole = fs::read(&name.path).unwrap();
    fs::write(&name.path, &whole[..20]).unwrap();
    let mut writer = SegmentWriter::reopen(&name, 15).unwrap();
    writer.append(b"new").unwrap();
    assert_eq!(read(&name).0, [b"one", b"new"]);
}

#[test]
fn a_payload_over_the_limit_is_refused_and_nothing_is_written() {
    let dir = ScratchDir::new("segment-large");
    let mut writer = SegmentWriter::create(dir.path(), 1).unwrap();
    let refused = writer.append(&vec![0; MAX_PAYLOAD + 1]);
    assert!(matches!(refused, Err(SegmentError::TooLarge { bytes }) if bytes == MAX_PAYLOAD + 1));
    assert_eq!(fs::metadata(path_of(dir.path(), 1)).unwrap().len(), 0);
}

#[test]
fn a_segment_is_never_created_over_one_that_has_records() {
    let dir = ScratchDir::new("segment-over");
    write(dir.path(), &[]);
    write(dir.path(), &[b"one"]);
    assert!(matches!(
        SegmentWriter::create(dir.path(), 1),
        Err(SegmentError::Io { .. })
    ));
}

#[test]
fn segments_are_listed_by_number_and_other_files_are_ignored() {
    let dir = ScratchDir::new("segment-list");
    for first in [100, 9, u64::MAX] {
        drop(SegmentWriter::create(dir.path(), first).unwrap());
    }
    for other in [
        "lock",
        "1.seg",
        "0000000000000000000x.seg",
        "00000000000000000001.seg.bak",
    ] {
        fs::write(dir.path().join(other), "").unwrap();
    }
    let firsts: Vec<u64> = list(dir.path())
        .unwrap()
        .into_iter()
        .map(|name| name.first)
        .collect();
    assert_eq!(firsts, [9, 100, u64::MAX]);
}
