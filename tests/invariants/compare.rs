//! What a snapshot says against what the events said, and whether anybody was forgotten.

use std::time::Duration;

use perennial::policy::restart::Restart;
use perennial::supervisor::status::{NodeStatus, State};
use perennial::tree::Snapshot;
use tokio::time::Instant;

use crate::replay::{Node, Replay};

/// tokio's timers tell milliseconds apart.
const TIMER: Duration = Duration::from_millis(1);

impl Replay<'_> {
    /// Compares with a snapshot that was read when every event before it had been seen.
    pub(crate) fn compare(&mut self, snapshot: &Snapshot) {
        if snapshot.from_seq != self.seq {
            self.broken.push(format!(
                "the snapshot is of {}, the last event {}",
                snapshot.from_seq, self.seq
            ));
        }
        let mut broken = Vec::new();
        snapshot.root.visit(&mut |status| {
            let path = status.path.as_str();
            let agrees = |node: &Node| {
                (node.state, node.incarnation, node.last_seq)
                    == (status.state, status.incarnation, status.last_seq)
            };
            let node = self.nodes.get(path).filter(|node| node.last.0 != "nothing");
            let is_new = node.is_none() && matches!(status.state, State::Pending | State::Down);
            if !is_new && !node.is_some_and(agrees) {
                broken.push(format!(
                    "{path} is {:?} {} in the snapshot, but {node:?}",
                    status.state, status.incarnation
                ));
            }
            let mut keys = status.children.iter().map(|child| {
                self.nodes
                    .get(child.path.as_str())
                    .map_or_else(|| self.key_of(child.path.as_str(), 0), |node| node.key)
            });
            if !keys.by_ref().is_sorted() {
                broken.push(format!("the children of {path} are not in start order"));
            }
            self.look_for_the_forgotten(status, snapshot.at, &mut broken);
        });
        self.broken.append(&mut broken);
    }

    /// Lists the children that should be on their way back, but are not, under a supervisor where
    /// nothing is under way.
    fn look_for_the_forgotten(&self, above: &NodeStatus, now: Instant, broken: &mut Vec<String>) {
        let path = above.path.as_str();
        let is_busy = |child: &NodeStatus| {
            let node = self.nodes.get(child.path.as_str());
            // How long is not known of one that waited when the replay began.
            let until = node.and_then(|node| node.until);
            let is_waiting = child.state == State::BackingOff
                && until.is_none_or(|until| until + 2 * TIMER >= now);
            is_waiting
                || child.since + 2 * TIMER >= now
                || matches!(child.state, State::Starting | State::Stopping)
        };
        let leaves =
            self.began.is_some() || self.nodes.get(path).is_none_or(|node| node.is_leaving);
        if leaves
            || above.state != State::Running
            || !self.is_up(path)
            || above.children.iter().any(is_busy)
        {
            return;
        }
        let seen = self.world.seen();
        for child in &above.children {
            let below = child.path.as_str();
            let Some(node) = self
                .nodes
                .get(below)
                .filter(|_| !seen.targeted.contains(below))
            else {
                continue;
            };
            let is_owed = match (&node.last, child.state) {
                (_, State::BackingOff) => true,
                (("exited" | "start_failed", Some(exit)), State::Down) => {
                    node.last.0 == "start_failed" || child.restart.wants_restart(exit)
                }
                (("stopped", _), State::Down) => child.restart != Restart::Temporary,
                _ => false,
            };
            if is_owed && node.was_up {
                broken.push(format!("{below} was forgotten at {now:?}: {node:?}"));
            }
        }
    }
}
