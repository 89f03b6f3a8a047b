//! The file that a configuration stands in: read, and replaced while somebody watches it.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use perennial::config::Reloaded;
use tokio::time::Instant;

use super::config::{Folder, reloader, text};
use super::each;
use crate::heat::{Contender, Effort, Figures, Heat, Measure, percentile};

/// How often the file is replaced.
const REPLACEMENTS: usize = 3_000;

/// How often it is read.
const READS: usize = 200_000;

/// Longer than any event takes; it only ends a run that failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Puts files in the place of another, each time when the one before is in force, and returns how long each
/// took.
fn replace(folder: &Folder, effort: Effort, live: &Receiver<u64>) -> Option<Figures> {
    let (new, file) = (folder.0.join("bench.toml.new"), folder.file());
    let mut took = Vec::new();
    for number in 1..=effort.of(REPLACEMENTS) as u64 {
        std::fs::write(&new, text(number)).expect("it can be written");
        let began = Instant::now();
        std::fs::rename(&new, &file).expect("it can be replaced");
        // Of the one before there may be a second word.
        while live.recv_timeout(PATIENCE).expect("it is seen") != number {}
        took.push(began.elapsed());
    }
    Some(vec![
        percentile(&mut took, 0.5),
        percentile(&mut took, 0.99),
    ])
}

/// The whole of it: what comes after the event is read, merged with the other layers, validated and swapped.
fn replaced(effort: Effort) -> Option<Figures> {
    let folder = Folder::new();
    let (told, live) = channel();
    let reloader = reloader(&folder);
    let mut cached = reloader.live().cached();
    let thread = reloader.start(true, move |_file, result, _now| {
        if matches!(result, Ok(Reloaded::Changed { .. })) {
            // Fails when the run is over.
            let _is_heard = told.send(cached.get().config().number);
        }
    });
    let _thread = thread.expect("a thread can be made");
    settle(&folder, &live);
    replace(&folder, effort, &live)
}

/// Waits until the folder is watched: what happens in it is seen from then on.
fn settle(folder: &Folder, live: &Receiver<u64>) {
    const FIRST: u64 = u64::MAX >> 1;
    std::fs::write(folder.file(), text(FIRST)).expect("it can be written");
    while live.recv_timeout(PATIENCE).expect("it is seen") != FIRST {}
}

/// What a program does by hand: on the event, on the watcher's own thread, parse the file and swap.
#[cfg(feature = "peers")]
fn replaced_with_notify(effort: Effort) -> Option<Figures> {
    use notify::event::{EventKind, ModifyKind, RenameMode};
    use notify::{Event, RecursiveMode, Watcher};
    use std::sync::Arc;

    use super::config::Bench;

    let folder = Folder::new();
    std::fs::write(folder.file(), text(0)).expect("it can be written");
    let current = Arc::new(arc_swap::ArcSwap::from_pointee(Bench::default()));
    let (told, live) = channel();
    let file = folder.file();
    let heard = move |event: notify::Result<Event>| {
        let event = event.expect("an event");
        let is_there = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        if event.kind != is_there || !event.paths.contains(&file) {
            return;
        }
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let config: Bench = toml::from_str(&text).expect("it is valid");
        current.store(Arc::new(config));
        // Fails when the run is over.
        let _is_heard = told.send(current.load().number);
    };
    let mut watcher = notify::recommended_watcher(heard).expect("a watcher");
    watcher
        .watch(&folder.0, RecursiveMode::NonRecursive)
        .expect("it can be watched");
    replace(&folder, effort, &live)
}

/// The bytes are added up, so that each page is there.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

fn with_file(effort: Effort, read: impl Fn(&Path) -> u64) -> Option<Figures> {
    let folder = Folder::new();
    std::fs::write(folder.file(), text(0)).expect("it can be written");
    let file = folder.file();
    each(effort.of(READS), || read(&file))
}

fn plain(effort: Effort) -> Option<Figures> {
    with_file(effort, |file| {
        sum(&std::fs::read(file).expect("it can be read"))
    })
}

/// By a crate that keeps the `unsafe` of a mapping to itself: here there is none.
#[cfg(feature = "peers")]
fn mapped(effort: Effort) -> Option<Figures> {
    with_file(effort, |file| {
        let (map, _file) = vmap::Map::with_options()
            .open(file)
            .expect("it can be mapped");
        sum(&map)
    })
}

/// All heats of a file.
pub(super) fn heats() -> Vec<Heat> {
    let ours = |run| Contender {
        name: "perennial",
        run,
    };
    let percentiles = ["p50", "p99"];
    vec![
        Heat {
            topic: "config",
            name: "4 KB replaced by a rename, until they are in force",
            measures: percentiles.map(|name| Measure { name, unit: "ns" }).into(),
            ours: ours(replaced),
            #[cfg(feature = "peers")]
            peers: vec![(
                Contender {
                    name: "notify, toml::from_str, ArcSwap",
                    run: replaced_with_notify,
                },
                vec![crate::heat::Must::AtMost(1.05), crate::heat::Must::Any],
            )],
            #[cfg(not(feature = "peers"))]
            peers: Vec::new(),
        },
        super::heat(
            (
                "config",
                "read a file of 4 KB as ours does: open, read, close",
            ),
            plain,
            #[cfg(feature = "peers")]
            vec![("open, mmap, munmap, close", mapped, crate::heat::Must::Any)],
            #[cfg(not(feature = "peers"))]
            Vec::new(),
        ),
    ]
}
