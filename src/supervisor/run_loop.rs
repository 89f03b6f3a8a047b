//! The loop of one supervisor: it waits, asks [`decide`](super::decide), and does what that says.
//!
//! The only place where decisions take effect.
//! It awaits nothing that a child could hold up: not its factory, start, stop, mailbox or drop.
//!
//! # Invariants
//!
//! 1. Shutdown comes first, by an ear or from above, then what runs tell, starts and ends in the order in
//!    which they came, then commands, then timers.
//! 2. After [`ENDS_IN_A_ROW`] ends, starts and commands one command and all due timers are served, so
//!    that neither a storm of crashes nor one of commands starves anything.
//! 3. A child's acknowledged start is decided on before the end of the same run, and before a shutdown that
//!    has overtaken its word.

mod apply;
mod bury;
mod commands;
mod health;
mod log;
mod stop;
mod timers;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

use self::bury::{bury_elsewhere, forget_run_time_children};
use self::stop::listen;
pub(crate) use self::stop::{Asked, Ear};
use super::cell::{Cell, Role};
use super::children::{Children, Key, Policy, Ticket, restart_of};
use super::decide::{Happened, Mode, Rules, Supervision, Timer};
use super::ends::Ends;
use super::live::{Live, Lives};
use super::names::Names;
use super::reaper::Reaper;
use super::{Node, NodeKind, Supervisor, Tree};
use crate::command::{COMMAND_QUEUE_CAPACITY, ChildAnswer, Command, StartAnswer};
use crate::context::{Above, News, Notice, Run, StopShare, breakable, give_way};
use crate::exit::{Exit, Panic, catch, catch_blocking};
use crate::path::Path;
use crate::policy::restart::Strategy;
use crate::shutdown::plan::StopNeed;
use crate::shutdown::report::Stopped;
use crate::time::later;

/// How many ends, starts and commands are handled before one command and the due timers get their
/// turn.
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
    above: Arc<Above>,
    commands: mpsc::Receiver<Command<Node>>,
    supervision: Supervision,
    lives: Lives,
    names: Names,
    next_key: Key,
    ends: Ends,
    ear: Option<Ear>,
    /// Whether the edges and the log were not told yet of what the ear heard.
    is_untold: bool,
    timers: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// Goes off when the first of them is due. Kept from one wait to the next: to register a timer
    /// wakes the thread that waits for timers, which then takes work away from this one.
    alarm: Pin<Box<Sleep>>,
    /// What the supervisor above counts with when it stops this one.
    need: StopNeed,
    /// How many restarts have been counted where readers see them.
    counted_restarts: u64,
    /// At which number the timers of ended runs are taken out.
    prune_timers_at: usize,
    // In order, because the loop drops what is left when it ends, which wakes those who wait.
    answers: BTreeMap<Ticket, Waiting>,
    next_ticket: Ticket,
    report: Vec<Stopped>,
    /// The deadline that was last heard from above.
    told: Option<Instant>,
    /// When a stop began, and the deadline it has.
    asked: Option<(Instant, Instant)>,
    finished: Option<Exit>,
}

/// Who waits for the outcome of a command on which child. The child may be gone when it comes.
enum Waiting {
    ForStart(Path, StartAnswer),
    ForChild(Path, ChildAnswer),
}

/// What the loop woke up for.
enum Woken {
    StopOrdered(Instant),
    Told(Notice),
    Command(Command<Node>),
    Asked(Asked),
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
        declared.door.open(sender, cell, tree.early_notice());
        cell.forget_from(declared.children.len() as Key);
        let jitter = tree.jitter(cell.path(), run.incarnation());
        let rules = Rules {
            strategy: declared.strategy,
            intensity: declared.intensity,
            on_limit: declared.on_limit,
            auto_shutdown: declared.auto_shutdown,
        };
        cell.set_intensity(rules.intensity.unwrap_or_default());
        let mut supervision = Supervision::new(rules, jitter, Instant::now());
        supervision.children = Children::with_capacity(declared.children.len());
        let mut new = Self {
            tree: Arc::clone(tree),
            declared: Arc::clone(declared),
            cell: Arc::clone(cell),
            run: Arc::clone(run),
            above: Above::new(tree.early_notice(), Some(run)),
            commands,
            supervision,
            lives: Lives::with_capacity(declared.children.len()),
            names: Names::default(),
            next_key: 0,
            ends: Ends::default(),
            ear: None,
            is_untold: false,
            timers: BinaryHeap::new(),
            alarm: Box::pin(sleep_until(Instant::now())),
            need: declared.stop_need(),
            counted_restarts: 0,
            prune_timers_at: timers::FIRST_PRUNE,
            answers: BTreeMap::new(),
            next_ticket: 0,
            report: Vec::new(),
            told: None,
            asked: None,
            finished: None,
        };
        for node in &declared.children {
            new.admit(node.share(), node.name());
        }
        new
    }

    /// Hears with this as well, for the root alone.
    pub(super) fn hearing(mut self, ear: Option<Ear>) -> Self {
        self.ear = ear;
        self
    }

    /// Gives a child a place at the end of the order.
    fn admit(&mut self, node: Node, name: &str) -> Key {
        let key = self.next_key;
        self.next_key += 1;
        let restart = restart_of(&node, self.declared.strategy);
        let path = || self.cell.path().join(name);
        let cell = self.cell.child(key, || {
            let role = Role {
                kind: node.kind(),
                restart,
                duty: node.duty(),
            };
            Cell::new(path(), role, node.mailbox())
        });
        if let NodeKind::Supervisor(below) = &node.0 {
            self.cell.keep_door(key, &below.door);
        }
        self.supervision
            .add(key, Policy::of(&node, &self.declared), cell.incarnation());
        self.names.insert(cell.path().clone(), key);
        self.lives.insert(key, Live::new(node, cell));
        key
    }

    fn is_declared(&self, key: Key) -> bool {
        key < self.declared.children.len() as Key
    }

    /// Runs until all children have ended. Boxed, because a loop starts loops of its own kind.
    pub(super) fn run(mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let run = Arc::clone(&self.run);
            let watch = async {
                self.watch().await;
                Ok(())
            };
            if let Err(panic) = catch(breakable(&run, watch)).await {
                self.panicked(panic).await;
            }
            // Not asked of `ends`: who is over may still have to be heard.
            let leaves_hung = self.lives.values().any(Live::is_not_over);
            self.leave();
            if leaves_hung {
                self.run.tell(News::LeftHung);
            }
            while !self.ends.is_empty() {
                self.ends.next(self.above.notices()).await;
            }
        })
    }

    async fn watch(&mut self) {
        if self.run.incarnation() > 1 {
            // What was added to the run before is gone.
            self.run.tell(News::StopNeed(self.need));
        }
        self.happened(Happened::Began);
        let mut in_a_row = 0;
        while self.finished.is_none() {
            if in_a_row >= ENDS_IN_A_ROW {
                in_a_row = 0;
                self.serve_the_patient();
                continue;
            }
            give_way().await;
            let woken = self.wake().await;
            self.tell_the_rest();
            in_a_row = match woken {
                Woken::Told(_) | Woken::Command(_) => in_a_row + 1,
                Woken::StopOrdered(_) | Woken::Asked(_) | Woken::TimersDue => 0,
            };
            self.react(woken);
        }
    }

    /// A mistake in here, or in a subscriber of the host's that is called from here: nothing can be
    /// decided any more, but everything that runs is stopped in order.
    async fn panicked(&mut self, panic: Panic) {
        self.tell_the_rest();
        self.ear = None;
        let said = || tracing::error!(path = %self.cell.path(), %panic, "the supervisor panicked");
        // It may be the subscriber of that very line that panics.
        drop(catch_blocking(said));
        let exit = Exit::Panicked(panic);
        let began = Instant::now();
        let by = later(began, self.need.worst_case);
        self.tree.note_leaving(&self.run, &exit, by);
        self.finished = Some(exit);
        self.declared.door.close();
        let reaped = self.reaper().walk().await;
        (self.report, self.lives, self.ends) = (reaped.report, reaped.lives, reaped.ends);
        self.asked.get_or_insert((began, Instant::now()));
    }

    async fn wake(&mut self) -> Woken {
        let next_timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let next_alarm = self.tells_by().into_iter().chain(next_timer).min();
        if let Some(at) = next_alarm
            && at != self.alarm.deadline()
        {
            self.alarm.as_mut().reset(at);
        }
        let told = self.told;
        let may_ask = self.asked.is_none();
        tokio::select! {
            biased;
            asked = listen(&mut self.ear), if may_ask => Woken::Asked(asked),
            deadline = self.run.stop().earlier_than(told) => {
                Woken::StopOrdered(deadline)
            }
            notice = self.above.notices().next() => Woken::Told(notice),
            Some(command) = self.commands.recv() => Woken::Command(command),
            () = self.alarm.as_mut(), if next_alarm.is_some() => Woken::TimersDue,
        }
    }

    fn react(&mut self, woken: Woken) {
        match woken {
            Woken::StopOrdered(deadline) => self.stop_ordered(deadline),
            Woken::Told(notice) => self.told(notice),
            Woken::Command(command) => self.command(command),
            Woken::Asked(asked) => self.shut_down(asked),
            Woken::TimersDue => self.fire_due_timers(),
        }
    }

    fn serve_the_patient(&mut self) {
        if let Ok(command) = self.commands.try_recv() {
            self.command(command);
        }
        self.fire_due_timers();
    }

    /// Tells the supervisor above when a stop of this one needs another time: because of a child that
    /// was added, removed, or has such news itself.
    ///
    /// A dynamic supervisor stops its children all at once: it keeps the longest time it ever needed,
    /// so that adding one among 100 000 looks at no other, and one floor whatever they are.
    fn tell_stop_need(&mut self, key: Key) {
        let need = match self.declared.strategy {
            Strategy::Dynamic => {
                let child = self.supervision.worst_case_of(key);
                let worst_case = self.declared.worst_case_with(child);
                StopNeed {
                    worst_case: worst_case.max(self.need.worst_case),
                    ..self.need
                }
            }
            _ => self.declared.stop_need_with(self.supervision.stop_need()),
        };
        if need != self.need {
            self.need = need;
            self.run.tell(News::StopNeed(need));
        }
    }

    fn told(&mut self, notice: Notice) {
        let Notice {
            key,
            incarnation,
            news,
        } = notice;
        let happened = match news {
            News::Started => {
                let is_well = self.begin_checks(key, incarnation);
                self.happened(Happened::Started { key, incarnation });
                if !is_well {
                    // It said so while it started.
                    self.decide_on_health(key, incarnation);
                }
                return;
            }
            News::Health => return self.health_changed(key, incarnation),
            News::Ending => Happened::Ending { key, incarnation },
            News::Over => {
                self.ends.heard_of(&notice);
                return self.ended(key, incarnation);
            }
            News::LeftHung => {
                let run = self.lives.get(&key).and_then(|live| live.run.as_ref());
                Happened::LeftHung {
                    key,
                    incarnation,
                    exit: run.map_or(Exit::Hung, |run| run.exit()),
                }
            }
            News::StopNeed(need) => {
                self.happened(Happened::StopNeed {
                    key,
                    incarnation,
                    need,
                });
                return self.tell_stop_need(key);
            }
            News::Extended(deadline) => Happened::Extended {
                key,
                incarnation,
                deadline,
            },
        };
        self.happened(happened);
    }

    fn ended(&mut self, key: Key, incarnation: u64) {
        let run = self.lives.get(&key).and_then(|live| live.run.clone());
        let Some(run) = run.filter(|run| run.incarnation() == incarnation) else {
            return;
        };
        if let Some(live) = self.lives.get_mut(&key) {
            // It holds the mailbox of a run that is over.
            live.control = None;
        }
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
        // Read at each decision rather than awaited: no restart slips in between the announcement, or
        // the request to stop, and a wake-up.
        if let Some(deadline) = self.run.stop().deadline_before(self.told) {
            self.stop_ordered(deadline);
        }
        if !self.supervision.is_quiet() && self.tree.early_notice().get().is_some() {
            let nothing = self.supervision.decide(Happened::ShutdownBegan, now);
            self.supervision.take_back(nothing);
        }
        self.supervision.set_bound(self.run.stop().bound());
        let mut actions = self.supervision.decide(happened, now);
        for action in actions.drain(..) {
            self.apply(action);
        }
        self.supervision.take_back(actions);
        // A start that is over lets several be decided on at once.
        let (counted, last) = self.supervision.counted_restarts();
        for _ in self.counted_restarts..counted {
            last.into_iter().for_each(|at| self.cell.count_restart(at));
        }
        self.counted_restarts = counted;
        // A meltdown was asked for by nobody: its time counts from the decision.
        if self.asked.is_none()
            && let Mode::Leaving { exit, walk } = &self.supervision.mode
        {
            self.asked = Some((now, walk.deadline()));
            self.tree.note_leaving(&self.run, exit, walk.deadline());
        }
    }

    /// Refuses what is still queued, and leaves word of how this run ended.
    fn leave(&mut self) {
        self.tell_the_rest();
        self.ear = None;
        self.declared.door.close();
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::StartChild { node, answer } = command {
                node.retire();
                bury_elsewhere(node, answer);
            }
        }
        // Nothing is decided any more: what hangs is waited for here, and by nobody else.
        self.answers.clear();
        forget_run_time_children(&mut self.lives, self.declared.children.len());
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

    /// Hands the children over to what stops them without decisions.
    fn reaper(&mut self) -> Reaper {
        Reaper {
            tree: Arc::clone(&self.tree),
            supervisor: Arc::clone(&self.run),
            lives: std::mem::take(&mut self.lives),
            ends: std::mem::take(&mut self.ends),
            above: Arc::clone(&self.above),
            all_at_once: self.declared.strategy == Strategy::Dynamic,
        }
    }
}

impl Drop for RunLoop {
    /// Reached with children that live only when the task of this supervisor was dropped.
    fn drop(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        self.declared.door.close();
        let reaper = self.reaper();
        let declared = self.declared.children.len();
        let above = Arc::clone(&self.above);
        let walk = async move {
            let mut reaped = reaper.walk().await;
            forget_run_time_children(&mut reaped.lives, declared);
            while !reaped.ends.is_empty() {
                reaped.ends.next(above.notices()).await;
            }
        };
        self.run.leave_reaper(self.run.runtime().spawn(walk));
    }
}
