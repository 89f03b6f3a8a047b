//! Changes as fast as they come: by rename, in place, by links as Kubernetes swaps them; every fifth one
//! invalid.
//!
//! For a second each, or for 60 s when `PERENNIAL_LONG` is set. A program of its own, since it counts what
//! the process has open.
#![cfg(all(target_os = "linux", feature = "daemon"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it measured, its helpers too"
)]

#[allow(dead_code, reason = "shared with tests/config, which uses the rest")]
#[path = "../config/folder.rs"]
mod folder;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use perennial::config::{Invalid, Live, Loader};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::folder::{Folder, Numbers};

/// How many changes a second.
const RATE: u32 = 50;

/// How long the last change may take to be seen, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many configurations may be alive at one time: the one in force, one that is being made, and those that
/// readers have not let go of yet.
const MOST_ALIVE: usize = 8;

/// How much the process may grow after the first changes, beside as much again: what an allocator keeps
/// for itself, and far less than one kept configuration for each change of a minute would be.
const GROWTH: u64 = 8 * 1024 * 1024;

/// How many times seen the 95th percentile is one of a distribution, and not of its largest value.
const ENOUGH_TIMES: usize = 1_000;

/// How much slower the second half may be: a drift is a factor that grows with the time, a busy machine one
/// that does not.
const DRIFT: u32 = 20;

/// How many configurations are alive.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A pair that counts how many of it there are.
#[derive(Serialize, Deserialize)]
struct Counted {
    pair: Numbers,
    #[serde(skip, default)]
    _alive: Alive,
}

struct Alive;

impl Default for Alive {
    fn default() -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

fn duration() -> Duration {
    match std::env::var_os("PERENNIAL_LONG") {
        Some(_) => Duration::from_secs(60),
        None => Duration::from_secs(1),
    }
}

/// The text of change `number`; every fifth one is refused for one reason or another.
fn text(number: u64) -> String {
    let filler = format!("# {}\n", "x".repeat(4_000));
    match number % 20 {
        5 => format!("[pair]\nfirst = {number}\n{filler}last = {}\n", number + 1),
        10 => format!("[pair]\nfirst = {number}\n{filler}last = = {number}\n"),
        15 => format!("[pair]\nfirst = {number}\n{filler}lost = {number}\n"),
        0 => String::new(),
        _ => format!("[pair]\nfirst = {number}\n{filler}last = {number}\n"),
    }
}

fn is_valid(number: u64) -> bool {
    !number.is_multiple_of(5)
}

/// How a change is made.
type Change = fn(&Folder, u64);

fn in_place_or_by_rename(folder: &Folder, number: u64) {
    match number % 2 {
        0 => drop(folder.write("app.toml", text(number))),
        _ => folder.replace("app.toml", text(number)),
    }
}

/// As Kubernetes does: a new folder, a link to it put in the place of the old one, the old folder removed.
fn by_links(folder: &Folder, number: u64) {
    folder.write(&format!("..{number}/app.toml"), text(number));
    let link = folder.path("..data_tmp");
    std::os::unix::fs::symlink(format!("..{number}"), &link).expect("a link");
    std::fs::rename(link, folder.path("..data")).expect("it can be renamed");
    // Missing before the first.
    drop(std::fs::remove_dir_all(
        folder.path(&format!("..{}", number - 1)),
    ));
    if !folder.path("app.toml").exists() && is_valid(number) {
        drop(std::os::unix::fs::symlink(
            "..data/app.toml",
            folder.path("app.toml"),
        ));
    }
}

/// Counts the descriptors that this process keeps, and what its inotify watches.
///
/// The fewest of some counts, because a file that is being read just now is open for that long only.
fn descriptors_and_watches() -> (usize, usize) {
    let counts = std::iter::repeat_with(|| {
        std::thread::park_timeout(Duration::from_millis(1));
        open_now()
    });
    counts.take(50).fold(
        (usize::MAX, usize::MAX),
        |(open, watches), (more_open, more_watches)| {
            (open.min(more_open), watches.min(more_watches))
        },
    )
}

fn open_now() -> (usize, usize) {
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let infos = std::fs::read_dir("/proc/self/fdinfo").into_iter().flatten();
    let watches = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter(|line| line.starts_with("inotify"))
            .count()
    };
    (
        open,
        infos.flatten().map(|info| watches(&info.path())).sum(),
    )
}

/// Reads without a pause and notes whatever must never be seen.
fn read_all_the_time(live: &Live<Counted>, is_over: &AtomicBool, wrong: &AtomicU64) {
    let mut cached = live.cached();
    while !is_over.load(Ordering::Relaxed) {
        let pair = &cached.get().config().pair;
        let is_wrong = pair.first != pair.last || pair.first == 0 || !is_valid(pair.first);
        wrong.fetch_add(u64::from(is_wrong), Ordering::Relaxed);
        std::thread::yield_now();
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times
        .get(times.len() * percent / 100)
        .copied()
        .unwrap_or_default()
}

#[allow(clippy::too_many_lines, reason = "one story, told once")]
fn torture(name: &str, change: Change) {
    let folder = Folder::new(name);
    change(&folder, 1);
    let loader = Loader::new("app")
        .config::<Counted>()
        .file(folder.path("app.toml"))
        .environment([]);
    let loader = loader.validate(|_, new: &Counted| match new.pair.first == new.pair.last {
        true => Ok(()),
        false => Err(Invalid::at("pair.last", "differs from `pair.first`")),
    });
    let reloader = loader.load().expect("it is valid");
    let live = reloader.live();
    let thread = reloader.start(true, |_, _, _| {}).expect("a thread");
    let (is_over, wrong) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let reader = {
        let (live, is_over, wrong) = (live.clone(), Arc::clone(&is_over), Arc::clone(&wrong));
        std::thread::spawn(move || read_all_the_time(&live, &is_over, &wrong))
    };
    let mut times = Vec::new();
    let mut number = 1;
    let began = Instant::now();
    let (mut at_rest, mut resident) = (None, 0);
    while began.elapsed() < duration() {
        number += 1;
        let changed = Instant::now();
        change(&folder, number);
        // Until the next is due, or this one is seen.
        let next = changed + Duration::from_secs(1) / RATE;
        let mut is_seen = false;
        while Instant::now() < next {
            if !is_seen && live.snapshot().config().pair.first == number {
                is_seen = true;
                times.push(changed.elapsed());
            }
            std::thread::park_timeout(Duration::from_micros(100));
        }
        if number == 20 {
            at_rest = Some(descriptors_and_watches());
            resident = resident_bytes();
        }
    }
    let grown = resident_bytes();
    number += 1 + u64::from(!is_valid(number + 1));
    change(&folder, number);
    let deadline = Instant::now() + PATIENCE;
    while live.snapshot().config().pair.first != number {
        assert!(
            Instant::now() < deadline,
            "the last change, {number}, was never seen"
        );
        std::thread::park_timeout(Duration::from_millis(1));
    }
    is_over.store(true, Ordering::Relaxed);
    reader.join().expect("it does not panic");
    assert_eq!(
        wrong.load(Ordering::Relaxed),
        0,
        "nobody may see what is not valid"
    );
    assert_eq!(
        at_rest,
        Some(descriptors_and_watches()),
        "descriptors and watches"
    );
    assert!(
        ALIVE.load(Ordering::Relaxed) <= MOST_ALIVE,
        "configurations are kept"
    );
    assert!(
        grown <= 2 * resident + GROWTH,
        "the process has grown from {resident} to {grown} bytes"
    );
    claim_no_drift(name, number, times);
    drop(thread);
}

/// Claims that the last changes are seen as soon as the first.
fn claim_no_drift(name: &str, number: u64, mut times: Vec<Duration>) {
    let seen = times.len();
    let (first, second) = times.split_at_mut(seen / 2);
    let (first, second) = (percentile(first, 95), percentile(second, 95));
    println!(
        "{name}: {number} changes, {seen} seen before the next; p95 {first:?}, then {second:?}"
    );
    if seen < ENOUGH_TIMES {
        println!("{name}: too few to claim anything of their p95; PERENNIAL_LONG makes more");
        return;
    }
    assert!(
        second <= first * DRIFT,
        "it takes longer and longer: p95 {first:?}, then {second:?}"
    );
}

fn resident_bytes() -> u64 {
    perennial::resources::sample().map_or(0, |sample| sample.resident_bytes)
}

#[test]
fn no_invalid_snapshot_is_seen_and_the_last_valid_content_wins_and_nothing_leaks() {
    let before = resident_bytes();
    torture("torture-files", in_place_or_by_rename);
    torture("torture-links", by_links);
    println!("resident memory: {before}, then {}", resident_bytes());
    let deadline = Instant::now() + PATIENCE;
    // The threads that held the last ones end by themselves.
    while ALIVE.load(Ordering::Relaxed) > 0 {
        assert!(
            Instant::now() < deadline,
            "{} snapshots are still there",
            ALIVE.load(Ordering::Relaxed)
        );
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
