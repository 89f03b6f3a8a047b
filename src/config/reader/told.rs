//! What is wrong with a document, each once, while it is read again and again.

use crate::config::problem::Problem;

/// What is wrong, each once.
#[derive(Default)]
pub(super) struct Told {
    pub(super) problems: Vec<Problem>,
    /// The keys that are not read any more, because they were refused.
    pub(super) taken_out: Vec<String>,
}

impl Told {
    /// Takes the keys that nobody knows, which are found again each time.
    pub(super) fn unknown(&mut self, found: Vec<Problem>) {
        for problem in found {
            let is_known =
                |known: &Problem| (&known.key, &known.message) == (&problem.key, &problem.message);
            if !self.problems.iter().any(is_known) {
                self.problems.push(problem);
            }
        }
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
