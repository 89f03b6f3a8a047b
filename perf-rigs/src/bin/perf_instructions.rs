//! Counts the instructions of a publish, a restart, a start, a message, a reload, by running each alone in callgrind.
//!
//! What is counted comes out the same on a busy machine and on an idle one, so that it shows a change of a few parts
//! in a hundred where a clock shows noise. It says nothing of waiting: of system calls, of locks that others hold, of
//! memory that is not in a cache.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]
#![allow(clippy::panic, reason = "what is restarted has crashed")]

use std::panic::panic_any;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::config::{Cause, Loader};
use perennial::supervisor::Node;
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, Bus, Child, Handle, Inbox, Reply, Supervisor,
};
use perf_rigs::arguments::{Arguments, Opt, Rig};
use perf_rigs::report::{Figure, Measured, Series};
use perf_rigs::rig;
use tokio::sync::Notify;

const RIG: Rig = Rig {
    name: "perf_instructions",
    about: "instructions of the hot paths, counted by callgrind, which has to be installed",
    seconds: "0",
    rate: "0",
    options: &[
        Opt::count("share", "100", "hundredths of the usual rounds"),
        Opt::word(
            "keep",
            &["no", "yes"],
            "whether callgrind's files are left in --out",
        ),
    ],
    presets: &[],
};

/// One piece of work: its name, how often it is done, and how.
type Work = (&'static str, u64, fn(u64));

const WORK: &[Work] = &[
    ("a publish", 20_000, publish),
    ("a publish to 8 and its receipts", 5_000, publish_to_8),
    ("a restart of a task", 400, |rounds| restart(rounds, task)),
    ("a restart of an actor", 400, |rounds| {
        restart(rounds, actor)
    }),
    ("a start and stop of a worker", 1_000, start_and_stop),
    ("a tell of a worker", 20_000, |rounds| {
        tell(rounds, worker())
    }),
    ("a tell of an actor", 5_000, |rounds| {
        tell(rounds, listener())
    }),
    ("an ask of a worker", 5_000, |rounds| ask(rounds, worker())),
    ("an ask of an actor", 5_000, |rounds| {
        ask(rounds, listener())
    }),
    ("a reload of 4 KB that changed", 100, reload),
];

/// What a league of one asks of its own program: work and rounds follow.
const ALONE: &str = "--alone";

/// What the panics say that are meant.
const ON_PURPOSE: &str = "on purpose";

/// How many messages are sent before they are handled.
const BATCH: u64 = 100;

/// What is done so often has shown itself; fewer is noise.
const LEAST: u64 = 10;

fn block_on(work: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(work);
    runtime.shutdown_background();
}

fn publish(rounds: u64) {
    let bus = Bus::new(4_096);
    for number in 0..rounds {
        bus.publish(number);
    }
}

fn publish_to_8(rounds: u64) {
    block_on(async {
        let bus = Bus::new(4_096);
        let mut readers = [(); 8].map(|()| bus.subscribe("reader"));
        for number in 0..rounds {
            bus.publish(number);
            for reader in &mut readers {
                assert_eq!(reader.recv().await, Ok(number));
            }
        }
    });
}

/// How often a child is still to crash.
struct Fate {
    left: AtomicU64,
    over: Notify,
}

impl Fate {
    fn is_to_crash(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 {
            self.over.notify_one();
        }
        left > 0
    }
}

fn restart(rounds: u64, child: fn(Arc<Fate>) -> Node) {
    std::panic::set_hook(Box::new(|_| {}));
    block_on(async {
        let fate = Arc::new(Fate {
            left: AtomicU64::new(rounds),
            over: Notify::new(),
        });
        let supervisor = Supervisor::one_for_one("app")
            .backoff(Backoff::none())
            .intensity(1_000_000, Duration::from_secs(1))
            .child(child(Arc::clone(&fate)));
        supervisor.start().await.expect("it starts").detach();
        fate.over.notified().await;
    });
}

fn task(fate: Arc<Fate>) -> Node {
    let child = Child::task("child", move |_cx| {
        let fate = Arc::clone(&fate);
        async move {
            tokio::task::yield_now().await;
            if fate.is_to_crash() {
                panic_any(ON_PURPOSE);
            }
            std::future::pending().await
        }
    });
    child.into()
}

struct Crasher(Arc<Fate>);

impl Actor for Crasher {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        if self.0.is_to_crash() {
            myself.cast(())?;
        }
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        panic_any(ON_PURPOSE)
    }
}

fn actor(fate: Arc<Fate>) -> Node {
    Child::actor("child", move |_cx| (Crasher(Arc::clone(&fate)), ())).into()
}

fn start_and_stop(rounds: u64) {
    block_on(async {
        let mut supervisor = Supervisor::one_for_one("app");
        for number in 0..rounds {
            let child = Child::worker(
                format!("c{number}"),
                |_cx, mut inbox: Inbox<()>| async move {
                    while inbox.recv().await.is_some() {}
                    Ok(())
                },
            );
            supervisor = supervisor.child(child);
        }
        let running = supervisor.start().await.expect("it starts");
        let report = running.stop(Duration::from_secs(3_600)).await;
        assert!(report.is_clean(), "{report}");
    });
}

enum Message {
    Tell,
    Ask(Reply<u64>),
}

fn take(message: Message) {
    if let Message::Ask(reply) = message {
        // Fails only when nobody waits for the answer any more.
        reply.send(42).unwrap_or_default();
    }
}

struct Listener;

impl Actor for Listener {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        take(message);
        Ok(())
    }
}

fn worker() -> Child<Message> {
    Child::worker("child", |_cx, mut inbox: Inbox<Message>| async move {
        while let Some(message) = inbox.recv().await {
            take(message);
        }
        Ok(())
    })
}

fn listener() -> Child<Message> {
    Child::actor("child", |_cx| (Listener, ()))
}

/// Starts a child that stays.
async fn start(child: Child<Message>) -> Handle<Message> {
    let handle = child.handle();
    let running = Supervisor::one_for_one("app").child(child).start().await;
    running.expect("it starts").detach();
    handle
}

fn tell(rounds: u64, child: Child<Message>) {
    block_on(async {
        let handle = start(child).await;
        for _ in 0..rounds / BATCH {
            (0..BATCH).for_each(|_| handle.cast(Message::Tell).expect("it runs"));
            // The child's task is the only other one: it runs until it waits.
            for _ in 0..BATCH {
                tokio::task::yield_now().await;
            }
        }
    });
}

fn ask(rounds: u64, child: Child<Message>) {
    block_on(async {
        let handle = start(child).await;
        for _ in 0..rounds {
            assert_eq!(handle.call(Message::Ask).await, Ok(42));
        }
    });
}

#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Config {
    number: u64,
    entries: Vec<String>,
}

fn reload(rounds: u64) {
    let file = std::env::temp_dir().join(format!("perf-instructions-{}.toml", std::process::id()));
    let entries = ["\"an entry of some length\""; 140].join(", ");
    let write = |number: u64| {
        let text = format!("number = {number}\nentries = [{entries}]\n");
        std::fs::write(&file, text).expect("it can be written");
    };
    write(0);
    let loader = Loader::new("bench")
        .config::<Config>()
        .file(file.clone())
        .environment([]);
    let mut reloader = loader.load().expect("it is valid");
    for number in 1..=rounds {
        write(number);
        reloader.reload(Cause::Call).expect("it is valid");
    }
    std::fs::remove_file(&file).expect("it is there");
}

/// Runs this program in callgrind, for one work, and returns how many instructions that took in all.
fn count(name: &str, rounds: u64, file: &Path) -> u64 {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--error-exitcode=0"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args([ALONE, name, &rounds.to_string()])
        .stdout(Stdio::null());
    let output = command.output().expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    let text = std::fs::read_to_string(file).expect("callgrind wrote it");
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let totals = totals.and_then(|totals| totals.split(' ').next());
    totals
        .and_then(|totals| totals.parse().ok())
        .expect("a count")
}

async fn load(arguments: &Arguments) -> Measured {
    let mut series = Series::new("work", "instructions", &["instructions"], &[]);
    let mut figures = Vec::new();
    let is_kept = arguments.text("keep") == "yes";
    let folder = if is_kept {
        arguments.out.clone()
    } else {
        scratch()
    };
    std::fs::create_dir_all(&folder).expect("it can be made");
    for (number, (name, rounds, _)) in WORK.iter().enumerate() {
        rig::tell(&format!(
            "{}: {} of {}, {name}",
            RIG.name,
            number + 1,
            WORK.len()
        ));
        let least = if name.starts_with("a tell") {
            BATCH
        } else {
            LEAST
        };
        let rounds = (rounds * arguments.number::<u64>("share") / 100).max(least);
        let file = folder.join(format!("callgrind.{}", name.replace(' ', "-")));
        // What is done once is in both.
        let some = count(name, rounds, &file);
        let more = count(name, 2 * rounds, &file);
        let each = more.saturating_sub(some) as f64 / rounds as f64;
        figures.push(Figure::lower(format!("instructions of {name}"), each, ""));
        series.push(number as f64, vec![each]);
    }
    if !is_kept {
        std::fs::remove_dir_all(&folder).expect("it is there");
    }
    Measured { figures, series }
}

fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("perf-instructions-{}", std::process::id()))
}

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if let [alone, name, rounds] = given.as_slice()
        && alone == ALONE
    {
        let (_, _, work) = WORK.iter().find(|work| work.0 == name).expect("a work");
        work(rounds.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    rig::run(&RIG, load)
}
