//! What the second process does, by the role it was given.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use perennial::config::{Live, NoConfig};
use perennial::signals::{Signal, SignalAction};
use perennial::{
    Actor, ActorProcessingErr, ActorRef, Backoff, BoxError, Child, Context, Daemon, Supervisor,
};

use crate::process::{ROLE, SET};

/// Longer than any ladder of these tests: the ladder decides, and not the child.
const LONG: Duration = Duration::from_secs(600);

/// Runs the daemon if this process is one.
pub(crate) fn run() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let mut daemon = Daemon::new("app").arguments([]);
    for line in std::env::var(SET).unwrap_or_default().lines() {
        daemon = daemon.set(line);
    }
    if let Ok(file) = std::env::var("PERENNIAL_TEST_ENDING_FILE") {
        daemon = daemon.config_file(file).set("daemon.hot_reload=false");
    }
    let told = role.clone();
    let daemon = daemon
        .set("http.listen=127.0.0.1:0")
        .on_http_bound(move |address| {
            say(&format!("http {address}"));
            if told == "conductor" {
                say("up");
                block();
            }
        })
        .tree_live(move |live| tree(&role, live));
    let handle = daemon.shutdown_handle();
    if role_is("guarded") {
        std::mem::forget(handle.guard("upload"));
    }
    if role_is("asks") {
        std::thread::spawn(move || {
            hear_line();
            handle.request();
        });
    }
    let daemon = daemon
        .on_signal(
            Signal::USER_2,
            SignalAction::call(|signal| say(&format!("{signal}"))),
        )
        .on_end(|report, metrics| {
            let ended = report.root.children.len();
            let is_there = metrics.contains("perennial_child_up{path=\"/app/idle\"} 0");
            say(&format!("ended {ended} {is_there}"));
        })
        .on_signal(Signal::QUIT, SignalAction::Ignore);
    std::process::exit(number_of(daemon.run()));
}

fn role_is(role: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|have| have == role)
}

/// Reads a code out of its debug form: `ExitCode` has no other way.
fn number_of(code: ExitCode) -> i32 {
    let digits: String = format!("{code:?}")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("an exit code is a number")
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n@{line}").expect("the test reads");
    stdout.flush().expect("the test reads");
}

fn block() -> ! {
    loop {
        std::thread::park();
    }
}

fn hear_line() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("text");
}

fn tree(role: &str, live: &Live<NoConfig>) -> Result<Supervisor, BoxError> {
    let idle = Child::task("idle", |cx| async move {
        cx.shutdown().await;
        Ok(())
    });
    let says_up = Child::task("says-up", |cx| async move {
        say("up");
        cx.shutdown().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app").child(idle);
    Ok(match role {
        "ignores" => tree.child(ignores()).child(says_up),
        "blocks" => tree.child(blocks("blocks", "up")),
        "blocks-a-while" => tree.child(
            Child::blocking("blocks-a-while", |cx| {
                say("up");
                while !cx.wait_for_shutdown(LONG) {}
                hear_line();
                Ok(())
            })
            .stop_timeout(LONG),
        ),
        "blocking" => tree.child(awaits_a_thread()).child(says_up),
        "blocks-on-order" => blocks_on_order(tree),
        "all-blocked" => all_blocked(tree),
        "panics" => tree
            .child(Child::actor("panics", |_cx| (Panics, ())))
            .child(says_up),
        "fails-and-blocks" => fails_and_blocks(),
        "starts-on-order" => tree.child(Child::step("migrates", |_cx| async {
            say("up");
            tokio::task::spawn_blocking(hear_line).await?;
            Ok(())
        })),
        "slow-step" => tree.child(Child::step("migrates", |_cx| async {
            say("up");
            std::future::pending::<()>().await;
            Ok(())
        })),
        "slow-make" => {
            say("making");
            hear_line();
            tree.child(says_up)
        }
        "crashes" => crashes(),
        "noisy" => tree.child(noisy()),
        "reloaded" => tree
            .child(ignores())
            .child(serves(live.clone()))
            .child(says_up),
        "serves" => tree.child(serves(live.clone())).child(says_up),
        _ => tree.child(says_up),
    })
}

fn ignores() -> Child {
    Child::task("ignores", |_cx| std::future::pending()).stop_timeout(LONG)
}

fn blocks(name: &str, says: &'static str) -> Child {
    Child::task(name, move |_cx| async move {
        tokio::task::yield_now().await;
        say(says);
        block()
    })
    .stop_timeout(LONG)
}

fn awaits_a_thread() -> Child {
    Child::task("blocking", |_cx| async {
        tokio::task::spawn_blocking(|| block()).await?
    })
    .stop_timeout(LONG)
}

fn all_blocked(mut tree: Supervisor) -> Supervisor {
    for number in 0..8 {
        tree = tree.child(Child::task(
            format!("blocks{number}"),
            move |cx| async move {
                cx.shutdown_began().await;
                block()
            },
        ));
    }
    tree.child(Child::task("says-up", |cx| async move {
        say("up");
        cx.shutdown().await;
        Ok(())
    }))
}

/// Fails in the start, and blocks the only worker thread when that is taken back.
fn fails_and_blocks() -> Supervisor {
    let blocks = Child::task("blocks-at-the-end", |cx: Context| async move {
        cx.shutdown().await;
        block()
    });
    let fails = Child::step("fails", |_cx| async { Err("on purpose".into()) });
    Supervisor::one_for_one("app")
        .child(blocks.stop_timeout(Duration::from_millis(300)))
        .child(fails)
}

/// Blocks every worker thread when it is told to.
fn blocks_on_order(mut tree: Supervisor) -> Supervisor {
    let (order, ordered) = tokio::sync::watch::channel(false);
    for number in 0..8 {
        let ordered = ordered.clone();
        let child = Child::task(format!("blocks{number}"), move |_cx| {
            let mut ordered = ordered.clone();
            async move {
                ordered.changed().await?;
                block()
            }
        });
        tree = tree.child(child);
    }
    tree.child(Child::blocking("orders", move |_cx| {
        say("up");
        hear_line();
        order.send_replace(true);
        block()
    }))
}

fn crashes() -> Supervisor {
    let crashes = Child::task("crashes", |cx: Context| async move {
        tokio::task::yield_now().await;
        if cx.incarnation() == 100 {
            say("up");
        }
        Err("always".into())
    });
    Supervisor::one_for_one("app")
        .intensity(u32::MAX, Duration::from_secs(1))
        .backoff(Backoff::none())
        .child(crashes)
}

/// Logs more than a pipe holds, and says when lines begin to be dropped.
fn noisy() -> Child {
    Child::task("noisy", |cx| async move {
        // Far more than a pipe and the writer hold together.
        for number in 0..20_000 {
            tracing::info!("line {number} {}", "x".repeat(500));
        }
        say("full");
        cx.shutdown().await;
        Ok(())
    })
}

/// Says that it has been asked to stop, and under which ladder.
fn serves(live: Live<NoConfig>) -> Child {
    Child::task_with("serves", live, |cx, live| async move {
        let mut section = live.section("shutdown");
        loop {
            tokio::select! {
                now = section.changed() => {
                    say(&format!("graceful {:?}", now.settings().shutdown.graceful));
                }
                _by = cx.shutdown() => {
                    say("stopping");
                    return Ok(());
                }
            }
        }
    })
}

struct Panics;

impl Actor for Panics {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        panic!("on purpose")
    }
}
