//! What is wrong with a document, each once, while it is read again and again.

use crate::config::problem::{Problem, ProblemKind};

/// What is wrong, each once.
#[derive(Default)]
pub(super) struct Told {
    pub(super) problems: Vec<Problem>,
    /// How many more there are.
    more: usize,
    /// The keys that are not read any more, because they were refused.
    pub(super) taken_out: Vec<String>,
}

impl Told {
    /// Takes the keys that nobody knows, which are found again each time, and how many more there are.
    pub(super) fn unknown(&mut self, found: Vec<Problem>, more: usize) {
        self.more = self.more.max(more);
        for problem in found {
            let is_known =
                |known: &Problem| (&known.key, &known.message) == (&problem.key, &problem.message);
            // Few: no more are found at once than are shown.
            if !self.problems.iter().any(is_known) {
                self.problems.push(problem);
            }
        }
    }

    /// Returns what is wrong; the last says how many keys there are that are not shown.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems;
        if self.more > 0 {
            let message = format!("and {} more keys that nobody knows", self.more);
            problems.push(Problem::new(ProblemKind::UnknownKey, message));
        }
        problems
    }

    /// Takes what was refused, unless that follows from what was taken out of it.
    pub(super) fn refused(&mut self, problem: Problem, key: &str) {
        let is_inside = |taken: &String| {
            taken
                .strip_prefix(key)
                .is_some_and(|rest| key.is_empty() || rest.starts_with('.'))
        };
        if !self.taken_out.iter().any(is_inside) {
            self.problems.push(problem);
        }
    }
}
