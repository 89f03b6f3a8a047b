//! The reference model: what a tree of supervisors does, written from the documentation.
//!
//! A simulation in one thread without tasks, channels or clocks. A node that does something leaves a
//! note to its supervisor; notes are read in the order in which they were left, and when none is
//! left the next thing on the agenda comes due. It shares nothing with the library, its decisions
//! least of all.

mod commands;
mod group;
mod life;
mod limits;

use std::collections::{BTreeMap, HashMap, VecDeque};

use self::group::Group;
use crate::script;
use crate::script::{Body, End, Op, Policy, Script, Spec, Starting, fit};
use crate::trace::{Answer, Line, Trace, parent_of};

/// Nanoseconds since the script began.
type Time = u64;
/// An index into the nodes; nodes are never taken out.
type Id = usize;

const MILLI: Time = 1_000_000;

/// What a node is doing, in the words of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Starting,
    Running,
    BackingOff,
    Stopping,
    Down,
    Quarantined,
}

/// What a supervisor is busy with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Job {
    /// It has no run.
    Off,
    /// It starts its declared children; so many have been.
    Opening(usize),
    Watching,
    Restarting(Group),
    /// It stops its children and will end like this.
    Leaving(&'static str),
}

/// What somebody who asked waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hope {
    /// That the child has stopped.
    Stopped,
    /// That it has stopped and is up again.
    Restarted,
    /// That its start, which is under way, ends well.
    Up,
    /// The same of a child that was added.
    Added,
    /// Nothing any more: it was added, stopped before it was up, and whoever asked was told.
    Gone,
}

struct Node {
    path: String,
    policy: Policy,
    body: Body,
    parent: Option<Id>,
    declared: Vec<Id>,
    state: State,
    incarnation: u64,
    restarts: u64,
    /// Changes with every change of state: what came due for an earlier one is stale.
    ticket: u64,
    up_since: Time,
    was_up: bool,
    /// Whether its run replaces one that its supervisor saw end and did not give up.
    is_restart: bool,
    attempt: u32,
    window: Vec<Time>,
    hopes: Vec<(usize, Hope)>,
    // As a supervisor:
    job: Job,
    children: Vec<Id>,
    intensity: Vec<Time>,
    deferred: Vec<(Id, &'static str)>,
    /// Why its own start failed, once it did.
    start_failed: bool,
}

/// What a node tells its supervisor.
#[derive(Debug, Clone)]
enum Note {
    Started,
    StartFailed(&'static str),
    Exited(&'static str),
    Stopped(&'static str),
}

/// What comes due for a node.
#[derive(Debug, Clone)]
enum Due {
    Tell(Note),
    /// Its backoff is over.
    Start,
    /// The backoff of its group is over.
    StartGroup,
}

pub(crate) struct Model {
    now: Time,
    nodes: Vec<Node>,
    agenda: BTreeMap<(Time, u64), (Id, u64, Due)>,
    notes: VecDeque<(Id, u64, Note)>,
    next: HashMap<String, VecDeque<Starting>>,
    order: u64,
    is_shut_down: bool,
    is_over: bool,
    end: String,
    /// Set where the documentation does not say what follows.
    pub(crate) murky: Option<&'static str>,
    lines: Vec<Line>,
    answers: Vec<Answer>,
    asking: usize,
}

const ROOT: Id = 0;

/// Runs a script; also says after how many steps the documentation does not say what follows.
pub(crate) fn run(script: &Script) -> (Trace, Option<(usize, &'static str)>) {
    let mut model = Model::new(script);
    let mut trace = Trace::default();
    let paths = script.paths();
    model.start(ROOT);
    model.run_notes();
    model.lines.clear();
    for (index, op) in script.ops.iter().chain([&Op::Shutdown]).enumerate() {
        model.asking = index;
        model.apply(op, &paths, script);
        model.run_notes();
        if index == script.ops.len() {
            while !model.is_over && model.step(Time::MAX) {}
        }
        if let Some(why) = model.murky {
            return (trace, Some((index, why)));
        }
        let mut answers = std::mem::take(&mut model.answers);
        answers.sort();
        let states = model.states();
        trace.push(std::mem::take(&mut model.lines), answers, states);
    }
    trace.end = model.end;
    (trace, None)
}

impl Model {
    fn new(script: &Script) -> Self {
        let mut model = Self {
            now: 0,
            nodes: Vec::new(),
            agenda: BTreeMap::new(),
            notes: VecDeque::new(),
            next: HashMap::new(),
            order: 0,
            is_shut_down: false,
            is_over: false,
            end: String::new(),
            murky: None,
            lines: Vec::new(),
            answers: Vec::new(),
            asking: 0,
        };
        model.declare(&script.root, None);
        model
    }

    fn declare(&mut self, spec: &Spec, parent: Option<Id>) -> Id {
        let above = parent.map_or("", |parent| &self.nodes[parent].path);
        let path = format!("{above}/{}", spec.name);
        let id = self.nodes.len();
        self.nodes.push(Node {
            path,
            policy: spec.policy.clone(),
            body: spec.body.clone(),
            parent,
            declared: Vec::new(),
            state: State::Pending,
            incarnation: 0,
            restarts: 0,
            ticket: 0,
            up_since: 0,
            was_up: false,
            is_restart: false,
            attempt: 0,
            window: Vec::new(),
            hopes: Vec::new(),
            job: Job::Off,
            children: Vec::new(),
            intensity: Vec::new(),
            deferred: Vec::new(),
            start_failed: false,
        });
        if let Body::Supervisor(settings) = &spec.body {
            let declare = |child| self.declare(child, Some(id));
            let declared: Vec<_> = settings.children.iter().map(declare).collect();
            self.nodes[id].children.clone_from(&declared);
            self.nodes[id].declared = declared;
        }
        id
    }

    fn apply(&mut self, op: &Op, paths: &[String], script: &Script) {
        let path = |node: &usize| paths[node % paths.len()].as_str();
        match op {
            Op::Exit(node, end) => self.exit(path(node), *end),
            Op::Next(node, starts) => {
                let starts = starts.iter().copied().collect();
                self.next.insert(path(node).to_owned(), starts);
            }
            Op::Ask(node, ask) => self.ask(path(node), *ask),
            Op::Add(node, name, policy, stop) => {
                let Some(around) = script.settings(path(node)) else {
                    return;
                };
                let mut policy = policy.clone();
                fit(&mut policy, around);
                let spec = Spec {
                    name: script::ADDED[*name].to_owned(),
                    policy,
                    body: Body::Leaf(*stop),
                };
                self.add(path(node), &spec);
            }
            Op::Wait(time) => {
                let until = self.now + time * MILLI;
                while self.step(until) {}
                self.now = until;
            }
            Op::Shutdown => self.shut_down(),
        }
    }

    fn exit(&mut self, path: &str, end: End) {
        let leaf = self.find(path).filter(|id| self.is_leaf(*id));
        if let Some(id) = leaf.filter(|id| self.nodes[*id].state == State::Running) {
            self.tell(
                id,
                Note::Exited(match end {
                    End::Normal => "normal",
                    End::Fails => "failed",
                    End::Panics => "panicked",
                }),
            );
        }
    }

    fn shut_down(&mut self) {
        if self.is_shut_down || self.is_over {
            return;
        }
        self.is_shut_down = true;
        self.line("shutdown", ROOT, "shutdown_began".into());
        self.end = " requested".into();
        if !matches!(self.nodes[ROOT].job, Job::Leaving(_)) {
            self.leave(ROOT, "shutdown");
        }
    }

    /// Reads all notes, then what is next on the agenda until then; `false` when nothing is.
    fn step(&mut self, until: Time) -> bool {
        self.run_notes();
        let Some(entry) = self.agenda.first_entry() else {
            return false;
        };
        let at = entry.key().0;
        if at > until {
            return false;
        }
        let (id, ticket, due) = entry.remove();
        self.now = at;
        if self.nodes[id].ticket != ticket {
            return true;
        }
        if let Some(((next, _), (other, ticket, _))) = self.agenda.first_key_value()
            && *next == at
            && self.nodes[*other].ticket == *ticket
        {
            self.murky = Some("two things come due at one instant");
        }
        match due {
            Due::Tell(note) => self.tell(id, note),
            Due::Start => {
                let parent = self.nodes[id].parent.map(|parent| &self.nodes[parent].job);
                if !matches!(parent, Some(Job::Leaving(_))) {
                    self.start(id);
                }
            }
            Due::StartGroup => self.go_on(id),
        }
        true
    }

    fn run_notes(&mut self) {
        while let Some((id, ticket, note)) = self.notes.pop_front() {
            if self.nodes[id].ticket == ticket {
                self.hear(id, note);
            }
        }
    }

    fn tell(&mut self, id: Id, note: Note) {
        self.notes.push_back((id, self.nodes[id].ticket, note));
    }

    fn later(&mut self, id: Id, at: Time, due: Due) {
        // Timers tell whole milliseconds.
        let at = at.div_ceil(MILLI) * MILLI;
        self.order += 1;
        let ticket = self.nodes[id].ticket;
        self.agenda.insert((at, self.order), (id, ticket, due));
    }

    fn set(&mut self, id: Id, state: State) {
        let node = &mut self.nodes[id];
        node.state = state;
        node.ticket += 1;
    }

    fn event(&mut self, id: Id, what: impl Into<String>) {
        let stream = parent_of(&self.nodes[id].path).to_owned();
        self.line(&stream, id, what.into());
    }

    fn line(&mut self, stream: &str, id: Id, what: String) {
        let node = &self.nodes[id];
        self.lines.push(Line {
            stream: stream.to_owned(),
            path: node.path.clone(),
            incarnation: node.incarnation,
            at: self.now,
            what,
        });
    }

    fn answer(&mut self, operation: usize, code: &str) {
        self.answers.push((operation, code.to_owned(), self.now));
    }

    fn is_leaf(&self, id: Id) -> bool {
        matches!(self.nodes[id].body, Body::Leaf(_))
    }

    fn is_alive(&self, id: Id) -> bool {
        let alive = [State::Starting, State::Running, State::Stopping];
        alive.contains(&self.nodes[id].state)
    }

    fn settings(&self, id: Id) -> &script::Settings {
        match &self.nodes[id].body {
            Body::Supervisor(settings) => settings,
            Body::Leaf(_) => panic!("{} is a leaf", self.nodes[id].path),
        }
    }

    /// Finds a node that is there.
    fn find(&self, path: &str) -> Option<Id> {
        let mut ids = vec![ROOT];
        while let Some(id) = ids.pop() {
            if self.nodes[id].path == path {
                return Some(id);
            }
            ids.extend(&self.nodes[id].children);
        }
        None
    }

    fn states(&self) -> Vec<String> {
        fn walk(model: &Model, id: Id, states: &mut Vec<String>) {
            let node = &model.nodes[id];
            let state = match node.state {
                State::Pending => "pending",
                State::Starting => "starting",
                State::Running => "running",
                State::BackingOff => "backing_off",
                State::Stopping => "stopping",
                State::Down => "down",
                State::Quarantined => "quarantined",
            };
            let (incarnation, restarts) = (node.incarnation, node.restarts);
            states.push(format!(
                "{} {state} #{incarnation} restarts {restarts}",
                node.path
            ));
            for child in &node.children {
                walk(model, *child, states);
            }
        }
        let mut states = Vec::new();
        walk(self, ROOT, &mut states);
        states
    }
}
