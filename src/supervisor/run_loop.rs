//! The loop of one supervisor: it waits, asks [`decide`](super::decide), and does what that says.
//!
//! The only place with effects and the only `select!`. It awaits nothing that a child could hold up:
//! not its factory, start, stop, mailbox or drop.
//!
//! # Invariants
//!
//! 1. Shutdown comes first, then ends, starts, commands, timers.
//! 2. After [`ENDS_IN_A_ROW`] ends one command and all due timers are served, so that a storm of
//!    crashes starves nothing.
//! 3. A child's acknowledged start is decided on before the end of the same run.

mod apply;
mod log;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use super::children::{Key, Policy, restart_of};
use super::decide::{Happened, Mode, Supervision, Timer};
use super::live::{Ending, Live, Lives};
use super::status::Cell;
use super::{Node, Supervisor, Tree, spawn};
use crate::command::{Answer, COMMAND_QUEUE_CAPACITY, Command, StartChildError};
use crate::context::{Notices, Run, StopShare};
use crate::exit::Exit;
use crate::policy::restart::Strategy;
use crate::shutdown::report::Stopped;

/// How many ends are handled before a command and the due timers get their turn.
///
/// Large enough that a storm is worked off in bulk, small enough that a command waits for well under
/// a millisecond of decisions.
const ENDS_IN_A_ROW: u32 = 64;

/// One incarnation of a supervisor.
pub(super) struct RunLoop {
    tree: Arc<Tree>,
    declared: Arc<Supervisor>,
    cell: Arc<Cell>,
    /// The supervisor's own run, as its parent sees it.
    run: Arc<Run>,
    notices: Arc<Notices>,
    commands: mpsc::Receiver<Command<Arc<Node>>>,
    supervision: Supervision,
    lives: Lives,
    /// For look-ups only; nothing iterates over it.
    keys: HashMap<String, Key>,
    next_key: Key,
    ends: FuturesUnordered<Ending>,
    timers: BinaryHeap<Reverse<(Instant, Timer)>>,
    answers: BTreeMap<Key, Answer>,
    report: Vec<Stopped>,
    /// When a stop was first heard of, and the deadline last heard.
    asked: Option<(Instant, Instant)>,
    finished: Option<Exit>,
}

/// What the loop woke up for.
enum Woken {
    Happened(Happened),
    Ended(Key, u64),
    Command(Command<Arc<Node>>),
    TimersDue,
}

impl RunLoop {
    /// Prepares an incarnation from the declaration: run-time children of an earlier one are
    /// forgotten, windows are empty, incarnations count on.
    pub(super) fn new(
        tree: &Arc<Tree>,
        declared: &Arc<Supervisor>,
        cell: &Arc<Cell>,
        run: &Arc<Run>,
    ) -> Self {
        let (sender, commands) = mpsc::channel(COMMAND_QUEUE_CAPACITY);
        declared.door.open(sender);
        cell.forget_from(declared.children.len() as Key);
        let jitter = tree.jitter(cell.path(), run.incarnation());
        let mut new = Self {
            tree: Arc::clone(tree),
            declared: Arc::clone(declared),
            cell: Arc::clone(cell),
            run: Arc::clone(run),
            notices: Arc::default(),
            commands,
            supervision: Supervision::new(
                declared.strategy,
                declared.intensity,
                jitter,
                Instant::now(),
            ),
            lives: Lives::new(),
            keys: HashMap::new(),
            next_key: 0,
            ends: FuturesUnordered::new(),
            timers: BinaryHeap::new(),
            answers: BTreeMap::new(),
            report: Vec::new(),
            asked: None,
            finished: None,
        };
        for node in &declared.children {
            new.admit(Arc::clone(node), node.name().to_owned());
        }
        new
    }

    /// Gives a child a place at the end of the order.
    fn admit(&mut self, node: Arc<Node>, name: String) -> Key {
        let key = self.next_key;
        self.next_key += 1;
        let is_dynamic = key >= self.declared.children.len() as Key;
        let restart = restart_of(&node, self.declared.strategy);
        let path = self.cell.path().join(&name);
        let cell = self
            .cell
            .child(key, || Cell::new(path, node.kind(), restart, is_dynamic));
        self.supervision
            .add(key, Policy::of(&node, &self.declared), cell.incarnation());
        self.keys.insert(name, key);
        self.lives.insert(key, Live::new(node, cell));
        key
    }

    /// Runs until all children have ended. Boxed, because a loop starts loops of its own kind.
    pub(super) fn run(mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            self.happened(Happened::Began);
            let mut ends_in_a_row = 0;
            while self.finished.is_none() {
                if ends_in_a_row >= ENDS_IN_A_ROW {
                    ends_in_a_row = 0;
                    self.serve_the_patient();
                    continue;
                }
                let woken = self.wake().await;
                ends_in_a_row = if matches!(woken, Woken::Ended(..)) {
                    ends_in_a_row + 1
                } else {
                    0
                };
                self.react(woken);
            }
            self.leave();
        })
    }

    async fn wake(&mut self) -> Woken {
        let next_timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let told = self.asked.map(|(_, deadline)| deadline);
        tokio::select! {
            biased;
            deadline = self.run.stop().earlier_than(told) => {
                let now = Instant::now();
                let first = self.asked.map_or(now, |(first, _)| first);
                self.asked = Some((first, deadline));
                let deadline = spawn::deadline_of_children(now, deadline);
                Woken::Happened(Happened::StopOrdered { deadline })
            }
            // Under tokio's cooperative budget a large set of ends is polled again and again.
            Some((key, incarnation)) = unconstrained(self.ends.next()), if !self.ends.is_empty() => {
                Woken::Ended(key, incarnation)
            }
            (key, incarnation) = self.notices.next() => {
                Woken::Happened(Happened::Started { key, incarnation })
            }
            Some(command) = self.commands.recv() => Woken::Command(command),
            () = sleep_until(next_timer.unwrap_or_else(Instant::now)), if next_timer.is_some() => {
                Woken::TimersDue
            }
        }
    }

    fn react(&mut self, woken: Woken) {
        match woken {
            Woken::Happened(happened) => self.happened(happened),
            Woken::Ended(key, incarnation) => self.ended(key, incarnation),
            Woken::Command(command) => self.command(command),
            Woken::TimersDue => self.fire_due_timers(),
        }
    }

    fn serve_the_patient(&mut self) {
        if let Ok(command) = self.commands.try_recv() {
            self.command(command);
        }
        self.fire_due_timers();
    }

    fn fire_due_timers(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, timer))) = self.timers.peek().copied() {
            if at > now || self.finished.is_some() {
                return;
            }
            self.timers.pop();
            self.happened(Happened::Due(timer));
        }
    }

    fn ended(&mut self, key: Key, incarnation: u64) {
        let run = self.lives.get(&key).and_then(|live| live.run.clone());
        let Some(run) = run.filter(|run| run.incarnation() == incarnation) else {
            return;
        };
        if run.is_acknowledged() {
            self.happened(Happened::Started { key, incarnation });
        }
        self.happened(Happened::Ended {
            key,
            incarnation,
            exit: run.exit(),
        });
    }

    fn happened(&mut self, happened: Happened) {
        let now = Instant::now();
        // Read at each decision rather than awaited: no restart slips in between the announcement
        // and a wake-up.
        if !self.supervision.is_quiet() && self.tree.early_notice().get().is_some() {
            self.supervision.decide(Happened::ShutdownBegan, now);
        }
        for action in self.supervision.decide(happened, now) {
            self.apply(action);
        }
    }

    fn command(&mut self, command: Command<Arc<Node>>) {
        let Command::StartChild { node, answer } = command;
        match self.refusal(&node) {
            Some(refusal) => {
                drop_elsewhere(node);
                // Nobody waits any more: the caller gave up.
                drop(answer.send(Err(refusal)));
            }
            None => {
                let name = match node.name() {
                    "" => self.next_key.to_string(),
                    name => name.to_owned(),
                };
                let key = self.admit(node, name);
                self.answers.insert(key, answer);
                self.happened(Happened::Added { key });
            }
        }
    }

    /// Says why a child can't be added now.
    fn refusal(&self, node: &Node) -> Option<StartChildError> {
        match self.supervision.mode {
            _ if self.tree.early_notice().get().is_some() => {
                return Some(StartChildError::ShuttingDown);
            }
            Mode::Starting { .. } => return Some(StartChildError::Starting),
            Mode::Group { .. } => return Some(StartChildError::InProgress),
            Mode::Leaving { .. } | Mode::Ended => return Some(StartChildError::ShuttingDown),
            Mode::Running => {}
        }
        let max_children = self.declared.max_children;
        if self.declared.strategy == Strategy::Dynamic && self.lives.len() >= max_children {
            let supervisor = self.cell.path().clone();
            return Some(StartChildError::AtCapacity {
                supervisor,
                max_children,
            });
        }
        let path = self
            .keys
            .contains_key(node.name())
            .then(|| self.cell.path().join(node.name()))?;
        Some(StartChildError::AlreadyPresent { path })
    }

    fn leave(&mut self) {
        self.declared.door.close();
        let exit = self.finished.take().unwrap_or(Exit::Shutdown);
        let now = Instant::now();
        let (first, deadline) = self.asked.unwrap_or((now, now));
        self.run.leave_report(StopShare {
            allotted: deadline.saturating_duration_since(first),
            spent: now - first,
            children: std::mem::take(&mut self.report),
        });
        self.run.record(exit);
    }
}

/// Drops what holds user code in a task of its own: a drop that blocks or panics must not hold up a
/// supervisor.
fn drop_elsewhere<T: Send + 'static>(value: T) {
    drop(tokio::spawn(async move { drop(value) }));
}
