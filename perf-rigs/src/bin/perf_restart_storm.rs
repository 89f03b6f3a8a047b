//! Crashes children every so often, and says how long they were down, whether limits were kept to, and what that cost
//! the siblings that did not crash.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]
#![allow(clippy::panic, reason = "what is restarted has crashed")]

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::bus::Start;
use perennial::policy::limit::OnLimit;
use perennial::{
    Backoff, Child, Context, EventFilter, EventKind, Inbox, ReceiveError, Subscriber,
    SubsystemEvent, Supervisor,
};
use perf_rigs::arguments::{Arguments, Opt, Preset, Rig};
use perf_rigs::durations::Durations;
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::rig::{self, PerSecond};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

const RIG: Rig = Rig {
    name: "perf_restart_storm",
    about: "children that crash again and again, beside siblings that must not notice",
    seconds: "30",
    rate: "4",
    options: &[
        Opt::count("children", "1", "how many crash"),
        Opt::word("kind", &["task", "worker"], "task or worker"),
        Opt::word(
            "together",
            &["yes", "no"],
            "whether all crash at once, or one after the other",
        ),
        Opt::count(
            "siblings",
            "8",
            "how many don't, and look at the clock each millisecond",
        ),
        Opt::count("first-ms", "0", "first delay of the backoff; 0: none"),
        Opt::count("max-ms", "30000", "longest delay of the backoff"),
        Opt::share("jitter", "1", "share of a delay that is random"),
        Opt::count(
            "limit",
            "0",
            "restarts of one child in a period; 0: any number",
        ),
        Opt::count("period-ms", "60000", "the period of the limit"),
        Opt::word(
            "on-limit",
            &["throttle", "quarantine"],
            "throttle or quarantine",
        ),
    ],
    presets: &[
        Preset {
            name: "250ms",
            sets: &[("rate", "4")],
        },
        Preset {
            name: "500ms",
            sets: &[("rate", "2")],
        },
        Preset {
            name: "1000ms",
            sets: &[("rate", "1")],
        },
        Preset {
            name: "as-fast-as-it-can",
            sets: &[("rate", "0")],
        },
        Preset {
            name: "herd",
            sets: &[("rate", "1"), ("children", "100"), ("first-ms", "100")],
        },
        Preset {
            name: "limit",
            sets: &[
                ("rate", "20"),
                ("limit", "5"),
                ("period-ms", "1000"),
                ("on-limit", "throttle"),
            ],
        },
    ],
};

/// How often a sibling looks at the clock.
const LOOK: Duration = Duration::from_millis(1);

/// How long after a decision its event may be made, on a machine that is busy with other threads.
const TOLD_WITHIN: Duration = Duration::from_millis(1);

/// Says to the children when to crash.
#[derive(Clone)]
struct Trigger {
    waves: watch::Receiver<u64>,
    number: u64,
    children: u64,
    is_together: bool,
    is_hot: bool,
}

impl Trigger {
    async fn live(mut self) {
        if self.is_hot {
            tokio::task::yield_now().await;
            panic!("on purpose");
        }
        // A wave that passed while it was down is none of this run's.
        self.waves.mark_unchanged();
        while self.waves.changed().await.is_ok() {
            let wave = *self.waves.borrow_and_update();
            if self.is_together || wave % self.children == self.number {
                panic!("on purpose");
            }
        }
        std::future::pending().await
    }
}

fn crashing(arguments: &Arguments, trigger: Trigger) -> Supervisor {
    let limit: u32 = arguments.number("limit");
    let first = arguments.milliseconds("first-ms");
    let backoff = match first.is_zero() {
        true => Backoff::none(),
        false => Backoff::try_new(first, arguments.milliseconds("max-ms"))
            .and_then(|backoff| backoff.jitter(arguments.number("jitter")))
            .unwrap_or_else(|wrong| panic!("{wrong}")),
    };
    let on_limit = match arguments.text("on-limit") {
        "throttle" => OnLimit::Throttle,
        _ => OnLimit::Quarantine,
    };
    let named = |number| format!("crashes-{number}");
    let supervisor =
        Supervisor::one_for_one("storm").intensity(1_000_000_000, Duration::from_secs(1));
    (0..trigger.children).fold(supervisor, |supervisor, number| {
        let trigger = Trigger {
            number,
            ..trigger.clone()
        };
        match arguments.text("kind") {
            "task" => {
                let child = Child::task_with(named(number), trigger, |_cx, trigger| async move {
                    trigger.live().await;
                    Ok(())
                });
                let child = child.backoff(backoff.clone());
                supervisor.child(limited(child, limit, arguments, on_limit))
            }
            _ => {
                let body = move |_cx, _inbox: Inbox<()>| {
                    let trigger = trigger.clone();
                    async move {
                        trigger.live().await;
                        Ok(())
                    }
                };
                let child = Child::worker(named(number), body).backoff(backoff.clone());
                supervisor.child(limited(child, limit, arguments, on_limit))
            }
        }
    })
}

fn limited<M: Send + 'static>(
    child: Child<M>,
    limit: u32,
    arguments: &Arguments,
    on_limit: OnLimit,
) -> Child<M> {
    match limit {
        0 => child,
        limit => child
            .limit(limit, arguments.milliseconds("period-ms"))
            .on_limit(on_limit),
    }
}

/// Notes how much later than it wanted each look at the clock came.
async fn look(cx: Context, late: Arc<Mutex<Durations>>) {
    let mut due = Instant::now();
    loop {
        due += LOOK;
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            _by = cx.shutdown() => return,
        }
        let now = Instant::now();
        late.lock()
            .expect("nobody panics with it")
            .record(now - due);
        due = due.max(now - LOOK);
    }
}

/// What was seen of the restarts.
#[derive(Default)]
struct Seen {
    restarts: AtomicU64,
    /// Events that were lost, in a storm that nobody can read along with.
    missed: AtomicU64,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    down: Durations,
    /// When runs of the last period were begun anew.
    recent: VecDeque<Instant>,
    most_in_a_period: usize,
}

async fn read(mut events: Subscriber<SubsystemEvent>, seen: Arc<Seen>, period: Duration) {
    loop {
        match events.recv().await {
            Ok(event) => seen.note(&event, period),
            Err(ReceiveError::Lagged(lost)) => drop(seen.missed.fetch_add(lost, Ordering::Relaxed)),
            Err(_) => return,
        }
    }
}

impl Seen {
    fn note(&self, event: &SubsystemEvent, period: Duration) {
        match event.kind {
            EventKind::Restarted { latency } => {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                let mut rest = self.rest.lock().expect("nobody panics with it");
                rest.down.record(latency);
            }
            // When it was decided on: how long the start then takes is no matter of a limit.
            EventKind::Starting if event.incarnation > 1 => {
                let mut rest = self.rest.lock().expect("nobody panics with it");
                let is_past = |first: &Instant| event.at - *first + TOLD_WITHIN > period;
                while rest.recent.front().is_some_and(is_past) {
                    rest.recent.pop_front();
                }
                rest.recent.push_back(event.at);
                rest.most_in_a_period = rest.most_in_a_period.max(rest.recent.len());
            }
            _ => {}
        }
    }
}

async fn load(arguments: &Arguments) -> Measured {
    rig::keep_quiet_about_panics();
    let (wave, waves) = watch::channel(0);
    let trigger = Trigger {
        waves,
        number: 0,
        children: arguments.number("children"),
        is_together: arguments.text("together") == "yes",
        is_hot: arguments.rate() == 0.0,
    };
    let late = Arc::new(Mutex::new(Durations::default()));
    let siblings = Supervisor::one_for_one("siblings");
    let siblings = (0..arguments.number::<u32>("siblings")).fold(siblings, |siblings, number| {
        let name = format!("sibling-{number}");
        siblings.child(Child::task_with(
            name,
            Arc::clone(&late),
            |cx, late| async move {
                look(cx, late).await;
                Ok(())
            },
        ))
    });
    let root = Supervisor::one_for_one("app").bus_capacity(65_536);
    let root = root.child(siblings).child(crashing(arguments, trigger));
    let running = root.start().await.expect("it starts");
    let seen = Arc::new(Seen::default());
    let restarted = EventFilter::new().kind("restarted").kind("starting");
    let events = running.subscribe_where("rig", Start::Next, restarted);
    let reading = tokio::spawn(read(
        events,
        Arc::clone(&seen),
        arguments.milliseconds("period-ms"),
    ));
    let waves = tokio::spawn(make_waves(wave, arguments.rate()));
    let series = Series::new(
        "seconds",
        "restarts/s",
        &["restarts"],
        &["siblings late p99 µs"],
    );
    let mut each = PerSecond::new();
    let series = rig::watch(&RIG, arguments.duration(), series, || {
        let late = late.lock().expect("nobody panics with it").micros(0.99);
        vec![each.of(seen.restarts.load(Ordering::Relaxed)), late]
    });
    let series = series.await;
    waves.abort();
    reading.abort();
    let snapshot = running.snapshot();
    let mut quarantined = 0;
    snapshot
        .root
        .visit(&mut |node| quarantined += u32::from(node.state.code() == "quarantined"));
    let report = running.stop(Duration::from_secs(10)).await;
    let stopped = if report.is_clean() { 0.0 } else { 1.0 };
    let mut figures = figures(
        arguments,
        &seen,
        &late.lock().expect("nobody panics with it"),
    );
    figures.push(Figure::plain(
        "quarantined",
        f64::from(quarantined),
        "children",
    ));
    figures.push(Figure::lower("stops that were not clean", stopped, "").objective(0.0));
    Measured { figures, series }
}

async fn make_waves(wave: watch::Sender<u64>, rate: f64) {
    if rate <= 0.0 {
        return std::future::pending().await;
    }
    loop {
        sleep(Duration::from_secs_f64(1.0 / rate)).await;
        wave.send_modify(|wave| *wave += 1);
    }
}

fn figures(arguments: &Arguments, seen: &Seen, late: &Durations) -> Vec<Figure> {
    let rest = seen.rest.lock().expect("nobody panics with it");
    let restarts = seen.restarts.load(Ordering::Relaxed) as f64;
    let missed = seen.missed.load(Ordering::Relaxed) as f64;
    let seconds = arguments.duration().as_secs_f64();
    let down = |share| rest.down.micros(share) / 1e3;
    let mut figures = vec![
        Figure::plain("restarts", restarts, ""),
        Figure::higher("restarts a second", (restarts + missed) / seconds, "/s"),
        Figure::lower("respawn p50", down(0.5), "ms"),
        Figure::lower("respawn p95", down(0.95), "ms").objective(10.0),
        Figure::lower("respawn p99", down(0.99), "ms").objective(25.0),
        Figure::lower("longest down", down(1.0), "ms"),
        Figure::lower("siblings late p50", late.micros(0.5), "µs"),
        Figure::lower("siblings late p99", late.micros(0.99), "µs"),
        Figure::plain("restarts not read along", missed, "events"),
    ];
    let limit: f64 = arguments.number("limit");
    if limit > 0.0 {
        let allowed = limit * arguments.number::<f64>("children");
        let most = Figure::lower(
            "most restarts in a period",
            rest.most_in_a_period as f64,
            "",
        );
        figures.push(most.objective(allowed));
    }
    figures
}

fn main() -> ExitCode {
    rig::run(&RIG, load)
}
