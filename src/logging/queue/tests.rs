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

#[cfg(target_os = "linux")]
#[test]
fn what_waits_at_an_end_that_does_not_come_is_counted_as_dropped_and_nobody_waits_again() {
    use std::io::Read;

    let path = std::env::temp_dir().join(format!("perennial-queue-pipe-{}", std::process::id()));
    drop(std::fs::remove_file(&path));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo is there").success());
    let open = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path);
    let mut pipe = open.expect("a pipe");
    let file = RotatingFile::open(FileOptions::new(&path).max_bytes(0)).expect("it opens");
    let queue = Queue::start(Target::File(file)).expect("a thread");
    let lines = 100_u64;
    let line = [&[b'x'; 4_095][..], b"\n"].concat();
    for _ in 0..lines {
        queue.push(line.clone());
    }
    // A pipe has room for 16 of them.
    assert!(!queue.end(Duration::from_millis(10)));
    let left = queue.statistics();
    // One may be in the middle of being written.
    let counted = left.written + left.dropped;
    assert!((lines - 1..=lines).contains(&counted), "{left:?}");
    assert!(left.dropped > 50, "{left:?}");
    for _ in 0..lines {
        // A second for each of them, if each waited for a writer that stands still.
        queue.push(line.clone());
    }
    assert!(queue.counts.is_stuck.load(super::Ordering::Relaxed));
    // What was given up is not written later either.
    let reading = std::thread::spawn(move || {
        let mut byte = vec![0; line.len()];
        loop {
            pipe.read_exact(&mut byte).expect("lines");
            if byte[0] == b'y' {
                return;
            }
        }
    });
    assert!(queue.flush(PATIENCE));
    let after = queue.statistics();
    assert_eq!(after.dropped, left.dropped);
    assert_eq!(after.written + after.dropped, 2 * lines);
    queue.push([&[b'y'; 4_095][..], b"\n"].concat());
    reading.join().expect("it reads");
    std::fs::remove_file(path).expect("it is there");
}

#[test]
fn the_writer_s_own_line_is_kept_where_there_is_no_room_and_nobody_else_s() {
    use super::Message;
    use super::writer::{OWN, is_kept};

    assert!(!is_kept(Message::Line(b"another's".to_vec())));
    OWN.set(Some(Vec::new()));
    assert!(is_kept(Message::Line(b"own".to_vec())));
    assert_eq!(OWN.take(), Some(vec![b"own".to_vec()]));
}

#[test]
fn the_writer_s_own_line_is_not_waited_for_by_itself_at_the_end() {
    use super::writer::OWN;
    use super::{Counts, Ordering};

    // Nobody takes anything out of this one, as when the writer itself logs.
    let (messages, _waiting) = std::sync::mpsc::sync_channel(2);
    let counts = std::sync::Arc::<Counts>::default();
    let queue = Queue { messages, counts };
    queue.counts.is_ending.store(true, Ordering::Relaxed);
    OWN.set(Some(Vec::new()));
    queue.push(b"lines were dropped\n".to_vec());
    OWN.set(None);
    assert!(!queue.counts.is_stuck.load(Ordering::Relaxed));
    assert_eq!(queue.counts.sent.load(Ordering::Relaxed), 1);
}
