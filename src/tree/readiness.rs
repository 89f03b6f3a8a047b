//! Whether a program can do its work: a pure function of what its children are doing.

use std::collections::BTreeMap;

use super::Running;
use crate::health::{Health, Need, OnFailed};
use crate::supervisor::status::{Outline, State};

/// Whether a program can do its work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Readiness {
    /// What it needs: every child that was declared and is not optional, and every group.
    pub requirements: Vec<Requirement>,
    /// Whether the shutdown has begun: then a program is not ready, whatever is still up.
    pub is_shutting_down: bool,
}

/// Something that a program needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The path of a child, or the name of a group.
    pub name: String,
    /// Why it is not met; `None` where it is.
    pub failure: Option<String>,
}

impl Readiness {
    /// Tells whether all that is needed is there, and the shutdown has not begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_shutting_down && self.missing().next().is_none()
    }

    /// Lists what is needed and not there.
    pub fn missing(&self) -> impl Iterator<Item = &Requirement> {
        let requirements = self.requirements.iter();
        requirements.filter(|requirement| requirement.failure.is_some())
    }
}

impl Running {
    /// Tells whether the program can do its work: every required child is up, or has finished well (a
    /// supervisor with all below it), and is neither failed nor stuck; of each group one is; the shutdown has
    /// not begun.
    ///
    /// A child that restarts, alone or with its group, is in quarantine, waits for its next run, or hangs
    /// is not up; one that was declared `unready_until_stable` counts only once it is stable. Children added
    /// while the program runs come and go with its work and do not count.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness {
            requirements: requirements(&self.shared.root.outline()),
            is_shutting_down: self.shared.tree.early_notice().get().is_some(),
        }
    }
}

/// What the members of a group come to: how many there are, and whether one will do.
type Groups = BTreeMap<String, (usize, bool)>;

/// Lists what is needed, in start order, and the groups after that.
fn requirements(root: &Outline) -> Vec<Requirement> {
    let (mut found, mut groups) = (Vec::new(), Groups::new());
    collect(root, &mut found, &mut groups);
    let of_groups = groups.into_iter().map(|(name, (members, is_met))| {
        let failure = (!is_met).then(|| format!("none of its {members} members is up and well"));
        Requirement { name, failure }
    });
    found.extend(of_groups);
    found
}

fn collect(node: &Outline, found: &mut Vec<Requirement>, groups: &mut Groups) {
    match &node.need {
        Need::Optional => {}
        Need::Required => collect_all(node, found, groups),
        Need::OneOf(group) => {
            let mut of_member = Vec::new();
            collect_all(node, &mut of_member, groups);
            let is_met = of_member.iter().all(|one| one.failure.is_none());
            let (members, is_any_met) = groups.entry(group.to_string()).or_default();
            *members += 1;
            *is_any_met |= is_met;
        }
    }
}

fn collect_all(node: &Outline, found: &mut Vec<Requirement>, groups: &mut Groups) {
    found.push(Requirement {
        name: node.path.to_string(),
        failure: why_missing(node),
    });
    if node.has_finished() {
        return;
    }
    for child in &node.children {
        collect(child, found, groups);
    }
}

/// Says in words why a node does not do what it is needed for.
fn why_missing(node: &Outline) -> Option<String> {
    if node.is_settled() {
        return why_not_counted(node);
    }
    let doing = match node.state {
        State::Pending => "it has not been started yet",
        State::Starting => "it is starting",
        State::BackingOff => "it waits for its next run",
        State::Stopping => "it is stopping",
        State::Quarantined => "it was restarted too often and is quarantined",
        State::Hung => "it hangs",
        State::Running | State::Down => "it is down",
    };
    Some(match &node.last_exit {
        Some(exit) => format!(
            "{doing}; its last run ended: {}",
            one_line(&exit.to_string())
        ),
        None => doing.to_owned(),
    })
}

/// Says in words why a node that is up does not do what it is needed for.
fn why_not_counted(node: &Outline) -> Option<String> {
    let counts_failures = node.on_failed != OnFailed::Report;
    if let (Health::Failed(reason), true) = (&node.health, counts_failures) {
        return Some(format!("it is not well: {}", one_line(reason)));
    }
    if let (Some(hook), true) = (node.stuck_in, counts_failures) {
        return Some(format!("it is stuck: `{hook}` does not come to its end"));
    }
    let too_early = "it is up, but has not been well for long enough yet";
    node.awaits_stable.then(|| too_early.to_owned())
}

/// Keeps what a child says from looking like lines of a report.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::requirements;
    use crate::exit::Exit;
    use crate::health::{Health, Need, OnFailed};
    use crate::path::Path;
    use crate::policy::restart::Restart;
    use crate::supervisor::status::{Outline, State};

    fn node(name: &str, state: State) -> Outline {
        Outline {
            path: Path::root("app").join(name),
            need: Need::Required,
            on_failed: OnFailed::Unready,
            state,
            restart: Restart::Permanent,
            last_exit: None,
            ended_by_itself: false,
            health: Health::Ok,
            awaits_stable: false,
            stuck_in: None,
            children: Vec::new(),
        }
    }

    /// Returns what is missing below a root that is up.
    fn missing(children: Vec<Outline>) -> Vec<String> {
        let mut root = node("root", State::Running);
        root.children = children;
        let found = requirements(&root).into_iter();
        let missing = found.filter(|one| one.failure.is_some());
        missing.map(|one| one.name).collect()
    }

    #[test]
    fn only_what_runs_or_has_finished_well_is_there() {
        for state in State::ALL {
            let expected = usize::from(state != State::Running);
            assert_eq!(missing(vec![node("a", state)]).len(), expected, "{state:?}");
        }
        for (restart, exit, by_itself, is_missed) in [
            (Restart::Transient, Exit::Normal, true, false),
            (Restart::Temporary, Exit::Normal, true, false),
            (Restart::Transient, Exit::Shutdown, false, true),
            (Restart::Transient, Exit::Shutdown, true, false),
            (Restart::Transient, Exit::Killed, true, true),
            (Restart::Permanent, Exit::Normal, true, true),
            (Restart::Permanent, Exit::Shutdown, true, true),
        ] {
            let mut finished = node("a", State::Down);
            (finished.restart, finished.last_exit) = (restart, Some(exit.clone()));
            finished.ended_by_itself = by_itself;
            finished.children = vec![node("below", State::Down)];
            assert_eq!(
                !missing(vec![finished]).is_empty(),
                is_missed,
                "{restart:?} {exit:?} {by_itself}"
            );
        }
    }

    #[test]
    fn what_is_failed_is_missed_unless_that_is_only_reported() {
        for (health, on_failed, is_missed) in [
            (Health::Degraded("slow".into()), OnFailed::Unready, false),
            (Health::Failed("no disk".into()), OnFailed::Unready, true),
            (Health::Failed("no disk".into()), OnFailed::Restart, true),
            (Health::Failed("no disk".into()), OnFailed::Report, false),
        ] {
            let mut child = node("a", State::Running);
            (child.health, child.on_failed) = (health.clone(), on_failed);
            assert_eq!(
                !missing(vec![child]).is_empty(),
                is_missed,
                "{health} {on_failed:?}"
            );
        }
    }

    #[test]
    fn what_is_stuck_is_missed_unless_failures_are_only_reported_or_it_is_optional() {
        for (on_failed, need, is_missed) in [
            (OnFailed::Unready, Need::Required, true),
            (OnFailed::Restart, Need::Required, true),
            (OnFailed::Report, Need::Required, false),
            (OnFailed::Unready, Need::Optional, false),
        ] {
            let mut child = node("a", State::Running);
            child.stuck_in = Some("handle");
            (child.on_failed, child.need) = (on_failed, need.clone());
            let found = missing(vec![child]);
            assert_eq!(!found.is_empty(), is_missed, "{on_failed:?} {need:?}");
        }
    }

    #[test]
    fn each_reason_to_miss_what_is_up_is_said_the_worst_first() {
        let mut child = node("a", State::Running);
        let why = |child: &Outline| requirements(child)[0].failure.clone();
        assert_eq!(why(&child), None);
        child.awaits_stable = true;
        let expected = "it is up, but has not been well for long enough yet";
        assert_eq!(why(&child).as_deref(), Some(expected));
        child.stuck_in = Some("message");
        let expected = "it is stuck: `message` does not come to its end";
        assert_eq!(why(&child).as_deref(), Some(expected));
        child.health = Health::Failed("no disk".into());
        assert_eq!(why(&child).as_deref(), Some("it is not well: no disk"));
    }

    #[test]
    fn what_is_optional_is_not_missed_and_one_of_a_group_is_enough() {
        let mut optional = node("extras", State::Down);
        optional.need = Need::Optional;
        optional.children = vec![node("a", State::Down)];
        assert!(missing(vec![optional]).is_empty());
        let replica = |name: &str, state| {
            let mut replica = node(name, state);
            replica.need = Need::OneOf("replicas".into());
            replica
        };
        let two = |one, other| missing(vec![replica("a", one), replica("b", other)]);
        assert!(two(State::Running, State::BackingOff).is_empty());
        assert_eq!(two(State::Down, State::BackingOff), ["replicas"]);
        let mut subtree = replica("c", State::Running);
        subtree.children = vec![node("d", State::Down)];
        assert_eq!(
            missing(vec![subtree]),
            ["replicas"],
            "all below it is needed"
        );
    }

    #[test]
    fn what_a_child_says_is_one_line() {
        let mut child = node("a", State::Running);
        child.health = Health::Failed("no\n[+]b ok".into());
        let found = requirements(&child);
        assert_eq!(
            found[0].failure.as_deref(),
            Some("it is not well: no [+]b ok")
        );
    }
}
