//! The shutdown of a daemon with one task, which never ran: what proc-daemon's own bench measures.

use perennial::{Child, Daemon, Supervisor};

#[cfg(feature = "peers")]
use crate::heat::Must;
use crate::heat::{Contender, Effort, Figures, Heat, Measure, nanoseconds};

/// How many of them.
const MANY: usize = 200_000;

/// Returns how long one of many took.
fn each<T>(effort: Effort, work: impl Fn() -> T) -> Option<Figures> {
    let count = effort.of(MANY);
    let many = || (0..count).for_each(|_| drop(std::hint::black_box(work())));
    many();
    let began = tokio::time::Instant::now();
    many();
    Some(vec![nanoseconds(began.elapsed()) / count as f64])
}

fn ours(effort: Effort) -> Option<Figures> {
    each(effort, || {
        let quick = Child::task("quick", |_cx| async { Ok(()) });
        let daemon = Daemon::new("bench").tree(Supervisor::one_for_one("bench").child(quick));
        daemon.shutdown_handle().request();
        daemon
    })
}

#[cfg(feature = "peers")]
fn proc_daemon(effort: Effort) -> Option<Figures> {
    use proc_daemon::{Config, ShutdownHandle};

    async fn nothing(_: ShutdownHandle) -> proc_daemon::Result<()> {
        Ok(())
    }
    each(effort, || {
        let config = Config::new().expect("its defaults");
        let daemon = proc_daemon::Daemon::builder(config)
            .with_task("quick", nothing)
            .without_signals()
            .build()
            .expect("it builds");
        assert!(daemon.shutdown(), "it is the first");
        daemon
    })
}

pub(super) fn heats() -> Vec<Heat> {
    vec![Heat {
        topic: "shutdown",
        name: "make a daemon with one task and shut it down before it runs",
        measures: vec![Measure {
            name: "each",
            unit: "ns",
        }],
        ours: Contender {
            name: "perennial",
            run: ours,
        },
        #[cfg(feature = "peers")]
        peers: vec![(
            Contender {
                name: "proc-daemon",
                run: proc_daemon,
            },
            vec![Must::AtMost(0.1)],
        )],
        #[cfg(not(feature = "peers"))]
        peers: Vec::new(),
    }]
}
