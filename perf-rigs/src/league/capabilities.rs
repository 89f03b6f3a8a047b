//! What each library does, found out by doing it: the same little scenes with all of them.
//!
//! A scene has three children. All but the second obey; what the second does is what the scene is about. Each is
//! played in a process of its own, because some libraries don't come back from one.

#[cfg(feature = "peers")]
mod actix;
mod by_hand;
#[cfg(feature = "peers")]
mod kameo;
mod ours;
#[cfg(feature = "peers")]
mod proc_daemon;
#[cfg(feature = "peers")]
mod ractor_supervisor;
#[cfg(feature = "peers")]
mod rust_supervisor;
mod stage;
#[cfg(feature = "peers")]
mod task_supervisor;
#[cfg(feature = "peers")]
mod taskvisor;
#[cfg(feature = "peers")]
mod tokio_graceful_shutdown;

use std::fmt::Write as _;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use self::stage::{CHILDREN, SECOND, Scene, Stage};

/// How long a child may take to stop, where that can be said.
const DEADLINE: Duration = Duration::from_secs(1);

/// Ten times that: whoever has done nothing by then never will.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is done a moment after the library said that it was over still counts.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// How often something comes in.
const TRAFFIC_PERIOD: Duration = Duration::from_millis(10);

/// Asks for the stop, waits until the library says that all is over, and returns whom it names as not ended.
struct Stopping(Pin<Box<dyn Future<Output = String> + Send>>);

impl Stopping {
    fn new(stopping: impl Future<Output = String> + Send + 'static) -> Self {
        Self(Box::pin(stopping))
    }
}

/// Starts the three children.
type Starting = Pin<Box<dyn Future<Output = Stopping> + Send>>;

/// One library.
#[derive(Clone, Copy)]
struct Peer {
    name: &'static str,
    play: fn(Arc<Stage>) -> Starting,
    /// What it leaves to be written by hand, and is written by hand here.
    by_hand: &'static [Scene],
    /// What it has nothing for.
    lacks: &'static [Scene],
}

impl Peer {
    const fn new(name: &'static str, play: fn(Arc<Stage>) -> Starting) -> Self {
        Self {
            name,
            play,
            by_hand: &[],
            lacks: &[],
        }
    }
}

fn peers() -> Vec<Peer> {
    vec![
        Peer::new("perennial, tasks", ours::tasks),
        Peer::new("perennial, actors", ours::actors),
        Peer {
            by_hand: &[Scene::Panic, Scene::Error],
            ..Peer::new("ractor", by_hand::play)
        },
        #[cfg(feature = "peers")]
        Peer::new("ractor-supervisor", ractor_supervisor::play),
        #[cfg(feature = "peers")]
        Peer::new("kameo", kameo::play),
        #[cfg(feature = "peers")]
        Peer::new("actix", actix::play),
        #[cfg(feature = "peers")]
        Peer::new("task-supervisor", task_supervisor::play),
        #[cfg(feature = "peers")]
        Peer::new("taskvisor", taskvisor::play),
        #[cfg(feature = "peers")]
        Peer::new("rust-tokio-supervisor", rust_supervisor::play),
        #[cfg(feature = "peers")]
        Peer {
            lacks: &[Scene::Panic, Scene::Error],
            ..Peer::new("tokio-graceful-shutdown", tokio_graceful_shutdown::play)
        },
        #[cfg(feature = "peers")]
        Peer::new("proc-daemon", proc_daemon::play),
    ]
}

/// Plays one scene with one library in this process, and prints what came of it.
///
/// # Panics
///
/// When there is no such scene or library.
pub(crate) fn play_one(scene: &str, peer: &str) {
    let scene = Scene::ALL.into_iter().find(|known| known.name() == scene);
    let peer = peers().into_iter().find(|known| known.name == peer);
    let (scene, peer) = (scene.expect("a scene"), peer.expect("a library"));
    // Whoever blocks all threads is not waited for.
    std::thread::spawn(|| {
        std::thread::park_timeout(PATIENCE * 3);
        println!("no");
        std::process::exit(0);
    });
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // One of them is blocked in one scene.
    let runtime = builder.worker_threads(4).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.spawn(traffic());
    let answer = runtime.block_on(play(scene, peer));
    println!("{answer}");
    std::process::exit(0);
}

/// Is woken from outside of the runtime every now and then, as by a connection.
///
/// Without any of that the timers of a runtime can stand still once one of its threads is blocked, because nobody took
/// them over, and no library that lives by timers gives up on anything.
async fn traffic() {
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    std::thread::spawn(move || {
        loop {
            std::thread::park_timeout(TRAFFIC_PERIOD);
            wake.notify_one();
        }
    });
    loop {
        woken.notified().await;
    }
}

async fn play(scene: Scene, peer: Peer) -> String {
    let stage = Arc::new(Stage::new(scene));
    let stopping = timeout(PATIENCE, (peer.play)(Arc::clone(&stage))).await;
    let stopping = stopping.expect("it starts");
    timeout(PATIENCE, stage.all_are_up())
        .await
        .expect("all start");
    if matches!(scene, Scene::Panic | Scene::Error) {
        return yes(timeout(PATIENCE, stage.is_back()).await.is_ok());
    }
    let stopped = timeout(PATIENCE, stopping.0).await;
    tokio::time::sleep(AFTERWARDS).await;
    let named = match stopped.as_deref() {
        Ok(named) if named.contains(SECOND) => ", by name",
        _ => "",
    };
    match scene {
        Scene::Ignore => yes(stopped.is_ok() && stage.has_gone(SECOND)),
        Scene::Block => {
            let others = [CHILDREN[0], CHILDREN[2]];
            let is_over = stopped.is_ok() && others.iter().all(|child| stage.has_gone(child));
            yes(is_over) + if is_over { named } else { "" }
        }
        Scene::Order => yes(stage.stopped_in_reverse_order()),
        _ => yes(CHILDREN.iter().all(|child| stage.has_tidied(child))),
    }
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// Runs this program again for one scene with one library.
fn in_a_process(scene: Scene, peer: Peer) -> String {
    if peer.lacks.contains(&scene) {
        return "not offered".to_owned();
    }
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--scene", scene.name(), peer.name]);
    let output = command.stderr(Stdio::null()).output();
    let output = output.expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let answer = text.lines().last().unwrap_or("it died").to_owned();
    match answer.as_str() {
        "yes" if peer.by_hand.contains(&scene) => "by hand".to_owned(),
        _ => answer,
    }
}

/// Plays all scenes with all libraries, and lays what came of them out as a Markdown table; says on stderr how far it
/// is. Next to nothing is computed, so that all libraries play at once.
pub(crate) fn table() -> String {
    let mut text = String::from("|");
    for head in Scene::ALL.map(Scene::question) {
        let _infallible = write!(text, " | {head}");
    }
    text.push_str(" |\n|---|");
    text.push_str(&"---|".repeat(Scene::ALL.len()));
    text.push('\n');
    let playing = peers().into_iter().map(|peer| {
        std::thread::spawn(move || {
            let answers = Scene::ALL.map(|scene| in_a_process(scene, peer));
            eprintln!("what does it do: {}", peer.name);
            format!("| {} | {} |\n", peer.name, answers.join(" | "))
        })
    });
    let playing: Vec<_> = playing.collect();
    for peer in playing {
        text.push_str(&peer.join().expect("it played"));
    }
    text
}
