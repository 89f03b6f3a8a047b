//! Counts what the scripts came to, so that they can't agree about nothing without anybody noticing.

use std::collections::BTreeMap;

use perennial::policy::restart::Strategy;

use crate::script::{Branch, Node, Operation, Script};
use crate::trace::Step;

/// How often each thing was seen.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

/// What no run of 1 000 scripts may lack.
const EXPECTED: [&str; 64] = [
    "in_a_row: done",
    "start: failed",
    "start_dynamic: failed",
    "start: invalid",
    "start: already_started",
    "start: already_present",
    "start: ok",
    "start_dynamic: ok",
    "stop: ok",
    "stop: not_found",
    "stop_dynamic: ok",
    "restart: ok",
    "restart: failed",
    "restart: running",
    "restart: not_found",
    "delete: ok",
    "delete: running",
    "delete: not_found",
    "stop: not_running",
    "exit: done",
    "pass: ok",
    "kill: done",
    "together: several",
    "an end leads to more",
    "the root ends by itself",
    "a start fails and is tried again",
    "4 supervisors deep",
    "AnySignificant: ends",
    "AllSignificant: ends",
    "a meltdown leads to another",
    "several starts fail and the next goes well",
    "end: Normal",
    "end: Shutdown",
    "end: ShutdownWithReason",
    "end: Abnormal",
    "end: KilledFromOutside",
    "end: Permanent below OneForOne",
    "end: Permanent below OneForAll",
    "end: Permanent below RestForOne",
    "end: Permanent below Dynamic",
    "end: Transient below OneForOne",
    "end: Transient below OneForAll",
    "end: Transient below RestForOne",
    "end: Transient below Dynamic",
    "end: Temporary below OneForOne",
    "end: Temporary below OneForAll",
    "end: Temporary below RestForOne",
    "end: Temporary below Dynamic",
    "together: below OneForOne",
    "together: below OneForAll",
    "together: below RestForOne",
    "together: below Dynamic",
    "in_a_row: start, done",
    "in_a_row: start_dynamic, done",
    "in_a_row: stop, done",
    "in_a_row: stop_dynamic, done",
    "shutdown: Timeout, Obey",
    "shutdown: Infinity, Obey",
    "failed: Timeout, Fail",
    "killed: Timeout, Deaf",
    "killed: Brutal, Obey",
    "starts: Task",
    "starts: Worker",
    "starts: Actor",
];

impl Tally {
    fn add(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn count(&mut self, script: &Script, steps: &[Step]) {
        self.add("scripts");
        self.add(format!("{} supervisors deep", depth(&script.root)));
        let mut known = BTreeMap::new();
        learn(&Node::Branch(script.root.clone()), "", &mut known);
        let mut was_up = true;
        for (operation, step) in script.operations.iter().zip(&steps[1..]) {
            if let Operation::Start(below, node) | Operation::StartDynamic(below, node) = operation
                && step.answer == "ok"
            {
                learn(node, below, &mut known);
            }
            self.count_answer(operation, step, &known);
            self.count_trace(step, &known);
            let is_up = !step.state.iter().any(|line| line == "/r gone");
            if was_up && !is_up {
                self.add("the root ends by itself");
            }
            was_up = is_up;
            self.add(if is_up {
                "operations while the root is up"
            } else {
                "operations after its end"
            });
        }
    }

    /// Counts what was asked, and of whom, by what came of it.
    fn count_answer(&mut self, operation: &Operation, step: &Step, known: &BTreeMap<String, Node>) {
        let answer = step.answer.split(' ').next().unwrap_or_default();
        match operation {
            Operation::Together(below, ends) if ends.len() > 1 && step.answer.contains("done ") => {
                self.add("together: several");
                self.add(format!("together: below {}", strategy(known, below)));
                return;
            }
            Operation::InARow(_, _, command) if step.answer == "done ok" => {
                let command = word(command);
                self.add(format!("in_a_row: {command}, done"));
            }
            Operation::End(path, end) if answer == "done" => {
                self.add(format!("end: {end:?}"));
                self.count_end(path, step, known);
            }
            _ => {}
        }
        self.add(format!("{}: {answer}", word(operation)));
    }

    /// Counts an end by who ended below whom, and what came of it.
    fn count_end(&mut self, path: &str, step: &Step, known: &BTreeMap<String, Node>) {
        let Some((above, _)) = path.rsplit_once('/') else {
            return;
        };
        let (Some(Node::Leaf(leaf)), Some(Node::Branch(branch))) =
            (known.get(path), known.get(above))
        else {
            return;
        };
        let (restart, strategy) = (leaf.restart, branch.strategy);
        self.add(format!("end: {restart:?} below {strategy:?}"));
        let begin = format!("end {above} ");
        if let Some(line) = step.trace.iter().find(|line| line.starts_with(&begin))
            && leaf.is_significant
            && !line.ends_with(" meltdown")
        {
            self.add(format!("{:?}: ends", branch.auto_shutdown));
        }
        if step.trace.len() > 4 {
            self.add("an end leads to more");
        }
        // Up again after so many attempts.
        let start = format!("start {path}");
        let starts = step.trace.iter().filter(|line| **line == start).count();
        let failed = format!("end {path} start_failed");
        let fails = step.trace.iter().filter(|line| **line == failed).count();
        if fails > 0 {
            self.add("a start fails and is tried again");
        }
        if fails > 1 && starts > fails {
            self.add("several starts fail and the next goes well");
        }
    }

    fn count_trace(&mut self, step: &Step, known: &BTreeMap<String, Node>) {
        let mut meltdowns = 0;
        for line in &step.trace {
            let (what, rest) = line.split_once(' ').unwrap_or_default();
            let (path, how) = rest.split_once(' ').unwrap_or((rest, ""));
            if what == "end" {
                self.add(format!("ends: {how}"));
                meltdowns += usize::from(how == "meltdown");
                if let Some(Node::Leaf(leaf)) = known.get(path) {
                    self.add(format!("{how}: {:?}, {:?}", leaf.stop, leaf.on_stop));
                }
                continue;
            }
            self.add("starts");
            if let Some(Node::Leaf(leaf)) = known.get(path) {
                self.add(format!("starts: {:?}", leaf.kind));
            }
        }
        if meltdowns > 1 {
            self.add("a meltdown leads to another");
        }
    }

    /// Says what was seen, and fails if a whole kind of thing was not.
    pub(crate) fn conclude(&self) {
        for (what, count) in &self.0 {
            println!("{count:>9} {what}");
        }
        if self
            .0
            .get("scripts")
            .is_some_and(|scripts| *scripts >= 1_000)
        {
            for what in EXPECTED {
                assert!(self.0.contains_key(what), "no script came to: {what}");
            }
        }
    }
}

/// Returns how deep supervisors stand in each other.
fn depth(branch: &Branch) -> usize {
    let below = branch.children.iter().map(|child| match child {
        Node::Branch(branch) => depth(branch),
        Node::Leaf(_) => 0,
    });
    1 + below.max().unwrap_or(0)
}

/// Notes what stands at each path from a node on.
fn learn(node: &Node, below: &str, known: &mut BTreeMap<String, Node>) {
    let path = format!("{below}/{}", node.name());
    if let Node::Branch(branch) = node
        && branch.strategy != Strategy::Dynamic
    {
        branch
            .children
            .iter()
            .for_each(|child| learn(child, &path, known));
    }
    known.insert(path, node.clone());
}

fn strategy(known: &BTreeMap<String, Node>, path: &str) -> String {
    match known.get(path) {
        Some(Node::Branch(branch)) => format!("{:?}", branch.strategy),
        _ => "nobody".to_owned(),
    }
}

/// Returns the name under which Erlang knows an operation.
fn word(operation: &Operation) -> String {
    let text = operation.to_string();
    let word = text.trim_start_matches('{').split(',').next();
    word.unwrap_or_default().to_owned()
}
