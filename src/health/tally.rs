//! From results of checks in a row to a verdict: plain state, with Kubernetes' thresholds.

use std::sync::Arc;

use super::Health;

/// Counts results in a row.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    failures_needed: u32,
    successes_needed: u32,
    in_a_row: u32,
    is_failed: bool,
}

impl Tally {
    pub(super) fn new(failures_needed: u32, successes_needed: u32) -> Self {
        Self {
            failures_needed,
            successes_needed,
            in_a_row: 0,
            is_failed: false,
        }
    }

    /// Counts a result, `Err` with the reason; returns the verdict when it is a new one.
    pub(crate) fn count(&mut self, result: Result<(), Arc<str>>) -> Option<Health> {
        if result.is_ok() != self.is_failed {
            // It speaks for what is known already.
            self.in_a_row = 0;
            // The reason may be another one.
            return result.err().map(Health::Failed);
        }
        self.in_a_row += 1;
        let needed = match self.is_failed {
            true => self.successes_needed,
            false => self.failures_needed,
        };
        if self.in_a_row < needed {
            return None;
        }
        self.in_a_row = 0;
        self.is_failed = !self.is_failed;
        Some(match result {
            Ok(()) => Health::Ok,
            Err(reason) => Health::Failed(reason),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, Tally};

    /// Returns the code of the verdict after each result; `.` for none.
    fn verdicts(failures: u32, successes: u32, results: &str) -> String {
        let mut tally = Tally::new(failures, successes);
        let verdicts = results.chars().map(|result| {
            let result = match result {
                '+' => Ok(()),
                _ => Err("no".into()),
            };
            match tally.count(result) {
                None => '.',
                Some(Health::Failed(_)) => 'F',
                Some(_) => 'O',
            }
        });
        verdicts.collect()
    }

    #[test]
    fn so_many_in_a_row_are_needed_either_way() {
        for (failures, successes, results, expected) in [
            (1, 1, "+-+-", ".FOF"),
            (3, 1, "--+---+", ".....FO"),
            (3, 2, "---+-+++", "..F.F.O."),
            (1, 3, "-++-+++", "F..F..O"),
            (2, 1, "-----", ".FFFF"),
        ] {
            assert_eq!(
                verdicts(failures, successes, results),
                expected,
                "{results}"
            );
        }
    }
}
