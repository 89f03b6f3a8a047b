//! Changes a configuration file again and again, and says how long each change took until it was live, and whether
//! anything was left behind.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use perennial::config::{Live, Loader, Reloaded, Section};
use perf_rigs::arguments::{Arguments, Opt, Preset, Rig};
use perf_rigs::durations::Durations;
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::{rig, slope::slope, usage};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

const RIG: Rig = Rig {
    name: "perf_config_reload",
    about: "a file that changes again and again, until each change is live",
    seconds: "60",
    rate: "10",
    options: &[
        Opt::count("size", "4096", "bytes of the file, at least"),
        Opt::word(
            "by",
            &["call", "watch"],
            "call: reload is asked for; watch: the file is watched",
        ),
        Opt::count("burst", "1", "changes that come back to back"),
    ],
    presets: &[
        Preset {
            name: "10hz",
            sets: &[("rate", "10"), ("seconds", "60")],
        },
        Preset {
            name: "50hz",
            sets: &[("rate", "50"), ("seconds", "60")],
        },
        Preset {
            name: "bursts",
            sets: &[("rate", "50"), ("burst", "5"), ("seconds", "60")],
        },
    ],
};

/// How long a change that is watched for may take; a look is certain twice in this time.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Bench {
    number: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    name: String,
    weight: f64,
    tags: Vec<String>,
}

/// A folder of its own, which is gone with the rig.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("perennial-reload-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("rig.toml")
    }

    /// Replaces the file as a whole, as an editor does.
    fn write(&self, number: u64, size: usize) {
        let mut text = format!("number = {number}\n");
        let mut entry = 0;
        while text.len() < size {
            let _infallible = writeln!(
                text,
                "[[entries]]\nname = \"entry number {entry}\"\nweight = {entry}.5\ntags = [\"one\", \"two\"]",
            );
            entry += 1;
        }
        let new = self.0.join("rig.toml.new");
        std::fs::write(&new, text).expect("it can be written");
        std::fs::rename(&new, self.file()).expect("it can be replaced");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What was seen so far.
#[derive(Default, Clone)]
struct Seen {
    changes: u64,
    refused: u64,
    late: u64,
    durations: Durations,
}

/// Changes the file for as long as `duration`, and waits for each change.
async fn change(
    arguments: Arguments,
    folder: Folder,
    (live, mut section): (Live<Bench>, Section<Bench>),
    told: watch::Sender<Seen>,
) {
    let size = arguments.number("size");
    let is_watched = arguments.text("by") == "watch";
    let burst: u64 = arguments.number("burst");
    let interval = Duration::from_secs_f64(burst as f64 / arguments.rate().max(0.001));
    let (began, mut number) = (Instant::now(), 0);
    let mut due = began;
    while began.elapsed() < arguments.duration() {
        for _ in 0..burst {
            number += 1;
            folder.write(number, size);
            let changed = Instant::now();
            let is_live = match is_watched {
                true => wait(&mut section, number).await,
                false => Some(matches!(live.reload().await, Ok(Reloaded::Changed { .. }))),
            };
            let took = changed.elapsed();
            told.send_modify(|seen| match is_live {
                None => seen.late += 1,
                Some(false) => seen.refused += 1,
                Some(true) => {
                    seen.changes += 1;
                    seen.durations.record(took);
                }
            });
        }
        due = (due + interval).max(Instant::now());
        sleep_until(due).await;
    }
    assert_eq!(
        live.snapshot().config().number,
        number,
        "the last change is live"
    );
}

/// Waits until a change is live; `None` when it did not come.
async fn wait(section: &mut Section<Bench>, number: u64) -> Option<bool> {
    timeout(PATIENCE, async {
        while section.seen().config().number < number {
            section.changed().await;
        }
        true
    })
    .await
    .ok()
}

async fn load(arguments: &Arguments) -> Measured {
    let folder = Folder::new();
    folder.write(0, arguments.number("size"));
    let loader = Loader::new("rig")
        .config::<Bench>()
        .file(folder.file())
        .environment([]);
    let reloader = loader.load().expect("it is valid");
    let live = reloader.live();
    let section = live.section("number");
    let is_watched = arguments.text("by") == "watch";
    let reloading = reloader
        .start(is_watched, |_, _, _| {})
        .expect("a thread can be had");
    let (told, seen) = watch::channel(Seen::default());
    let changing = tokio::spawn(change(
        arguments.clone(),
        folder,
        (live.clone(), section),
        told,
    ));
    let series = Series::new(
        "seconds",
        "ms",
        &["p50", "p99"],
        &["changes", "resident", "descriptors", "threads"],
    );
    let series = rig::watch(&RIG, arguments.duration(), series, || {
        let seen = seen.borrow().clone();
        let used = usage::now();
        let milliseconds = |share| seen.durations.micros(share) / 1e3;
        vec![
            milliseconds(0.5),
            milliseconds(0.99),
            seen.changes as f64,
            used.resident_bytes as f64,
            used.descriptors as f64,
            used.threads as f64,
        ]
    });
    let series = series.await;
    changing.await.expect("every change is waited for");
    drop(reloading);
    Measured {
        figures: figures(&seen.borrow(), &series, arguments),
        series,
    }
}

fn figures(seen: &Seen, series: &Series, arguments: &Arguments) -> Vec<Figure> {
    let milliseconds = |share| seen.durations.micros(share) / 1e3;
    // What is there after a fifth of the time should be there at the end.
    let settled = arguments.duration().as_secs_f64() / 5.0;
    let hourly = |column| slope(&series.column(column, settled)) * 3_600.0;
    vec![
        Figure::plain("changes", seen.changes as f64, ""),
        Figure::lower("changes that were refused", seen.refused as f64, "").objective(0.0),
        Figure::lower("changes that never came", seen.late as f64, "").objective(0.0),
        Figure::lower("swap p50", milliseconds(0.5), "ms"),
        Figure::lower("swap p95", milliseconds(0.95), "ms").objective(10.0),
        Figure::lower("swap p99", milliseconds(0.99), "ms").objective(30.0),
        Figure::lower("longest swap", milliseconds(1.0), "ms"),
        Figure::plain("growth of memory", hourly("resident") / 1e6, "MB/h"),
        Figure::plain("growth of descriptors", hourly("descriptors"), "/h"),
        Figure::plain("growth of threads", hourly("threads"), "/h"),
    ]
}

fn main() -> ExitCode {
    rig::run(&RIG, load)
}
