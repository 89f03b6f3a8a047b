//! Counts what the scripts came to, so that they can't agree about nothing without anybody noticing.

use std::collections::BTreeMap;

use crate::script::{Operation, Script};
use crate::trace::Step;

/// How often each thing was seen.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

/// What no run of 1 000 scripts may lack.
const EXPECTED: [&str; 25] = [
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
    "kill: done",
    "together: several",
    "an end leads to more",
    "the root ends by itself",
    "a start fails and is tried again",
];

impl Tally {
    fn add(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn count(&mut self, script: &Script, steps: &[Step]) {
        self.add("scripts");
        let mut was_up = true;
        for (operation, step) in script.operations.iter().zip(&steps[1..]) {
            let name = match operation {
                Operation::Together(_, ends) if ends.len() > 1 && step.answer.contains("done ") => {
                    self.add("together: several");
                    continue;
                }
                other => other.to_string(),
            };
            let name = name.trim_start_matches('{').split(',').next();
            let answer = step.answer.split(' ').next().unwrap_or_default();
            self.add(format!("{}: {answer}", name.unwrap_or_default()));
            if step.trace.len() > 4 {
                self.add("an end leads to more");
            }
            let fails = |line: &&String| line.ends_with("start_failed");
            if step.trace.iter().filter(fails).count() > 0 && step.answer == "done" {
                self.add("a start fails and is tried again");
            }
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
        for line in steps.iter().flat_map(|step| &step.trace) {
            let last = line.rsplit(' ').next().unwrap_or_default();
            match line.starts_with("start ") {
                true => self.add("starts"),
                false => self.add(format!("ends: {last}")),
            }
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
