//! What a process keeps around its tree: a configuration, a daemon that is declared, a listener of a signal.

use perennial::Daemon;
use perennial::config::{Loader, Settings};
use perennial::signals::{Listener, Signal};
use serde::{Deserialize, Serialize};

use crate::{Row, count_rounds};

const ROUNDS: u64 = 200;

/// Each listener has a thread.
const LISTENERS: u64 = 20;

/// The signal that is listened for: SIGUSR1.
const USR1: i32 = 10;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    entries: Vec<String>,
}

/// Makes so many and keeps them, what stands in each itself included.
async fn keep<T>(rounds: u64, make: impl Fn() -> T) {
    let rounds = usize::try_from(rounds).expect("few enough");
    let mut kept = Vec::with_capacity(rounds);
    kept.extend((0..rounds).map(|_| make()));
    std::mem::forget(kept);
}

pub(crate) fn rows() -> Vec<Row> {
    let file = std::env::temp_dir().join(format!("perf-allocations-{}.toml", std::process::id()));
    let entries = ["\"an entry of some length\""; 140].join(", ");
    let written = std::fs::write(&file, format!("entries = [{entries}]\n"));
    written.expect("it can be written");
    let load = || {
        let loader = Loader::new("bench").config::<Config>().file(file.clone());
        loader.environment([]).load().expect("it is valid")
    };
    let rows = vec![
        count_rounds("settings, all by default", "perennial", ROUNDS, |rounds| {
            keep(rounds, Settings::default)
        }),
        #[cfg(feature = "peers")]
        count_rounds(
            "settings, all by default",
            "proc-daemon",
            ROUNDS,
            |rounds| keep(rounds, || proc_daemon::Config::new().expect("its defaults")),
        ),
        count_rounds(
            "a file of 4 KB, loaded, with the place of each value",
            "perennial",
            ROUNDS,
            |rounds| keep(rounds, load),
        ),
        count_rounds("a daemon that is declared", "perennial", ROUNDS, |rounds| {
            keep(rounds, || Daemon::new("bench"))
        }),
        #[cfg(feature = "peers")]
        count_rounds(
            "a daemon that is declared",
            "proc-daemon",
            ROUNDS,
            |rounds| {
                keep(rounds, || {
                    let config = proc_daemon::Config::new().expect("its defaults");
                    proc_daemon::Daemon::builder(config)
                        .build()
                        .expect("it builds")
                })
            },
        ),
        count_rounds(
            "a listener of one signal, without its thread's stack",
            "perennial",
            LISTENERS,
            |rounds| {
                keep(rounds, || {
                    let signal = Signal::new(USR1);
                    Listener::start(&[signal], |_| {}).expect("it can be heard")
                })
            },
        ),
    ];
    std::fs::remove_file(&file).expect("it is there");
    rows
}
