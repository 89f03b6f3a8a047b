//! From a SIGTERM that another process sends until a daemon's task sees it, and until the process is gone.
//!
//! Each daemon is a process of its own that runs a copy of this program, is left alone until it is idle, and is
//! sent one signal; so none has anything warm that another has not. The copies change: where the pages of a file come
//! to lie in memory makes the same program some percent faster or slower for as long as they lie there.

mod daemons;

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
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

/// How many of them run the same copy of the program.
const OF_ONE_COPY: usize = 10;

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

/// A copy of this program, and a folder to run it in: a daemon of ours watches that for its configuration, so
/// that it is none that others write to.
struct Program {
    folder: PathBuf,
}

impl Program {
    fn copy(number: usize) -> Self {
        let name = format!("perf-rigs-daemon-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let copy = Self { folder };
        std::fs::create_dir_all(copy.place()).expect("a folder to run in");
        let program = std::env::current_exe().expect("this program");
        std::fs::copy(program, copy.path()).expect("there is room for it");
        copy
    }

    fn path(&self) -> PathBuf {
        self.folder.join("league")
    }

    fn place(&self) -> PathBuf {
        self.folder.join("place")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Whoever looks into the folder finds out.
        let _is_left = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs a daemon and ends it.
fn once(program: &Program, contender: &str) -> Signalled {
    let mut command = Command::new(program.path());
    command
        .args(daemons::arguments(contender))
        .current_dir(program.place())
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
    let copies = effort.of(MANY).div_ceil(OF_ONE_COPY);
    // All of them until the end: else one may lie where the last one lay.
    let programs: Vec<Program> = (0..copies).map(Program::copy).collect();
    let all = programs
        .iter()
        .flat_map(|program| (0..OF_ONE_COPY).map(|_| once(program, contender)));
    let all: Vec<Signalled> = all.collect();
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
