//! The library's side: the same script on a real tree under a paused clock.
//!
//! After each operation everything that can run at that instant runs, before the next one. Leaves do
//! what the script says: a board shared with them holds how their next starts go, and through which
//! channel the run that is up can be told to end.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use perennial::command::{CommandError, StartChildError};
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit;
use perennial::supervisor::Node;
use perennial::supervisor::status::NodeStatus;
use perennial::{
    Backoff, BoxError, Child, Context, EventKind, Path, Restart, Running, ShutdownReason,
    StartError, Subscriber, SubsystemEvent, Supervisor,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::script;
use crate::script::{
    Ask, Auto, Body, End, Limit, MAX_CHILDREN, OnLimit, Op, Policy, START_TIMEOUT, STOP_TIMEOUT,
    Script, Settings, Shape, Spec, Starting, Stopping, Wait, fit,
};
use crate::trace::{Line, Trace, parent_of};

/// What the leaves share with the script.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    next: HashMap<String, VecDeque<Starting>>,
    up: HashMap<String, oneshot::Sender<End>>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().expect("no panic holds it")
    }
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

async fn leaf(cx: Context, (board, stop): (Board, Stopping)) -> Result<(), BoxError> {
    let path = cx.path().as_str().to_owned();
    let next = board
        .lock()
        .next
        .get_mut(&path)
        .and_then(VecDeque::pop_front);
    match next.unwrap_or(Starting::AtOnce) {
        Starting::AtOnce => {}
        Starting::Fails => return Err("told to".into()),
        Starting::Takes(time) => tokio::time::sleep(millis(time)).await,
        Starting::Never => std::future::pending().await,
    }
    let (tell, mut told) = oneshot::channel();
    board.lock().up.insert(path.clone(), tell);
    cx.ready();
    let told = tokio::select! {
        biased;
        _deadline = cx.shutdown() => None,
        Ok(end) = &mut told => Some(end),
    };
    match told {
        Some(End::Normal) => Ok(()),
        Some(End::Fails) => Err("told to".into()),
        Some(End::Panics) => panic!("told to"),
        None => {
            board.lock().up.remove(&path);
            match stop {
                Stopping::AtOnce => Ok(()),
                Stopping::Badly => Err("badly".into()),
                Stopping::Takes(time) => {
                    tokio::time::sleep(millis(time)).await;
                    Ok(())
                }
                Stopping::Deaf => std::future::pending().await,
            }
        }
    }
}

fn restart(policy: &Policy) -> Restart {
    match policy.restart {
        script::Restart::Permanent => Restart::Permanent,
        script::Restart::Transient => Restart::Transient,
        script::Restart::Temporary => Restart::Temporary,
    }
}

fn backoff(policy: &Policy) -> Backoff {
    let backoff = match policy.wait {
        Wait::None => Backoff::none(),
        Wait::Fixed(delay) => Backoff::fixed(millis(delay)),
        Wait::Growing(first, max) => Backoff::try_new(millis(first), millis(max))
            .and_then(|backoff| backoff.jitter(0.0))
            .expect("the script's are valid"),
    };
    match policy.attempts {
        Some(attempts) => backoff.attempts(attempts),
        None => backoff,
    }
}

fn on_limit(on: OnLimit) -> limit::OnLimit {
    match on {
        OnLimit::Escalate => limit::OnLimit::Escalate,
        OnLimit::Quarantine => limit::OnLimit::Quarantine,
        OnLimit::Throttle => limit::OnLimit::Throttle,
    }
}

fn child(name: &str, policy: &Policy, stop: Stopping, board: &Board) -> Child {
    let mut child = Child::task_with(name, (board.clone(), stop), leaf)
        .explicit_ready()
        .restart(restart(policy))
        .backoff(backoff(policy))
        .start_timeout(millis(START_TIMEOUT))
        .stop_timeout(millis(STOP_TIMEOUT));
    if let Some(Limit { restarts, period }) = policy.limit {
        child = child.limit(restarts, millis(period));
    }
    if let Some(on) = policy.on_limit {
        child = child.on_limit(on_limit(on));
    }
    if policy.significant {
        child = child.significant();
    }
    child
}

fn supervisor(spec: &Spec, settings: &Settings, board: &Board) -> Supervisor {
    let name = spec.name.as_str();
    let policy = &spec.policy;
    let mut supervisor = match settings.shape {
        Shape::OneForOne => Supervisor::one_for_one(name),
        Shape::OneForAll => Supervisor::one_for_all(name),
        Shape::RestForOne => Supervisor::rest_for_one(name),
        Shape::Dynamic => Supervisor::dynamic(name).max_children(MAX_CHILDREN),
    }
    .on_limit(on_limit(settings.on_limit))
    .auto_shutdown(match settings.auto {
        Auto::Never => AutoShutdown::Never,
        Auto::Any => AutoShutdown::AnySignificant,
        Auto::All => AutoShutdown::AllSignificant,
    })
    .restart(restart(policy))
    .own_backoff(backoff(policy));
    if let Some(Limit { restarts, period }) = settings.intensity {
        supervisor = supervisor.intensity(restarts, millis(period));
    }
    if let Some(Limit { restarts, period }) = policy.limit {
        supervisor = supervisor.own_limit(restarts, millis(period));
    }
    if let Some(on) = policy.on_limit {
        supervisor = supervisor.own_on_limit(on_limit(on));
    }
    if policy.significant {
        supervisor = supervisor.significant();
    }
    for spec in &settings.children {
        let node: Node = match &spec.body {
            Body::Leaf(stop) => child(&spec.name, &spec.policy, *stop, board).into(),
            Body::Supervisor(settings) => self::supervisor(spec, settings, board).into(),
        };
        supervisor = supervisor.child(node);
    }
    supervisor
}

/// Runs a script and returns what was seen of it.
pub(crate) fn run(script: &Script) -> Trace {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(drive(script))
}

struct Driver {
    zero: Instant,
    board: Board,
    paths: Vec<String>,
    running: Running,
    events: Subscriber<SubsystemEvent>,
    answers: Arc<Mutex<Vec<(usize, String, u64)>>>,
    trace: Trace,
}

async fn drive(script: &Script) -> Trace {
    let zero = Instant::now();
    let board = Board::default();
    let Body::Supervisor(settings) = &script.root.body else {
        panic!("the root is a supervisor")
    };
    let tree = supervisor(&script.root, settings, &board);
    let running = match tree.start().await {
        Ok(running) => running,
        Err(StartError::Failed { .. }) => panic!("a first start goes well"),
        Err(error) => panic!("{error:?} {error}"),
    };
    let events = running.subscribe("model");
    let mut driver = Driver {
        zero,
        board,
        paths: script.paths(),
        running,
        events,
        answers: Arc::default(),
        trace: Trace::default(),
    };
    for (index, op) in script.ops.iter().enumerate() {
        driver.apply(index, op, script).await;
        driver.settle().await;
        driver.collect();
    }
    driver.apply(script.ops.len(), &Op::Shutdown, script).await;
    let report = driver.running.wait().await;
    driver.settle().await;
    driver.collect();
    driver.trace.end = format!("{} {}", report.exit.code(), report.reason);
    driver.trace
}

impl Driver {
    async fn apply(&mut self, index: usize, op: &Op, script: &Script) {
        let path = |node: &usize| self.paths[node % self.paths.len()].clone();
        match op {
            Op::Exit(node, end) => {
                let tell = self.board.lock().up.remove(&path(node));
                if let Some(tell) = tell {
                    // A run that has been killed no longer listens.
                    let _gone = tell.send(*end);
                }
            }
            Op::Next(node, starts) => {
                let starts = starts.iter().copied().collect();
                self.board.lock().next.insert(path(node), starts);
            }
            Op::Ask(node, ask) => self.ask(index, path(node), *ask),
            Op::Add(node, name, policy, stop) => {
                let name = script::ADDED[*name];
                if let Some(around) = script.settings(&path(node)) {
                    let mut policy = policy.clone();
                    fit(&mut policy, around);
                    let child = child(name, &policy, *stop, &self.board);
                    self.add(index, &path(node), child);
                }
            }
            Op::Wait(time) => tokio::time::sleep(millis(*time)).await,
            Op::Shutdown => self
                .running
                .shutdown(ShutdownReason::Requested, Duration::from_secs(36_000)),
        }
    }

    fn ask(&self, index: usize, path: String, ask: Ask) {
        let running = self.running.observer();
        let answer = async move {
            let answer = match ask {
                Ask::Stop => running.stop_child(&path).await,
                Ask::Restart => running.restart_child(&path).await,
                Ask::Delete => running.delete_child(&path).await,
                Ask::Release => running.release(&path).await,
            };
            answer.map_err(|error: CommandError| error.code())
        };
        self.record(index, answer);
    }

    fn add(&self, index: usize, path: &str, child: Child) {
        let Some(supervisor) = self.running.supervisor(path) else {
            return self.record(index, async { Err("not_found") });
        };
        self.record(index, async move {
            let answer = supervisor.start_child(child).await;
            answer
                .map(|_path: Path| ())
                .map_err(|error: StartChildError| error.code())
        });
    }

    fn record(
        &self,
        index: usize,
        answer: impl Future<Output = Result<(), &'static str>> + Send + 'static,
    ) {
        let answers = Arc::clone(&self.answers);
        let zero = self.zero;
        tokio::spawn(async move {
            let code = answer.await.err().unwrap_or("ok");
            let at = (Instant::now() - zero).as_nanos() as u64;
            let mut answers = answers.lock().expect("no panic holds it");
            answers.push((index, code.to_owned(), at));
        });
    }

    /// Lets everything run that can run at this instant.
    async fn settle(&self) {
        let mut seen = u64::MAX;
        loop {
            let published = self.running.bus_statistics().published;
            if published == seen {
                return;
            }
            seen = published;
            for _ in 0..30 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Takes what was seen since the last time, and reads the tree.
    fn collect(&mut self) {
        let mut lines = Vec::new();
        while let Ok(Some(event)) = self.events.try_recv() {
            // The model finds out when a run ends whether it was long enough.
            if !matches!(event.kind, EventKind::Stable { .. }) {
                lines.push(line(&event, self.zero));
            }
        }
        let mut answers = std::mem::take(&mut *self.answers.lock().expect("no panic holds it"));
        answers.sort();
        let mut states = Vec::new();
        self.running
            .snapshot()
            .root
            .visit(&mut |node: &NodeStatus| {
                states.push(format!(
                    "{} {} #{} restarts {}",
                    node.path,
                    node.state.code(),
                    node.incarnation,
                    node.restart_count()
                ));
            });
        self.trace.push(lines, answers, states);
    }
}

fn line(event: &SubsystemEvent, zero: Instant) -> Line {
    let nanos = |at: Instant| (at - zero).as_nanos() as u64;
    let code = event.kind.code();
    let what = match &event.kind {
        EventKind::Exited { exit, uptime } => {
            format!("{code} {} after {}", exit.code(), uptime.as_millis())
        }
        EventKind::StartFailed { exit } => format!("{code} {}", exit.code()),
        EventKind::BackingOff { until, attempt } => {
            format!("{code} #{attempt} until {}", nanos(*until))
        }
        // Not how long it took: the instants say that, and a report counts from the walk on.
        EventKind::Stopped { outcome, .. } => format!("{code} {}", outcome.code()),
        _ => code.to_owned(),
    };
    let path = event.path.as_str().to_owned();
    let stream = match event.kind {
        EventKind::Meltdown => path.clone(),
        EventKind::ShutdownBegan { .. } => "shutdown".to_owned(),
        _ => parent_of(&path).to_owned(),
    };
    Line {
        stream,
        path,
        incarnation: event.incarnation,
        at: nanos(event.at),
        what,
    }
}
