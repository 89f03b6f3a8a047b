//! Whether what was read of a run means that it is stuck. Pure.

use std::time::Duration;

use crate::child::Kind;
use crate::context::{Hook, Mark};

/// What a run was seen to be in the middle of. Instants are the coarse clock's; 0 is never.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    pub(super) mark: Option<Mark>,
    /// When it last said that it makes progress.
    pub(super) alive: u64,
    /// Since when a worker handles what it received.
    pub(super) receiving: Option<u64>,
}

/// A run that is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) hook: &'static str,
    pub(super) since: u64,
    pub(super) is_blocking: bool,
}

/// Judges a reading.
///
/// An actor is busy from the first poll of a hook to its end, but for `pre_start`, which has its own
/// time limit; a worker from the receipt of messages until it asks for more. Tasks, steps and threads do
/// whatever they do: they are judged by what they say, if they ever say it.
pub(super) fn judge(reading: &Reading, now: u64, after: Duration) -> Option<Stuck> {
    let is_polled = reading.mark.is_some_and(|mark| mark.is_polled);
    let (hook, since) = match reading.kind {
        Kind::Actor => {
            let mark = reading.mark.filter(|mark| mark.hook != Hook::Body)?;
            (mark.hook.name(), mark.since.max(reading.alive))
        }
        Kind::Worker => ("message", reading.receiving?.max(reading.alive)),
        Kind::Task | Kind::Step | Kind::Blocking if reading.alive > 0 => ("alive", reading.alive),
        _ => return None,
    };
    let lasted = Duration::from_millis(now.saturating_sub(since));
    (lasted >= after).then_some(Stuck {
        hook,
        since,
        is_blocking: is_polled || reading.kind == Kind::Blocking,
    })
}

#[cfg(test)]
mod tests {
    use super::{Reading, Stuck, judge};
    use crate::child::Kind;
    use crate::context::{Hook, Mark};
    use std::time::Duration;

    const AFTER: Duration = Duration::from_millis(100);

    /// Kind, mark (hook, since, whether it is polled), alive, receiving since.
    type Row = (Kind, Option<(Hook, u64, bool)>, u64, Option<u64>);

    fn judged((kind, mark, alive, receiving): Row) -> Option<(&'static str, bool)> {
        let mark = mark.map(|(hook, since, is_polled)| Mark {
            hook,
            since,
            is_polled,
        });
        let reading = Reading {
            kind,
            mark,
            alive,
            receiving,
        };
        judge(&reading, 200, AFTER).map(|stuck: Stuck| (stuck.hook, stuck.is_blocking))
    }

    #[test]
    fn each_kind_is_judged_by_what_it_shows() {
        use Kind::{Actor, Blocking, Supervisor, Task, Worker};

        let polled = Some((Hook::Body, 50, true));
        let handles = |since, is_polled| Some((Hook::Handle, since, is_polled));
        let stops = Some((Hook::PostStop, 50, true));
        let table: [(Row, _); 15] = [
            ((Actor, None, 0, None), None),
            ((Actor, handles(101, false), 0, None), None),
            (
                (Actor, handles(100, false), 0, None),
                Some(("handle", false)),
            ),
            ((Actor, stops, 0, None), Some(("post_stop", true))),
            ((Actor, handles(50, true), 150, None), None),
            ((Worker, None, 0, None), None),
            ((Worker, polled, 0, None), None),
            ((Worker, None, 0, Some(50)), Some(("message", false))),
            ((Worker, polled, 0, Some(50)), Some(("message", true))),
            ((Worker, None, 150, Some(50)), None),
            ((Task, polled, 0, None), None),
            ((Task, None, 50, None), Some(("alive", false))),
            ((Task, polled, 50, None), Some(("alive", true))),
            ((Blocking, None, 50, None), Some(("alive", true))),
            ((Supervisor, None, 50, None), None),
        ];
        for (row, expected) in table {
            assert_eq!(judged(row), expected, "{row:?}");
        }
    }
}
