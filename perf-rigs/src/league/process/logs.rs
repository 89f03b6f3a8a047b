//! Lines of a log at volume: what one costs whoever logs it, and until all of them are in the file.
//!
//! Both format on the thread that logs, write on another, and filter by directives; ours can change them,
//! counts what is lost by lines and bytes, and looks whether the file is to be put aside. Fewer lines at a
//! time than either has room for: none is dropped.

use std::path::Path;
use std::time::Duration;

use perennial::logging::{FileOptions, Format, Options};
use tokio::time::Instant;

use super::config::Folder;
use crate::heat::{Contender, Effort, Figures, Heat, Measure, nanoseconds};

/// How many lines are logged before they are waited for: fewer than the 16 384 that ours has room for.
const BATCH: u64 = 10_000;

/// How many times.
const BATCHES: usize = 100;

/// How often it is looked whether all lines are written.
const LOOK_PERIOD: Duration = Duration::from_micros(200);

/// Logs a line; each is as long as any other.
fn line(number: u64) {
    tracing::info!(
        request = 1_000_000 + number,
        peer = "127.0.0.1:9600",
        took_ms = 12.5,
        "a request was answered"
    );
}

/// Waits until the file is as large as that.
fn wait_for(file: &Path, bytes: u64) -> u64 {
    loop {
        let there = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        if there >= bytes {
            return there;
        }
        std::thread::park_timeout(LOOK_PERIOD);
    }
}

/// Logs with the subscriber that is installed.
fn log(effort: Effort, file: &Path) -> Option<Figures> {
    line(0);
    let line_bytes = wait_for(file, 1);
    let (mut logged, mut written) = (Vec::new(), Vec::new());
    for batch in 1..=effort.of(BATCHES) as u64 {
        let began = Instant::now();
        (0..BATCH).for_each(line);
        logged.push(began.elapsed());
        wait_for(file, line_bytes * (1 + batch * BATCH));
        written.push(began.elapsed());
    }
    let each = |mut batches: Vec<Duration>| {
        batches.sort_unstable();
        let median = batches.get(batches.len() / 2).copied();
        median.map(|median| nanoseconds(median) / BATCH as f64)
    };
    Some(vec![each(logged)?, each(written)?])
}

fn with_ours(effort: Effort, format: Format) -> Option<Figures> {
    let folder = Folder::new();
    let file = folder.0.join("bench.log");
    let options = Options::new()
        .format(format)
        .colors(false)
        .file(FileOptions::new(&file).max_bytes(0));
    let logging = options.install().expect("nobody has installed one");
    let figures = log(effort, &file);
    assert_eq!(logging.statistics().dropped, 0, "all lines are written");
    figures
}

#[cfg(feature = "peers")]
fn with_appender(effort: Effort, is_json: bool) -> Option<Figures> {
    use tracing_subscriber::EnvFilter;

    let folder = Folder::new();
    let file = folder.0.join("bench.log");
    let appender = tracing_appender::rolling::never(&folder.0, "bench.log");
    let (writer, _guard) = tracing_appender::non_blocking(appender);
    let lost = writer.error_counter();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_ansi(false)
        .with_writer(writer);
    match is_json {
        true => subscriber.json().init(),
        false => subscriber.init(),
    }
    let figures = log(effort, &file);
    assert_eq!(lost.dropped_lines(), 0, "all lines are written");
    figures
}

/// All heats of a log.
pub(super) fn heats() -> Vec<Heat> {
    vec![
        heat(
            "log a line with three fields, human",
            |effort| with_ours(effort, Format::Full),
            #[cfg(feature = "peers")]
            |effort| with_appender(effort, false),
        ),
        heat(
            "log a line with three fields, JSON",
            |effort| with_ours(effort, Format::Json),
            #[cfg(feature = "peers")]
            |effort| with_appender(effort, true),
        ),
    ]
}

fn heat(
    name: &'static str,
    run: fn(Effort) -> Option<Figures>,
    #[cfg(feature = "peers")] peer: fn(Effort) -> Option<Figures>,
) -> Heat {
    let measures = ["for whoever logs it", "until it is written"];
    Heat {
        topic: "daemon",
        name,
        measures: measures.map(|name| Measure { name, unit: "ns" }).into(),
        ours: Contender {
            name: "perennial",
            run,
        },
        #[cfg(feature = "peers")]
        peers: vec![(
            Contender {
                name: "tracing-subscriber, tracing-appender",
                run: peer,
            },
            vec![crate::heat::Must::Any; 2],
        )],
        #[cfg(not(feature = "peers"))]
        peers: Vec::new(),
    }
}
