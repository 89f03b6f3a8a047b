//! The same script on this crate, under tokio's paused clock and without backoff.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use perennial::command::{CommandError, StartChildError};
use perennial::event::EventKind;
use perennial::exit::Exit;
use perennial::policy::restart::Strategy;
use perennial::shutdown::report::Outcome;
use perennial::supervisor::Node as Declared;
use perennial::supervisor::status::{NodeStatus, State};
use perennial::{
    Backoff, Running, Subscriber, SubsystemEvent, Supervisor, SupervisorHandle, testkit,
};

use crate::leaf::{self, World};
use crate::script::{Branch, End, Leaf, Node, OnStop, Operation, ROOT, Script, Stop};
use crate::trace::Step;

/// Above the root stands a supervisor, so that the root's start and end are events like any other.
const ABOVE: &str = "/t";
/// Long enough for everything that has a time limit here. Nobody waits for it: the clock is paused.
const AT_REST: Duration = Duration::from_secs(600);
/// Longer than that: an answer that has not come by then never will.
const PATIENCE: Duration = Duration::from_secs(500_000);

/// Runs a script on our side.
pub(crate) fn run(script: &Script) -> Vec<Step> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(run_on(script))
}

async fn run_on(script: &Script) -> Vec<Step> {
    let top = Supervisor::one_for_one(&ABOVE[1..]).backoff(Backoff::none());
    let handle = top.handle();
    let running = top.start().await.expect("nothing below can fail");
    let mut side = Ours {
        events: running.subscribe("script"),
        running,
        world: World::default(),
        is_up: HashMap::new(),
        present: HashMap::new(),
        started: HashSet::new(),
        declared: HashMap::new(),
    };
    let root = Node::Branch(script.root.clone());
    let answer = side.start(handle.clone(), "", &root).await;
    let mut steps = vec![side.step(answer).await];
    for operation in &script.operations {
        let answered = tokio::time::timeout(PATIENCE, side.operate(operation)).await;
        let answer = answered.unwrap_or_else(|_| "never".to_owned());
        steps.push(side.step(answer).await);
    }
    let stopped = tokio::time::timeout(PATIENCE, handle.stop_child(&ROOT[1..])).await;
    let answer = match stopped {
        Ok(Ok(())) => "ok",
        Ok(Err(_)) => "not_running",
        Err(_) => "never",
    };
    steps.push(side.step(answer.to_owned()).await);
    steps
}

struct Ours {
    running: Running,
    events: Subscriber<SubsystemEvent>,
    world: World,
    /// Whether the present run of each node was acknowledged.
    is_up: HashMap<String, bool>,
    /// What the leaf at a path is like in its present run.
    present: HashMap<String, Leaf>,
    started: HashSet<String>,
    /// What was declared last at each path.
    declared: HashMap<String, Node>,
}

impl Ours {
    async fn step(&mut self, answer: String) -> Step {
        tokio::time::sleep(AT_REST).await;
        let mut trace = Vec::new();
        loop {
            match self.events.try_recv() {
                Ok(Some(event)) => trace.extend(self.line(&event)),
                Ok(None) => break,
                Err(lost) => panic!("{lost}"),
            }
        }
        let mut state = Vec::new();
        match self.find(ROOT) {
            Some(root) if root.state == State::Running => self.dump(&root, &mut state),
            _ => state.push(format!("{ROOT} gone")),
        }
        Step {
            trace,
            answer,
            state,
        }
    }

    /// Writes a supervisor that is up as OTP would: its counts, then its children.
    fn dump(&self, node: &NodeStatus, lines: &mut Vec<String>) {
        let path = below_top(node.path.as_str());
        let mut children: Vec<_> = node.children.iter().collect();
        let mut count = node.count_children();
        if self.is_dynamic(path) {
            // OTP counts one specification, the template.
            count.specifications = 1;
            children.sort_by_key(|child| child.path.name().to_owned());
        }
        lines.push(format!(
            "{path} counts {} {} {} {}",
            count.specifications, count.active, count.supervisors, count.workers
        ));
        for child in children {
            let state = match child.state {
                State::Running => "up",
                other => other.code(),
            };
            let kind = match child.kind {
                perennial::child::Kind::Supervisor => "supervisor",
                _ => "worker",
            };
            let restart = format!("{:?}", child.restart).to_lowercase();
            let path = below_top(child.path.as_str());
            lines.push(format!("{path} {state} {kind} {restart}"));
            if child.kind == perennial::child::Kind::Supervisor && child.state == State::Running {
                self.dump(child, lines);
            }
        }
    }

    fn is_dynamic(&self, path: &str) -> bool {
        matches!(self.declared.get(path), Some(Node::Branch(branch)) if branch.strategy == Strategy::Dynamic)
    }

    fn find(&self, path: &str) -> Option<NodeStatus> {
        let snapshot = self.running.snapshot();
        let mut found = None;
        snapshot.root.visit(&mut |node| {
            if below_top(node.path.as_str()) == path {
                found = Some(node.clone());
            }
        });
        found
    }

    fn line(&mut self, event: &SubsystemEvent) -> Option<String> {
        let path = below_top(event.path.as_str()).to_owned();
        let how = match &event.kind {
            EventKind::Starting => {
                self.is_up.insert(path.clone(), false);
                self.present.remove(&path);
                if let Some(leaf) = self.world.take_run(&path, event.incarnation) {
                    self.present.insert(path.clone(), leaf);
                }
                self.started.insert(path.clone());
                return Some(format!("start {path}"));
            }
            EventKind::Started => {
                self.is_up.insert(path, true);
                return None;
            }
            EventKind::StartFailed { .. } => "start_failed",
            EventKind::Exited { exit, .. } => exit.code(),
            EventKind::Stopped { outcome, .. } => self.stopped(&path, outcome)?,
            _ => return None,
        };
        // A panic would be a mistake of this test: nothing of it panics.
        Some(format!("end {path} {how}"))
    }

    fn stopped(&self, path: &str, outcome: &Outcome) -> Option<&'static str> {
        let leaf = self.present.get(path).cloned();
        let leaf = leaf.or_else(|| self.leaf(path));
        let is_brutal = leaf.as_ref().is_some_and(|leaf| leaf.stop == Stop::Brutal);
        let was_up = self.is_up.get(path).copied().unwrap_or_default();
        Some(match outcome {
            Outcome::AlreadyDown => return None,
            // OTP waits for a start before it stops what started: see "a start that is cancelled".
            Outcome::Killed if !was_up => match leaf.map(|leaf| leaf.on_stop) {
                _ if is_brutal => "killed",
                Some(OnStop::Deaf) => "killed",
                Some(OnStop::Fail) => "failed",
                Some(OnStop::Obey) | None => "shutdown",
            },
            Outcome::Stopped if is_brutal => "killed",
            Outcome::Stopped => "shutdown",
            Outcome::CleanupFailed(exit) => exit.code(),
            Outcome::Killed => Exit::Killed.code(),
            Outcome::Hung => Exit::Hung.code(),
            other => panic!("an outcome that no script brings about: {other:?}"),
        })
    }

    /// Of a run that was cancelled before it began: in such scripts no name is used twice.
    fn leaf(&self, path: &str) -> Option<Leaf> {
        match self.declared.get(path) {
            Some(Node::Leaf(leaf)) => Some(leaf.clone()),
            _ => None,
        }
    }

    async fn operate(&mut self, operation: &Operation) -> String {
        match operation {
            Operation::Pass(seconds) => {
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
                "ok".to_owned()
            }
            Operation::End(path, end) => self.strike(path, *end).to_owned(),
            Operation::Together(below, ends) => match self.supervisor(below) {
                Some(_) => {
                    let strikes = ends.iter().map(|(path, end)| self.strike(path, *end));
                    strikes.collect::<Vec<_>>().join(" ")
                }
                None => "not_running".to_owned(),
            },
            Operation::InARow(below, (path, end), command) => match self.supervisor(below) {
                Some(_) => {
                    let first = self.strike(path, *end);
                    let answer = Box::pin(self.operate(command)).await;
                    format!("{first} {answer}")
                }
                None => "not_running".to_owned(),
            },
            Operation::FailStarts(path, times) => {
                self.world.fail_starts(path, *times);
                "ok".to_owned()
            }
            Operation::Start(below, child) | Operation::StartDynamic(below, child) => {
                match self.supervisor(below) {
                    Some(handle) => self.start(handle, below, child).await,
                    None => "not_running".to_owned(),
                }
            }
            Operation::Stop(below, name) => {
                let asked = async |handle: SupervisorHandle| handle.stop_child(name).await;
                self.ask(below, asked).await
            }
            Operation::StopDynamic(below, name) => {
                let asked = async |handle: SupervisorHandle| handle.stop_child(name).await;
                let answer = self.ask(below, asked).await;
                // OTP answers `ok` for the pid of a process that is dead.
                match self.started.contains(&format!("{below}/{name}")) {
                    true if answer == "not_found" => "ok".to_owned(),
                    _ => answer,
                }
            }
            Operation::Delete(below, name) => {
                let asked = async |handle: SupervisorHandle| handle.delete_child(name).await;
                self.ask(below, asked).await
            }
            Operation::Restart(below, name) => {
                // OTP's starts what is down and answers `running` for what is up; ours stops it first.
                let child = self.find(&format!("{below}/{name}"));
                let is_up = child.is_some_and(|child| child.state == State::Running);
                if is_up && self.supervisor(below).is_some() {
                    return "running".to_owned();
                }
                let asked = async |handle: SupervisorHandle| handle.restart_child(name).await;
                self.ask(below, asked).await
            }
        }
    }

    fn supervisor(&self, path: &str) -> Option<SupervisorHandle> {
        let is_up = self.find(path)?.state == State::Running;
        let handle = self.running.supervisor(&format!("{ABOVE}{path}"));
        handle.filter(|_| is_up)
    }

    async fn start(&mut self, handle: SupervisorHandle, below: &str, child: &Node) -> String {
        let mut known = HashMap::new();
        let declared = declare(child, below, &self.world, &mut known);
        let answer = match handle.start_child(declared).await {
            Ok(_path) => "ok",
            Err(StartChildError::AlreadyPresent { is_alive: true, .. }) => "already_started",
            Err(StartChildError::AlreadyPresent { .. }) => "already_present",
            Err(StartChildError::NotRunning | StartChildError::ShuttingDown) => "not_running",
            Err(error) => error.code(),
        };
        if matches!(answer, "ok" | "failed") {
            self.declared.extend(known);
        }
        answer.to_owned()
    }

    async fn ask<F>(&self, below: &str, asked: F) -> String
    where
        F: AsyncFnOnce(SupervisorHandle) -> Result<(), CommandError>,
    {
        let Some(handle) = self.supervisor(below) else {
            return "not_running".to_owned();
        };
        match asked(handle).await {
            Ok(()) => "ok",
            // OTP's caller finds the supervisor gone.
            Err(CommandError::ShuttingDown) => "not_running",
            Err(error) => error.code(),
        }
        .to_owned()
    }

    fn strike(&self, path: &str, end: End) -> &'static str {
        let is_done = match end {
            End::KilledFromOutside => {
                testkit::kill(&self.running, &format!("{ABOVE}{path}")).is_ok()
            }
            other => self.world.end(path, other),
        };
        if is_done { "done" } else { "absent" }
    }
}

fn below_top(path: &str) -> &str {
    path.strip_prefix(ABOVE).unwrap_or(path)
}

/// Declares a node and everything below it.
fn declare(node: &Node, below: &str, world: &World, known: &mut HashMap<String, Node>) -> Declared {
    let path = format!("{below}/{}", node.name());
    known.insert(path.clone(), node.clone());
    match node {
        Node::Leaf(leaf) => leaf::declare(leaf, &path, world),
        Node::Branch(branch) => declare_branch(branch, &path, world, known).into(),
    }
}

fn declare_branch(
    branch: &Branch,
    path: &str,
    world: &World,
    known: &mut HashMap<String, Node>,
) -> Supervisor {
    let name = &branch.name;
    let supervisor = match branch.strategy {
        Strategy::OneForOne => Supervisor::one_for_one(name),
        Strategy::OneForAll => Supervisor::one_for_all(name),
        Strategy::RestForOne => Supervisor::rest_for_one(name),
        Strategy::Dynamic => Supervisor::dynamic(name),
    };
    let supervisor = supervisor
        .backoff(Backoff::none())
        .intensity(branch.intensity, Duration::from_secs(branch.period))
        .auto_shutdown(branch.auto_shutdown)
        .restart(branch.restart);
    let supervisor = match branch.is_significant {
        true => supervisor.significant(),
        false => supervisor,
    };
    // The child of a dynamic one is a template, and no child.
    if branch.strategy == Strategy::Dynamic {
        return supervisor;
    }
    let children = branch.children.iter();
    children.fold(supervisor, |supervisor, child| {
        supervisor.child(declare(child, path, world, known))
    })
}
