//! A configuration of 4 KB: read, reloaded, looked at.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use perennial::config::{Cause, Loader, Reloader};
use serde::{Deserialize, Serialize};

use super::{each, each_timed, heat};
use crate::heat::{Effort, Figures, Heat, Must};

/// How often a file is read.
const READS: usize = 20_000;

/// Longer than any file system's clock takes for a tick.
const AT_REST: Duration = Duration::from_secs(4);

/// How often a value is looked at.
const LOOKS: usize = 20_000_000;

/// How many of these are one turn of the loop, so that the loop is little of what is measured.
const LOOKS_A_TURN: usize = 16;

/// What the file is read into.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Bench {
    pub(super) number: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    name: String,
    weight: f64,
    enabled: bool,
    tags: Vec<String>,
}

/// Makes a document of about 4 KB.
pub(super) fn text(number: u64) -> String {
    let mut text = format!("number = {number}\n");
    for entry in 0..42 {
        text.push_str(&format!(
            "[[entries]]\nname = \"entry number {entry}\"\nweight = {entry}.5\nenabled = true\ntags = [\"one\", \"two\"]\n"
        ));
    }
    text
}

pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("perennial-league-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("bench.toml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub(super) fn reloader(folder: &Folder) -> Reloader<Bench> {
    std::fs::write(folder.file(), text(0)).expect("it can be written");
    let loader = Loader::new("bench")
        .config::<Bench>()
        .file(folder.file())
        .environment([]);
    loader.load().expect("it is valid")
}

/// Reads, merges, validates and swaps; the file is in memory, and writing it anew is not timed.
fn reload_written(effort: Effort, text: impl Fn(u64) -> String) -> Option<Figures> {
    let folder = Folder::new();
    let mut reloader = reloader(&folder);
    let mut number = 0;
    let write = || {
        number += 1;
        std::fs::write(folder.file(), text(number)).expect("it can be written");
    };
    each_timed(effort.of(READS), write, |()| {
        reloader.reload(Cause::Call).expect("it is valid")
    })
}

/// A value is another one.
fn reload_changed(effort: Effort) -> Option<Figures> {
    reload_written(effort, text)
}

/// The file has another shape, so that nothing which is known of the one before helps.
fn reload_reshaped(effort: Effort) -> Option<Figures> {
    reload_written(effort, |number| {
        let comment = if number % 2 == 0 {
            "# even\n"
        } else {
            "# odd\n"
        };
        format!("{comment}{}", text(number))
    })
}

/// As bytes that have just been written, too: what the file system does between two of them is in the way of both.
fn parse_changed(effort: Effort) -> Option<Figures> {
    let folder = Folder::new();
    let mut number = 0;
    let write = || {
        number += 1;
        let text = text(number);
        std::fs::write(folder.file(), &text).expect("it can be written");
        text
    };
    each_timed(effort.of(READS), write, |text| {
        toml::from_str::<Bench>(&text).expect("it is valid")
    })
}

fn reload_written_now(effort: Effort) -> Option<Figures> {
    let folder = Folder::new();
    let mut reloader = reloader(&folder);
    each(effort.of(READS), || {
        reloader.reload(Cause::Call).expect("it is valid")
    })
}

/// The same once a second change within one tick of the file system's clock can be ruled out.
fn reload_unchanged(effort: Effort) -> Option<Figures> {
    let folder = Folder::new();
    let mut reloader = reloader(&folder);
    reloader.reload(Cause::Call).expect("it is valid");
    std::thread::park_timeout(AT_REST);
    each(effort.of(READS), || {
        reloader.reload(Cause::Call).expect("it is valid")
    })
}

fn parse(effort: Effort) -> Option<Figures> {
    let text = text(0);
    each(effort.of(READS), || {
        toml::from_str::<Bench>(black_box(&text)).expect("it is valid")
    })
}

/// What is looked at is added up: to hide each value from the compiler would cost more than to look.
fn looks(effort: Effort, mut look: impl FnMut() -> u64) -> Option<Figures> {
    let turns = each(effort.of(LOOKS / LOOKS_A_TURN), || {
        let looks = (0..LOOKS_A_TURN).map(|_look| look());
        looks.fold(0, u64::wrapping_add)
    });
    let one = |turn: f64| turn / LOOKS_A_TURN as f64;
    Some(turns?.into_iter().map(one).collect())
}

fn look(effort: Effort) -> Option<Figures> {
    let folder = Folder::new();
    let live = reloader(&folder).live();
    let mut cached = live.cached();
    looks(effort, || cached.get().config().number)
}

/// A field that nobody can change, through a pointer of which the compiler may know nothing; to hide that pays
/// for a store, which the others need not.
fn look_behind_arc(effort: Effort) -> Option<Figures> {
    let fixed = Arc::new(Bench::default());
    looks(effort, || black_box(&fixed).number)
}

#[cfg(feature = "peers")]
fn look_in_arc_swap(effort: Effort) -> Option<Figures> {
    let swap = arc_swap::ArcSwap::from_pointee(Bench::default());
    looks(effort, || swap.load().number)
}

/// All heats of a configuration.
pub(super) fn heats() -> Vec<Heat> {
    vec![
        heat(
            (
                "config",
                "reload 4 KB with a changed value: read, merge, validate, swap",
            ),
            reload_changed,
            vec![("toml::from_str alone", parse_changed, Must::AtMost(1.05))],
        ),
        heat(
            (
                "config",
                "reload 4 KB of another shape: read, merge, validate, swap",
            ),
            reload_reshaped,
            vec![("toml::from_str alone", parse_changed, Must::Any)],
        ),
        heat(
            ("config", "reload 4 KB that have not changed: look"),
            reload_unchanged,
            vec![("toml::from_str alone", parse, Must::AtMost(0.05))],
        ),
        heat(
            (
                "config",
                "reload 4 KB written just now that are the same: read, compare",
            ),
            reload_written_now,
            vec![("toml::from_str alone", parse, Must::Any)],
        ),
        heat(
            ("config", "look at a value on a hot path, cached"),
            look,
            vec![
                #[cfg(feature = "peers")]
                ("ArcSwap::load", look_in_arc_swap, Must::AtMost(0.1)),
                ("a field behind an Arc", look_behind_arc, Must::Any),
            ],
        ),
    ]
}
