//! A task that is added to a daemon which is not running yet.

use perennial::{Child, Daemon, Supervisor};
use tokio::time::Instant;

use super::heat;
use crate::heat::{Effort, Figures, Heat, nanoseconds};

/// How many tasks a daemon is given, and how many daemons.
pub(super) const TASKS: usize = 100;
const DAEMONS: usize = 5_000;

/// Returns how long one of a daemon's tasks took, the drop of all included.
pub(super) fn each<D>(effort: Effort, make: impl Fn() -> D) -> Option<Figures> {
    let count = effort.of(DAEMONS);
    for _warming_up in 0..count / 10 {
        drop(make());
    }
    let began = Instant::now();
    for _ in 0..count {
        drop(std::hint::black_box(make()));
    }
    Some(vec![nanoseconds(began.elapsed()) / (count * TASKS) as f64])
}

fn ours(effort: Effort) -> Option<Figures> {
    let names: Vec<String> = (0..TASKS).map(|number| format!("task{number}")).collect();
    each(effort, || {
        let tasks = names
            .iter()
            .map(|name| Child::task(name.as_str(), |_cx| async { Ok(()) }));
        let tree = tasks.fold(Supervisor::one_for_one("bench"), Supervisor::child);
        Daemon::new("bench").tree(tree)
    })
}

pub(super) fn heats() -> Vec<Heat> {
    let peers: Vec<(_, super::Run, _)> = vec![
        #[cfg(feature = "peers")]
        (
            "proc-daemon",
            super::proc_daemon::register,
            crate::heat::Must::AtMost(1.0),
        ),
    ];
    vec![heat(
        "register a task, of 100 in a daemon",
        ("each", "ns"),
        ("perennial", ours),
        peers,
    )]
}
