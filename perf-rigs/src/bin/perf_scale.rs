//! Starts and stops ever larger flat trees, each in a process of its own, and says what a child costs in time and bytes.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use perennial::{Child, Inbox, Supervisor};
use perf_rigs::arguments::{Arguments, Opt, Preset, Rig};
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::{rig, usage};
use tokio::time::Instant;

const RIG: Rig = Rig {
    name: "perf_scale",
    about: "flat trees of more and more children; ends early when the time is over",
    seconds: "600",
    rate: "0",
    options: &[
        Opt::counts(
            "children",
            "1000,10000,100000",
            "how many, one tree after the other",
        ),
        Opt::word("kind", &["worker", "task"], "worker or task"),
        Opt::count(
            "one",
            "0",
            "start one tree of so many and print its costs; for itself",
        ),
    ],
    presets: &[Preset {
        name: "million",
        sets: &[("children", "1000,10000,100000,1000000")],
    }],
};

/// Enough for any machine: what is measured is how long it takes.
const BUDGET: Duration = Duration::from_secs(360_000);

/// What one tree costs, for each child: nanoseconds to start, to stop, to be in a snapshot, bytes.
type Costs = [f64; 4];

fn child(supervisor: Supervisor, number: usize, kind: &str) -> Supervisor {
    let name = format!("c{number}");
    match kind {
        "worker" => supervisor.child(Child::worker(
            name,
            |_cx, mut inbox: Inbox<()>| async move {
                while inbox.recv().await.is_some() {}
                Ok(())
            },
        )),
        _ => supervisor.child(Child::task(name, |cx| async move {
            cx.shutdown().await;
            Ok(())
        })),
    }
}

async fn one(count: usize, kind: &str) -> Costs {
    let empty = usage::now().resident_bytes;
    let began = Instant::now();
    let supervisor = Supervisor::one_for_one("app");
    let tree = (0..count).fold(supervisor, |supervisor, number| {
        child(supervisor, number, kind)
    });
    let running = tree.start().await.expect("it starts");
    let started = began.elapsed();
    let full = usage::now().resident_bytes;
    let began = Instant::now();
    let snapshot = running.snapshot();
    let looked = began.elapsed();
    assert_eq!(
        snapshot.root.children.len(),
        count,
        "every child stands in it"
    );
    drop(snapshot);
    let began = Instant::now();
    let report = running.stop(BUDGET).await;
    let stopped = began.elapsed();
    assert!(report.is_clean(), "{:?} and more", report.hung().first());
    let each = |total: f64| total / count as f64;
    let nanos = |duration: Duration| each(duration.as_nanos() as f64);
    [
        nanos(started),
        nanos(stopped),
        nanos(looked),
        each(full.saturating_sub(empty) as f64),
    ]
}

/// Runs this program again for one tree: memory that is freed is not always given back.
fn in_a_process(count: usize, kind: &str) -> Costs {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--one", &count.to_string(), "--kind", kind]);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{count} children: {text}");
    let last = text
        .lines()
        .find(|line| line.starts_with('['))
        .unwrap_or_default();
    serde_json::from_str(last).expect("costs")
}

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output, and its progress"
)]
async fn load(arguments: &Arguments) -> Measured {
    let kind = arguments.text("kind").to_owned();
    let alone: usize = arguments.number("one");
    let mut series = Series::new(
        "children",
        "ns each",
        &["start", "stop", "snapshot"],
        &["resident bytes"],
    );
    let mut figures = Vec::new();
    if alone > 0 {
        let costs = one(alone, &kind).await;
        println!("{}", serde_json::to_string(&costs).expect("numbers"));
        return Measured { figures, series };
    }
    let began = Instant::now();
    for count in arguments.numbers("children") {
        if began.elapsed() >= arguments.duration() {
            eprintln!("{}: the time is over before {count} children", RIG.name);
            break;
        }
        eprintln!("{}: {count} children", RIG.name);
        let costs @ [start, stop, look, bytes] = in_a_process(count, &kind);
        series.push(count as f64, costs.to_vec());
        figures.extend([
            Figure::lower(format!("{count}: start of a child"), start / 1e3, "µs"),
            Figure::lower(format!("{count}: stop of a child"), stop / 1e3, "µs"),
            Figure::lower(format!("{count}: a child in a snapshot"), look / 1e3, "µs"),
            Figure::lower(format!("{count}: resident for a child"), bytes, "bytes"),
        ]);
    }
    Measured { figures, series }
}

fn main() -> ExitCode {
    rig::run(&RIG, load)
}
