//! What the stop of a tree comes to at worst, said before anything runs.
//!
//! The plan walks the declaration as a shutdown walks the running tree, and lets every child use all
//! the time it is given. It computes with the same arithmetic as the walk. It knows what was declared:
//! a child that is added at run time to a supervisor that is not dynamic has no line.

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::children::Policy;
use super::{NodeKind, Supervisor};
use crate::path::Path;
use crate::policy::restart::Strategy;
use crate::shutdown::plan::{self, Turn};

/// What a stop comes to at worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopPlan {
    /// How long the whole stop may take.
    pub budget: Duration,
    /// One line for each node, parents first, children in the order in which they stop.
    pub lines: Vec<PlannedStop>,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStop {
    /// Which node.
    pub path: Path,
    /// How far below the root.
    pub depth: usize,
    /// When its turn comes at the latest, counted from the beginning of the stop.
    pub begins: Duration,
    /// What is kept for it while the others stop.
    pub reserve: Duration,
    /// How long it may take if every child before it used all its time. Of a supervisor: no longer
    /// than its children may take; of a dynamic one: all it is given.
    pub allotted: Duration,
}

/// Says that the stop reserves set by hand can't all be kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the stop reserves below {path} come to {reserved:?}, but it has {available:?} of a shutdown of {budget:?}; set a longer shutdown_budget or shorter stop reserves"
)]
pub struct ImpossiblePlan {
    /// The supervisor whose children reserve too much.
    pub path: Path,
    /// What they reserve together.
    pub reserved: Duration,
    /// What that supervisor has for them.
    pub available: Duration,
    /// How long the whole stop may take.
    pub budget: Duration,
}

impl ImpossiblePlan {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "impossible_plan"
    }
}

/// Plans the stop of a whole tree.
pub(super) fn plan(root: &Supervisor, budget: Duration) -> Result<StopPlan, ImpossiblePlan> {
    let start = Instant::now();
    let mut planner = Planner {
        start,
        budget,
        lines: Vec::new(),
    };
    let path = Path::root(&root.name);
    planner.lines.push(PlannedStop {
        path: path.clone(),
        depth: 0,
        begins: Duration::ZERO,
        reserve: budget,
        allotted: budget,
    });
    planner.walk(root, &path, (start, crate::time::later(start, budget)))?;
    Ok(StopPlan {
        budget,
        lines: planner.lines,
    })
}

struct Planner {
    start: Instant,
    budget: Duration,
    lines: Vec<PlannedStop>,
}

impl Planner {
    /// Plans the stop of a supervisor's children; returns when the last of them is over at worst.
    fn walk(
        &mut self,
        supervisor: &Supervisor,
        path: &Path,
        (begins, deadline): (Instant, Instant),
    ) -> Result<Instant, ImpossiblePlan> {
        let left = deadline - begins;
        let deadline = deadline - plan::tick(left);
        let available = deadline - begins;
        let siblings = supervisor.children.len();
        let policies = supervisor.children.iter().map(|node| {
            let policy = Policy::of(node, supervisor);
            let reserve = policy.reserve(available, siblings);
            (node, policy, reserve)
        });
        let children: Vec<_> = policies.collect();
        let add = |sum: Duration, by: Duration| sum.saturating_add(by);
        self.check(supervisor, path, available)?;
        let mut reserved = children
            .iter()
            .map(|child| child.2)
            .fold(Duration::ZERO, add);
        let mut now = begins;
        for (node, policy, reserve) in children.iter().rev() {
            reserved = reserved.saturating_sub(*reserve);
            let turn = Turn {
                stop_timeout: policy.stop_timeout,
                reserve: *reserve,
                reserved_after: reserved,
            };
            let mut until = plan::allot(now, deadline, turn);
            let below = path.join(node.name());
            let line = self.lines.len();
            self.lines.push(PlannedStop {
                depth: below.as_str().matches('/').count() - 1,
                path: below.clone(),
                begins: now - self.start,
                reserve: *reserve,
                allotted: until - now,
            });
            if let NodeKind::Supervisor(supervisor) = &node.0 {
                until = self.walk(supervisor, &below, (now, until))?;
                if let Some(line) = self.lines.get_mut(line) {
                    line.allotted = until - now;
                }
            }
            now = until;
        }
        Ok(match supervisor.strategy {
            // What is added while it runs is not known here.
            Strategy::Dynamic => deadline,
            _ => now,
        })
    }

    /// Only what was set by hand can ask for more than there is; defaults shrink with the budget.
    fn check(
        &self,
        supervisor: &Supervisor,
        path: &Path,
        available: Duration,
    ) -> Result<(), ImpossiblePlan> {
        let reserved = supervisor.reserve_by_hand();
        if reserved <= available {
            return Ok(());
        }
        Err(ImpossiblePlan {
            path: path.clone(),
            reserved,
            available,
            budget: self.budget,
        })
    }
}

impl Supervisor {
    /// Sums up the reserves set by hand below this supervisor.
    pub(crate) fn reserve_by_hand(&self) -> Duration {
        let reserves = self.children.iter().map(|node| match &node.0 {
            NodeKind::Leaf(leaf) => leaf.treatment().stop_reserve.unwrap_or_default(),
            NodeKind::Supervisor(below) => below.reserve_by_hand(),
        });
        reserves.fold(Duration::ZERO, Duration::saturating_add)
    }
}

impl fmt::Display for StopPlan {
    /// Prints a table: path, when its turn comes, its reserve, what it may take.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |line: &PlannedStop| match line.depth {
            0 => line.path.as_str().to_owned(),
            depth => format!("{}{}", "  ".repeat(depth), line.path.name()),
        };
        let widths = self.lines.iter().map(|line| name(line).chars().count());
        let width = widths.max().unwrap_or(0).max(4);
        writeln!(
            f,
            "{:<width$}  {:>9}  {:>9}  {:>9}",
            "path", "begins", "reserve", "at most"
        )?;
        for line in &self.lines {
            let [begins, reserve, allotted] =
                [line.begins, line.reserve, line.allotted].map(crate::shutdown::report::readable);
            let name = name(line);
            writeln!(
                f,
                "{name:<width$}  {begins:>9}  {reserve:>9}  {allotted:>9}"
            )?;
        }
        Ok(())
    }
}
