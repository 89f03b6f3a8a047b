//! One run: a tree drawn from a seed, what is done to it from outside, and the record of it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use perennial::bus::Start;
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit::OnLimit;
use perennial::policy::stop::Stop;
use perennial::{
    Backoff, Child, Restart, Running, ShutdownReason, StartError, StopReport, Subscriber,
    SubsystemEvent, Supervisor,
};
use tokio::time::{Instant, sleep};

use crate::behaviour::{Dice, Message, Shared, child, command};

/// What one run came to.
pub(crate) struct Record {
    pub(crate) zero: Instant,
    pub(crate) events: Vec<SubsystemEvent>,
    /// Beginnings and ends of bodies, and answers, in order.
    pub(crate) notes: Vec<String>,
    pub(crate) report: Option<StopReport>,
    pub(crate) ended: Instant,
    /// The instant by which the tree had to be over, once somebody asked for that.
    pub(crate) deadline: Option<Instant>,
    pub(crate) asked: u64,
    pub(crate) answered: u64,
}

impl Record {
    /// Prints all of it, with virtual time.
    pub(crate) fn print(&self) -> String {
        let mut text = String::new();
        let mut add = |line: String| writeln!(text, "{line}").expect("a string takes it");
        for event in &self.events {
            let at = (event.at - self.zero).as_nanos();
            // Instants differ from run to run; what they are after the beginning does not.
            let kind = match &event.kind {
                perennial::EventKind::BackingOff { until, attempt } => {
                    format!("backing off #{attempt} until {:?}", *until - self.zero)
                }
                perennial::EventKind::StopRequested { deadline } => {
                    format!("stop requested until {:?}", *deadline - self.zero)
                }
                perennial::EventKind::ShutdownBegan { reason, deadline } => {
                    format!("shutdown began {reason} until {:?}", *deadline - self.zero)
                }
                kind => format!("{kind:?}"),
            };
            add(format!(
                "{} {at} {}#{} {kind}",
                event.seq, event.path, event.incarnation
            ));
        }
        for note in &self.notes {
            add(note.clone());
        }
        if let Some(report) = &self.report {
            add(report.to_string());
        }
        add(format!(
            "{:?} {} {}",
            self.ended - self.zero,
            self.asked,
            self.answered
        ));
        text
    }
}

/// Runs the world of a seed on a runtime of its own.
pub(crate) fn run(seed: u64) -> Record {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(live(seed))
}

async fn live(seed: u64) -> Record {
    let zero = Instant::now();
    let mut dice = Dice::new(seed);
    let shared = Arc::new(Shared::default());
    let tree = supervisor("r", 0, &mut dice, &shared).seed(seed);
    let mut record = Record {
        zero,
        events: Vec::new(),
        notes: Vec::new(),
        report: None,
        ended: zero,
        deadline: None,
        asked: 0,
        answered: 0,
    };
    match Box::pin(tree.start()).await {
        Ok(running) => outlive(running, &mut dice, &shared, &mut record).await,
        Err(error) => shared.note(match error {
            StartError::Failed { path, exit } => format!("{path} did not start: {exit:?}"),
            error => format!("{error:?}"),
        }),
    }
    // What is left of tasks that asked for something hears that nobody answers.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    record.notes = std::mem::take(&mut *shared.notes.lock().expect("no panic holds it"));
    (record.asked, record.answered) = *shared.asked.lock().expect("no panic holds it");
    record
}

/// Does things to a running tree, shuts it down at some moment and waits for its end.
async fn outlive(running: Running, dice: &mut Dice, shared: &Arc<Shared>, record: &mut Record) {
    // From the first one: a tree may be up and over before anybody looks.
    let mut events = running.subscribe_from("simulation", Start::Oldest);
    for _ in 0..dice.below(30) {
        sleep(dice.millis(1_500)).await;
        collect(&mut events, record);
        if dice.below(3) == 0 {
            let (mut dice, shared) = (Dice::new(dice.below(u64::MAX)), Arc::clone(shared));
            tokio::spawn(async move { command("outside", &mut dice, &shared).await });
        }
    }
    for _ in 0..=dice.below(2) {
        let budget = Duration::from_millis(200 + dice.below(8_000));
        running.shutdown(ShutdownReason::Requested, budget);
        let deadline = Instant::now() + budget;
        record.deadline = Some(
            record
                .deadline
                .map_or(deadline, |before| before.min(deadline)),
        );
        sleep(dice.millis(400)).await;
        collect(&mut events, record);
    }
    let report = running.wait().await;
    collect(&mut events, record);
    record.ended = record
        .events
        .last()
        .map_or(Instant::now(), |event| event.at);
    record.report = Some(report);
}

fn collect(events: &mut Subscriber<SubsystemEvent>, record: &mut Record) {
    while let Ok(Some(event)) = events.try_recv() {
        record.events.push(event);
    }
}

fn backoff(dice: &mut Dice) -> Backoff {
    match dice.below(4) {
        0 => Backoff::none(),
        1 => Backoff::fixed(dice.millis(800)),
        2 => Backoff::default().attempts(1 + dice.below(4) as u32),
        _ => Backoff::default(),
    }
}

fn restart(dice: &mut Dice) -> Restart {
    match dice.below(6) {
        0 => Restart::Temporary,
        1 => Restart::Transient,
        _ => Restart::Permanent,
    }
}

/// A supervisor and what is below it; gives up early trees in which nothing starts.
fn supervisor(name: &str, depth: u64, dice: &mut Dice, shared: &Arc<Shared>) -> Supervisor {
    let kind = dice.below(7);
    let mut supervisor = match kind {
        0..=2 => Supervisor::one_for_one(name),
        3 | 4 => Supervisor::rest_for_one(name),
        5 => Supervisor::one_for_all(name),
        _ => Supervisor::dynamic(name).max_children(3),
    };
    supervisor = supervisor
        .backoff(backoff(dice))
        .own_backoff(backoff(dice))
        .restart(restart(dice));
    if dice.below(2) == 0 {
        let restarts = 1 + dice.below(8) as u32;
        supervisor = supervisor.intensity(restarts, Duration::from_secs(1 + dice.below(20)));
        if dice.below(4) == 0 {
            supervisor = supervisor.on_limit(OnLimit::Throttle);
        }
    }
    let auto = dice.below(5) == 0;
    if auto {
        supervisor = supervisor.auto_shutdown(AutoShutdown::AnySignificant);
    }
    let mut names = Vec::new();
    let children = if kind == 6 { 0 } else { dice.below(5) };
    for index in 0..children {
        let name = format!("c{index}");
        supervisor = match depth < 4 && dice.below(3) == 0 {
            true => supervisor.child(self::supervisor(&name, depth + 1, dice, shared)),
            false => supervisor.child(leaf(&name, auto, dice, shared)),
        };
        names.push(name);
    }
    names.push("added".to_owned());
    let mut all = shared.supervisors.lock().expect("no panic holds it");
    all.push((supervisor.handle(), names));
    supervisor
}

fn leaf(name: &str, auto: bool, dice: &mut Dice, shared: &Arc<Shared>) -> Child<Message> {
    let restart = restart(dice);
    let mut leaf = child(name, dice.below(u64::MAX), shared)
        .restart(restart)
        .start_timeout(Duration::from_millis(500 + dice.below(1_000)))
        .stop_timeout(Duration::from_millis(50 + dice.below(4_000)));
    if auto && restart != Restart::Permanent && dice.below(2) == 0 {
        leaf = leaf.significant();
    }
    leaf = match dice.below(6) {
        0 => leaf.stop(Stop::Brutal),
        1 => leaf.stop(Stop::Drain),
        _ => leaf,
    };
    if dice.below(5) == 0 {
        leaf = leaf.limit(1 + dice.below(4) as u32, Duration::from_secs(10));
    }
    shared
        .workers
        .lock()
        .expect("no panic holds it")
        .push(leaf.handle());
    leaf
}
