//! The queue: nothing is lost without being counted.

use std::time::Duration;

use super::super::rotate::{FileOptions, RotatingFile};
use super::{MOST_BYTES, Queue, Target};

const PATIENCE: Duration = Duration::from_secs(30);

fn queue(name: &str) -> (std::path::PathBuf, Queue) {
    let path = std::env::temp_dir().join(format!("perennial-queue-{name}-{}", std::process::id()));
    drop(std::fs::remove_file(&path));
    let file = RotatingFile::open(FileOptions::new(&path)).expect("it opens");
    (path, Queue::start(Target::File(file)).expect("a thread"))
}

#[test]
fn a_flush_waits_for_everything_before_it_and_every_line_is_accounted_for() {
    let (path, queue) = queue("flush");
    let lines = 100_000_u64;
    for number in 0..lines {
        queue.push(format!("{number}\n").into_bytes());
    }
    assert!(queue.flush(PATIENCE));
    let counted = queue.statistics();
    assert_eq!(counted.written + counted.dropped, lines);
    let text = std::fs::read_to_string(&path).expect("text");
    assert_eq!(text.lines().count() as u64, counted.written);
    std::fs::remove_file(path).expect("it is there");
}

#[test]
fn a_line_for_which_there_is_no_room_is_counted_as_dropped() {
    let (path, queue) = queue("dropped");
    queue.push(vec![
        b'x';
        usize::try_from(MOST_BYTES).expect("it fits") + 1
    ]);
    queue.push(b"small\n".to_vec());
    assert!(queue.flush(PATIENCE));
    let counted = queue.statistics();
    assert_eq!((counted.written, counted.dropped), (1, 1));
    std::fs::remove_file(path).expect("it is there");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_lines_that_are_counted_and_nothing_else() {
    let file = RotatingFile::open(FileOptions::new("/dev/full").max_bytes(0)).expect("it opens");
    let queue = Queue::start(Target::File(file)).expect("a thread");
    queue.push(b"lost\n".to_vec());
    queue.push(b"lost too\n".to_vec());
    assert!(queue.flush(PATIENCE));
    let counted = queue.statistics();
    assert_eq!((counted.written, counted.failed), (0, 2));
}
