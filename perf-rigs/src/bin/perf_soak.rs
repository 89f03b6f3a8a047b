//! Lets a tree run for hours while its children crash, and says whether anything grows: memory, descriptors, threads,
//! series.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]
#![allow(clippy::panic, reason = "what is restarted has crashed")]

use std::process::ExitCode;
use std::time::Duration;

use perennial::handle::durations::SAMPLE;
use perennial::metrics::Exposition;
use perennial::{Backoff, CastError, Child, Handle, Inbox, Running, Supervisor};
use perf_rigs::arguments::{Arguments, Opt, Preset, Rig};
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::{rig, slope::slope, usage};
use tokio::time::{Instant, sleep_until};

const RIG: Rig = Rig {
    name: "perf_soak",
    about: "a tree whose children crash at a steady rate, read and scraped meanwhile; 3600 s or more tell something",
    seconds: "3600",
    rate: "10",
    options: &[
        Opt::count("children", "1000", "how many, in groups"),
        Opt::count("groups", "10", "supervisors that they stand under"),
        Opt::word(
            "scrape",
            &["yes", "no"],
            "whether the metrics are rendered at each look",
        ),
        Opt::share(
            "warm-up",
            "0.1",
            "share of the time before slopes are taken",
        ),
        Opt::count(
            "warm-up-rate",
            "500",
            "crashes a second until then, which fill what is kept of each child: its last 16 runs",
        ),
    ],
    presets: &[Preset {
        name: "night",
        sets: &[("seconds", "28800")],
    }],
};

/// What a child is sent.
enum Message {
    Work,
    Crash,
}

fn worker(number: usize) -> Child<Message> {
    Child::worker(
        format!("worker-{number}"),
        |_cx, mut inbox: Inbox<Message>| async move {
            while let Some(message) = inbox.recv().await {
                if let Message::Crash = message {
                    panic!("on purpose");
                }
            }
            Ok(())
        },
    )
    .backoff(Backoff::none())
}

fn tree(arguments: &Arguments) -> (Supervisor, Vec<Handle<Message>>) {
    let groups = arguments.number::<usize>("groups").max(1);
    let children: usize = arguments.number("children");
    let mut root = Supervisor::one_for_one("app");
    let mut handles = Vec::new();
    for group in 0..groups {
        let supervisor = Supervisor::one_for_one(format!("group-{group}"));
        let mut supervisor = supervisor.intensity(1_000_000, Duration::from_secs(1));
        for number in (group..children).step_by(groups) {
            let child = worker(number);
            handles.push(child.handle());
            supervisor = supervisor.child(child);
        }
        root = root.child(supervisor);
    }
    (root, handles)
}

/// How long slopes are not taken yet.
fn warm_up(arguments: &Arguments) -> Duration {
    arguments.duration().mul_f64(arguments.number("warm-up"))
}

/// Crashes one child after the other at the one rate until `then`, at the other from then on.
async fn crash(handles: Vec<Handle<Message>>, rates: [f64; 2], then: Instant) {
    let mut random = fastrand::Rng::with_seed(1);
    // One message in 64 is timed, and a child has no histogram before its first.
    for to in &handles {
        for _ in 0..=SAMPLE {
            let _refused: Result<(), CastError<Message>> = to.cast(Message::Work);
        }
    }
    crash_until(&handles, rates[0], &mut random, Some(then)).await;
    crash_until(&handles, rates[1], &mut random, None).await;
}

/// Crashes one child after the other, and gives another some work each time.
async fn crash_until(
    handles: &[Handle<Message>],
    rate: f64,
    random: &mut fastrand::Rng,
    end: Option<Instant>,
) {
    let mut due = Instant::now();
    while !handles.is_empty() && rate > 0.0 {
        due += Duration::from_secs_f64(1.0 / rate);
        if end.is_some_and(|end| due > end) {
            return;
        }
        sleep_until(due).await;
        for message in [Message::Work, Message::Crash] {
            let to = &handles[random.usize(..handles.len())];
            // One that is just down is spared.
            let _refused: Result<(), CastError<Message>> = to.cast(message);
        }
    }
}

fn restarts(running: &Running) -> f64 {
    let mut restarts = 0;
    running
        .snapshot()
        .root
        .visit(&mut |node| restarts += node.restart_count());
    restarts as f64
}

async fn load(arguments: &Arguments) -> Measured {
    rig::keep_quiet_about_panics();
    let (tree, handles) = tree(arguments);
    let running = tree.start().await.expect("it starts");
    let scrape = (arguments.text("scrape") == "yes").then(Exposition::new);
    let rates = [arguments.number("warm-up-rate"), arguments.rate()];
    let settled = Instant::now() + warm_up(arguments);
    let crashing = tokio::spawn(crash(handles, rates, settled));
    let series = Series::new(
        "seconds",
        "MB",
        &["resident"],
        &["descriptors", "threads", "series", "restarts"],
    );
    let series = rig::watch(&RIG, arguments.duration(), series, || {
        let text = scrape
            .as_ref()
            .map_or_else(String::new, |scrape| scrape.render(&running));
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .count();
        drop(text);
        let used = usage::now();
        vec![
            used.resident_bytes as f64 / 1e6,
            used.descriptors as f64,
            used.threads as f64,
            lines as f64,
            restarts(&running),
        ]
    });
    let series = series.await;
    crashing.abort();
    let restarts = restarts(&running);
    let report = running.stop(Duration::from_secs(30)).await;
    let mut figures = figures(arguments, &series, restarts);
    let unclean = if report.is_clean() { 0.0 } else { 1.0 };
    figures.push(Figure::lower("stops that were not clean", unclean, "").objective(0.0));
    Measured { figures, series }
}

fn figures(arguments: &Arguments, series: &Series, restarts: f64) -> Vec<Figure> {
    let settled = warm_up(arguments).as_secs_f64();
    let after = series.column("restarts", settled);
    let later = match (after.first(), after.last()) {
        (Some(first), Some(last)) => (last.1 - first.1) / (last.0 - first.0).max(1e-9),
        _ => 0.0,
    };
    let hourly = |column| slope(&series.column(column, settled)) * 3_600.0;
    let most = |column| {
        series
            .column(column, 0.0)
            .iter()
            .fold(0.0, |most: f64, point| most.max(point.1))
    };
    vec![
        Figure::plain("restarts", restarts, ""),
        Figure::plain("restarts a second, after the warm-up", later, "/s"),
        Figure::lower("growth of memory", hourly("resident"), "MB/h").objective(1.0),
        Figure::lower("growth of descriptors", hourly("descriptors"), "/h").objective(1.0),
        Figure::lower("growth of threads", hourly("threads"), "/h").objective(1.0),
        Figure::lower("growth of series", hourly("series"), "/h").objective(1.0),
        Figure::lower("most memory", most("resident"), "MB").objective(100.0),
        Figure::lower("most descriptors", most("descriptors"), "").objective(256.0),
        Figure::plain("most series", most("series"), ""),
    ]
}

fn main() -> ExitCode {
    rig::run(&RIG, load)
}
