//! From a SIGTERM that another process sends until a daemon's task sees it, and until the process is gone.
//!
//! Each daemon is a process of its own that runs this program, is left alone until it is idle, and is
//! sent one signal; so none has anything warm that another has not.

mod daemons;

use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

use crate::heat::{Contender, Effort, Figures, Heat, Measure, Must, percentile};

pub(crate) use self::daemons::be_a_daemon;

/// What this program is asked for when it is to be the daemon, in place of a heat.
pub(crate) const DAEMON: &str = "daemon for SIGTERM";

/// How many daemons are sent one.
const MANY: usize = 200;

/// How long a daemon that is up is left alone.
const SETTLE: Duration = Duration::from_millis(20);

const UP: &str = "up";
const SEEN: &str = "seen ";

/// Returns the time of a clock that all processes share.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    now.try_into().expect("since the machine began to run")
}

/// When one signal did what, counted from when it was sent.
struct Signalled {
    seen: Duration,
    gone: Duration,
}

/// Runs a daemon and ends it.
fn once(contender: &str) -> Signalled {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(daemons::arguments(contender));
    // A daemon of ours watches the folder that it runs in for its configuration: none that others write to.
    let folder = std::env::temp_dir().join(format!("perf-rigs-daemon-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder to run in");
    command
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut daemon = command.spawn().expect("this program runs");
    let mut lines = BufReader::new(daemon.stdout.take().expect("its stdout")).lines();
    find(&mut lines, UP);
    std::thread::park_timeout(SETTLE);
    let sent = now();
    kill_process(Pid::from_child(&daemon), Signal::TERM).expect("it is there");
    daemon.wait().expect("it ends");
    let gone = now();
    std::fs::remove_dir_all(&folder).expect("the folder is removed");
    let seen = find(&mut lines, SEEN);
    let nanoseconds = seen.parse().expect("nanoseconds");
    Signalled {
        seen: Duration::from_nanos(nanoseconds).saturating_sub(sent),
        gone: gone - sent,
    }
}

/// Returns what stands behind `word` in the first line that has it.
fn find(lines: &mut Lines<BufReader<ChildStdout>>, word: &str) -> String {
    let mut all = lines.map(|line| line.expect("it can be read"));
    let found = all.find_map(|line| Some(line.split_once(word)?.1.to_owned()));
    found.unwrap_or_else(|| panic!("the daemon did not say `{word}`"))
}

/// Says when the signal was seen, in the daemon.
fn tell_seen(at: Duration) {
    println!("{SEEN}{}", at.as_nanos());
}

fn many(effort: Effort, contender: &str) -> Option<Figures> {
    let all: Vec<Signalled> = (0..effort.of(MANY)).map(|_| once(contender)).collect();
    let mut seen: Vec<Duration> = all.iter().map(|one| one.seen).collect();
    let mut gone: Vec<Duration> = all.iter().map(|one| one.gone).collect();
    Some(vec![
        percentile(&mut seen, 0.5),
        percentile(&mut seen, 0.9),
        percentile(&mut gone, 0.5),
    ])
}

macro_rules! contender {
    ($name:expr) => {
        Contender {
            name: $name,
            run: |effort| many(effort, $name),
        }
    };
}

pub(super) fn heats() -> Vec<Heat> {
    let measure = |name| Measure { name, unit: "ns" };
    let any = || vec![Must::Any; 3];
    vec![Heat {
        topic: "shutdown",
        name: "SIGTERM to an idle daemon",
        measures: vec![
            measure("seen by its task: p50"),
            measure("seen by its task: p90"),
            measure("the process is gone: p50"),
        ],
        ours: contender!(daemons::OURS),
        peers: vec![
            (
                contender!(daemons::BARE),
                vec![Must::AtMost(1.05), Must::Any, Must::Any],
            ),
            (contender!(daemons::BARE_IN_MAIN), any()),
            #[cfg(feature = "peers")]
            (contender!(daemons::PROC_DAEMON), any()),
            #[cfg(feature = "peers")]
            (contender!(daemons::TOKIO_GRACEFUL_SHUTDOWN), any()),
        ],
    }]
}
